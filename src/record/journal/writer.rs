//! The journal's thread: gathers commands into groups and makes each group durable with one commit.
//!
//! A group ends when nothing more waits, at 64 commands, or 10 ms after its first. No answer that promises durability
//! leaves before the commit. When a group fails it is taken back as a whole, and everyone in it hears why.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::fresh::Fresh;
use super::labels::{NewLabel, Taken};
use super::store::Store;
use super::{Backlog, Body, JournalError, OpenPart};
use crate::flow::publish::Row;
use crate::flow::{Admitted, bound};

/// The longest a group gathers, so that the first in it does not wait long.
const GROUP_SPAN: Duration = Duration::from_millis(10);

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, JournalError>>;

/// What the journal's thread is asked to do.
pub(super) enum Command {
    Admit { run: String, part: String, triggered: bool, reply: Reply<Admitted> },
    Append { run: String, part: String, body: Body, reply: Reply<u64> },
    Acknowledge { seqs: Vec<u64>, reply: Reply<()> },
    Refused { seq: u64, code: u8, reply: Reply<()> },
    Label { label: NewLabel, reply: Reply<Taken> },
    Waiting { after: u64, limit: usize, reply: Reply<Vec<Row>> },
    Heartbeat { reply: Reply<()> },
    Close { reply: oneshot::Sender<()> },
}

/// An answer held back until its group is durable; told the error when the group failed.
type Held = Box<dyn FnOnce(&mut Writer, Result<(), JournalError>) + Send>;

/// The state of the journal's thread.
pub(super) struct Writer {
    store: Store,
    publishing: bool,
    /// Parts that were accepted and have no verdict, as (run, part). A part leaves when its verdict is durable, or when its
    /// admission could not be made so; a failed append leaves it in, to be tried again. So the set is as large as the parts
    /// being joined, walked and settled, all of which have bounds, and those interrupted parts that have no verdict yet.
    /// Whoever gives a verdict up leaves its part here until the journal is closed.
    admitted: HashSet<(String, String)>,
    held: Vec<Held>,
    committed: watch::Sender<u64>,
    backlog: watch::Sender<Backlog>,
    fresh: Fresh,
    /// What goes to `fresh` with the group's commit.
    written: Vec<Row>,
    in_group: bool,
    /// Why the group must be taken back, once something in it went wrong.
    failed: Option<JournalError>,
    /// Why the last try to bring the file under its budget broke off.
    jammed: Option<JournalError>,
}

impl Writer {
    pub(super) fn new(
        store: Store,
        publishing: bool,
        open: &[OpenPart],
        committed: watch::Sender<u64>,
        backlog: watch::Sender<Backlog>,
        fresh: Fresh,
    ) -> Self {
        let admitted = open.iter().map(|open| (open.run.clone(), open.part.clone())).collect();
        let (held, written, in_group, failed, jammed) = (Vec::new(), Vec::new(), false, None, None);
        let mut writer =
            Self { store, publishing, admitted, held, committed, backlog, fresh, written, in_group, failed, jammed };
        writer.make_room();
        writer.backlog.send_replace(writer.store.backlog());
        writer
    }

    /// Serves until the last handle is gone or one of them closes the journal.
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut closing = None;
        while closing.is_none() {
            let Some(first) = inbox.blocking_recv() else { break };
            closing = self.gather(first, &mut inbox);
            self.finish();
        }
        drop(self);
        if let Some(reply) = closing {
            // Nobody waits for the answer when the handle that closed was dropped.
            let _ = reply.send(());
        }
    }

    /// Carries out one group; returns the answer to a close when one came.
    fn gather(&mut self, first: Command, inbox: &mut mpsc::Receiver<Command>) -> Option<oneshot::Sender<()>> {
        let start = Instant::now();
        let mut next = Some(first);
        for _ in 0..bound::VERDICTS {
            match next.take() {
                Some(Command::Close { reply }) => return Some(reply),
                Some(command) => self.carry_out(command),
                None => break,
            }
            if start.elapsed() >= GROUP_SPAN {
                break;
            }
            next = inbox.try_recv().ok();
        }
        // A command that was taken when the group was full belongs to it all the same.
        match next {
            Some(Command::Close { reply }) => Some(reply),
            Some(command) => {
                self.carry_out(command);
                None
            }
            None => None,
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Admit { run, part, triggered, reply } => match self.admit(run, part, triggered) {
                Ok((Admitted::Accepted, true)) => self.hold(reply, Admitted::Accepted),
                now => answer(reply, now.map(|(admitted, _)| admitted)),
            },
            Command::Append { run, part, body, reply } => match self.append(&run, &part, body) {
                Ok(seq) => {
                    self.held.push(Box::new(move |writer, done| {
                        if done.is_ok() {
                            writer.admitted.remove(&(run, part));
                        }
                        answer(reply, done.map(|()| seq));
                    }));
                }
                Err(error) => answer(reply, Err(error)),
            },
            Command::Acknowledge { seqs, reply } => {
                let done = self.group(|store| seqs.iter().try_for_each(|seq| store.acknowledge(*seq)));
                self.hold_done(reply, done);
            }
            Command::Refused { seq, code, reply } => {
                let done = self.group(|store| store.refuse(seq, code));
                self.hold_done(reply, done);
            }
            Command::Label { label, reply } => match self.label(&label) {
                Ok(taken) => self.hold(reply, taken),
                Err(error) => answer(reply, Err(error)),
            },
            Command::Waiting { after, limit, reply } => {
                // Read after the commit: what is not durable is not told.
                self.held.push(Box::new(move |writer, _| answer(reply, writer.store.waiting(after, limit))));
            }
            Command::Heartbeat { reply } => answer(reply, Ok(())),
            Command::Close { .. } => {}
        }
    }

    /// Decides on a part; the flag says that the answer must wait for the commit.
    fn admit(&mut self, run: String, part: String, triggered: bool) -> Result<(Admitted, bool), JournalError> {
        let key = (run, part);
        if self.admitted.contains(&key) || self.store.verdict_of(&key.0, &key.1)?.is_some() {
            return Ok((Admitted::Duplicate, false));
        }
        if let Some(why) = self.full() {
            return Ok((Admitted::Refused { why }, false));
        }
        if triggered {
            let now = jiff::Timestamp::now().to_string();
            self.group(|store| store.insert_open(&key.0, &key.1, &now))?;
            let taken_back = key.clone();
            self.held.push(Box::new(move |writer, done| {
                if done.is_err() {
                    writer.admitted.remove(&taken_back);
                }
            }));
        }
        self.admitted.insert(key);
        Ok((Admitted::Accepted, triggered))
    }

    /// Why no part can be accepted, when the file is over its budget.
    fn full(&mut self) -> Option<String> {
        if self.jammed.is_some() && !self.in_group {
            self.make_room();
        }
        let Backlog { waiting, bytes, max_bytes, .. } = self.store.backlog();
        (bytes > max_bytes).then(|| match &self.jammed {
            Some(error) => format!("journal is full: {bytes} bytes of {max_bytes}, and no room can be made: {error}"),
            None if waiting == 0 => {
                format!("journal is full: {bytes} bytes of {max_bytes}, though no verdict is unsent")
            }
            None => format!("journal is full: {bytes} bytes of {max_bytes} are unsent verdicts"),
        })
    }

    fn append(&mut self, run: &str, part: &str, body: Body) -> Result<u64, JournalError> {
        if let Some(seq) = self.store.verdict_of(run, part)? {
            return Err(JournalError::AlreadyJudged { run: run.into(), part: part.into(), seq });
        }
        let publishing = self.publishing;
        let (seq, body) = self.group(|store| store.insert_verdict(run, part, body, publishing))?;
        if publishing {
            self.written.push((seq, body));
        }
        Ok(seq)
    }

    /// A label that cannot be taken fails by itself and not with its group.
    fn label(&mut self, label: &NewLabel) -> Result<Taken, JournalError> {
        let taken = self.store.weigh_label(label)?;
        self.group(|store| store.insert_label(label, &taken))?;
        Ok(taken)
    }

    /// Does `work` inside the group's transaction; when it fails, the whole group will be taken back.
    fn group<T>(&mut self, work: impl FnOnce(&mut Store) -> Result<T, JournalError>) -> Result<T, JournalError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if !self.in_group {
            self.store.begin()?;
            self.in_group = true;
        }
        let done = work(&mut self.store);
        self.failed = done.as_ref().err().cloned();
        done
    }

    fn hold<T: Send + 'static>(&mut self, reply: Reply<T>, value: T) {
        self.held.push(Box::new(move |_, done| answer(reply, done.map(|()| value))));
    }

    fn hold_done(&mut self, reply: Reply<()>, done: Result<(), JournalError>) {
        match done {
            Ok(()) => self.hold(reply, ()),
            Err(error) => answer(reply, Err(error)),
        }
    }

    /// Makes the group durable and lets the answers go.
    fn finish(&mut self) {
        let done = if std::mem::take(&mut self.in_group) { self.commit() } else { Ok(()) };
        let written = std::mem::take(&mut self.written);
        if done.is_ok() {
            self.fresh.add(written);
        }
        self.committed.send_if_modified(|last| std::mem::replace(last, self.store.last_seq()) != self.store.last_seq());
        self.backlog.send_replace(self.store.backlog());
        for held in std::mem::take(&mut self.held) {
            held(self, done.clone());
        }
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        let done = self.failed.take().map_or(Ok(()), Err).and_then(|()| self.store.commit());
        if let Err(error) = &done {
            tracing::error!("a group of verdicts is not written: {error}");
            if let Err(error) = self.store.roll_back() {
                tracing::error!("the last group could not be taken back: {error}");
            }
        }
        self.make_room();
        done
    }

    fn make_room(&mut self) {
        self.jammed = self.store.make_room().err();
        if let Some(error) = &self.jammed {
            tracing::error!("no room could be made: {error}");
        }
    }
}

/// Sends an answer; nobody waits for it when the one who asked has gone.
fn answer<T>(reply: Reply<T>, value: Result<T, JournalError>) {
    let _ = reply.send(value);
}

#[cfg(test)]
mod tests;
