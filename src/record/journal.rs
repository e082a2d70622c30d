//! The journal: every verdict, durable before anyone hears of it, and the only outbox.
//!
//! Owns one SQLite file (WAL, `synchronous=FULL`), a lock file beside it, and the one thread named `journal` that writes.
//! Promises: a sequence number starts at 1, has no gaps and is never given twice, not even after pruning or a power cut; what
//! [`Journal::append`] returned is on the disk; a part has at most one verdict as long as that verdict is kept (once it is
//! pruned, the same part may come again); an admitted part can always be appended, and tried again when the disk failed.
//! Within its disk budget it keeps acknowledged verdicts too and prunes the oldest of them first, a sixteenth of the budget at
//! a time, sparing labelled ones while they are less than half; when unsent verdicts alone fill the budget it refuses new parts
//! and drops nothing.
//! Labels lie beside the verdicts and are never pruned; a command line may write them too, see [`beside`].
//! Deliberately does not know what a verdict says: a body is bytes.

pub mod beside;
mod fresh;
pub mod labels;
pub mod past;
mod store;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::clock::Monotonic;
use crate::config;
use crate::flow::publish::{Feed, Row};
use crate::flow::{Admission, Admitted, PartId, Receipt, bound};
use crate::name::Name;
use fresh::Fresh;
use labels::{NewLabel, Taken};
use writer::{Command, Reply};

/// What makes a verdict's entry, once its sequence number is known. Runs on the journal's thread.
pub type Body = Box<dyn FnOnce(u64) -> Entry + Send>;

/// What is written of a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its bytes.
    pub body: Vec<u8>,
    /// How likely it was to be put up for review, where it is put up.
    pub asked: Option<f64>,
}

impl From<Vec<u8>> for Entry {
    /// The entry of a verdict that nobody is asked to look at.
    fn from(body: Vec<u8>) -> Self {
        Self { body, asked: None }
    }
}

/// Why the journal cannot do what was asked. Each text names the file, what was seen and what was wanted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The folder or the lock file cannot be made.
    #[error("journal {}: cannot be opened for writing: {cause}", path.display())]
    Unwritable {
        /// The file that was wanted.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// There is no such file to look back into, or to label in.
    #[error("journal {}: cannot be read: {cause}", path.display())]
    Absent {
        /// The file that was wanted.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Another process writes to it.
    #[error("journal {}: another process has it open; one journal serves one daemon", path.display())]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// A later version of Kenpin wrote it.
    #[error("journal {}: its schema is version {seen}, this build reads up to version {wanted}", path.display())]
    NewerSchema {
        /// The journal.
        path: PathBuf,
        /// The version in the file.
        seen: i64,
        /// The newest version this build knows.
        wanted: i64,
    },
    /// It is no journal, or it is damaged.
    #[error("journal {}: not a sound Kenpin journal: {cause}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The disk is full or failed.
    #[error("journal {}: {cause}", path.display())]
    Storage {
        /// The journal.
        path: PathBuf,
        /// What SQLite said.
        cause: String,
    },
    /// The part has its verdict.
    #[error("part {part:?} of run {run} already has verdict {seq}; a part is judged once")]
    AlreadyJudged {
        /// The production run.
        run: String,
        /// The part.
        part: String,
        /// The sequence number of the verdict it has.
        seq: u64,
    },
    /// A daemon of an older build has it open, so that it cannot be brought up to date.
    #[error(
        "journal {}: its schema is version {seen}, want {wanted}, and a daemon of an older build has it open: restart that with \
         this build",
        path.display()
    )]
    OlderSchema {
        /// The journal.
        path: PathBuf,
        /// The version in the file.
        seen: i64,
        /// The version of this build.
        wanted: i64,
    },
    /// A label is for a verdict of another journal.
    #[error("the label is for epoch {seen}, this journal is of epoch {wanted}")]
    OtherEpoch {
        /// The epoch that was told.
        seen: Uuid,
        /// The epoch of the journal.
        wanted: Uuid,
    },
    /// A label is for a verdict that was never given.
    #[error("there is no verdict {seq}: the last one is {last}")]
    NoVerdict {
        /// The number that was told.
        seq: u64,
        /// The last number that was given, 0 before the first.
        last: u64,
    },
    /// A label is for a verdict that is not kept any more.
    #[error("verdict {seq} is not kept any more: it was pruned to hold `[journal] max_mib`")]
    Pruned {
        /// The number that was told.
        seq: u64,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// A part that was accepted and has no verdict: the last run was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPart {
    /// The production run it belongs to.
    pub run: String,
    /// The part.
    pub part: String,
    /// When it was accepted, UTC in RFC 3339.
    pub opened_utc: String,
}

/// How full the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Verdicts that no broker has acknowledged.
    pub waiting: u64,
    /// Those of them that the broker has refused at least once.
    pub refused: u64,
    /// Bytes on the disk, the write-ahead log included.
    pub bytes: u64,
    /// The disk budget in bytes.
    pub max_bytes: u64,
}

/// A journal that was opened, with what it found.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// The identity of the file, made with it.
    pub epoch: Uuid,
    /// Parts of earlier runs that were accepted and never judged, oldest first. Each wants an
    /// [`append_interrupted`](Journal::append_interrupted).
    pub interrupted: Vec<OpenPart>,
}

/// A handle to the journal; clones share it.
#[derive(Debug, Clone)]
pub struct Journal {
    run: Arc<str>,
    commands: mpsc::Sender<Command>,
    committed: watch::Receiver<u64>,
    backlog: watch::Receiver<Backlog>,
    fresh: Fresh,
}

impl Journal {
    /// Opens the journal, makes it where there is none, and starts its thread. `run` is the production run that parts belong
    /// to from now on. With `publishing` false nobody will ever acknowledge, so verdicts count as acknowledged when written.
    ///
    /// # Errors
    /// [`JournalError`] when the file cannot be written, is in use, damaged, or of a newer schema.
    pub fn open(settings: &config::Journal, run: &Name, publishing: bool) -> Result<Opened, JournalError> {
        let store = store::Store::open(settings)?;
        let (epoch, interrupted) = (store.epoch(), store.open_parts()?);
        let (commands, inbox) = mpsc::channel(2 * bound::VERDICTS);
        let (committed_out, committed) = watch::channel(store.last_seq());
        let (backlog_out, backlog) = watch::channel(store.backlog());
        let fresh = Fresh::default();
        let writer = writer::Writer::new(store, publishing, &interrupted, committed_out, backlog_out, fresh.clone());
        std::thread::Builder::new().name("journal".into()).spawn(move || writer.run(inbox)).map_err(|error| {
            JournalError::Unwritable {
                path: settings.path.clone(),
                cause: format!("no thread for the journal: {error}"),
            }
        })?;
        let journal = Self { run: run.as_str().into(), commands, committed, backlog, fresh };
        Ok(Opened { journal, epoch, interrupted })
    }

    /// Asks whether `part` of this run may be judged. A `triggered` part stands durably in the journal when this returns.
    /// A part that was accepted must be appended; until then it is a duplicate.
    ///
    /// # Errors
    /// [`JournalError`] when the disk fails or the journal is closed.
    pub async fn admission(&self, part: &str, triggered: bool) -> Result<Admitted, JournalError> {
        let (run, part) = (self.run.to_string(), part.to_owned());
        self.ask(|reply| Command::Admit { run, part, triggered, reply }).await
    }

    /// As [`admission`](Self::admission); a journal that fails refuses with its sentence.
    pub async fn admit(&self, part: &str, triggered: bool) -> Admitted {
        self.admission(part, triggered).await.unwrap_or_else(|error| Admitted::Refused { why: error.to_string() })
    }

    /// Writes the verdict of `part` of this run and returns its sequence number once it is durable.
    ///
    /// # Errors
    /// [`JournalError::AlreadyJudged`] for a second verdict, [`JournalError::Closed`] when the journal is closed; any other
    /// means that the disk failed and nothing was written: the part stays accepted, and the same verdict may be tried again.
    pub async fn append(&self, part: &str, body: Body) -> Result<u64, JournalError> {
        self.append_to(self.run.to_string(), part.to_owned(), body).await
    }

    /// Writes the verdict of a part that an earlier run left open, which need not be of this production run.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn append_interrupted(&self, open: &OpenPart, body: Body) -> Result<u64, JournalError> {
        self.append_to(open.run.clone(), open.part.clone(), body).await
    }

    async fn append_to(&self, run: String, part: String, body: Body) -> Result<u64, JournalError> {
        self.ask(|reply| Command::Append { run, part, body, reply }).await
    }

    /// Up to `limit` committed verdicts that nobody has acknowledged, with sequence numbers above `after`, in order.
    ///
    /// # Errors
    /// [`JournalError`] when the disk fails or the journal is closed.
    pub async fn waiting(&self, after: u64, limit: usize) -> Result<Vec<Row>, JournalError> {
        if let Some(rows) = self.fresh.take(after, limit) {
            return Ok(rows);
        }
        self.fresh.clear();
        self.ask(|reply| Command::Waiting { after, limit, reply }).await
    }

    /// Marks verdicts as acknowledged by the broker; they may be pruned from now on.
    ///
    /// # Errors
    /// [`JournalError`] when the disk fails or the journal is closed.
    pub async fn acknowledge(&self, seqs: Vec<u64>) -> Result<(), JournalError> {
        self.ask(|reply| Command::Acknowledge { seqs, reply }).await
    }

    /// Notes that the broker refused verdict `seq` with an MQTT reason `code` of 0x80 or more. The verdict keeps waiting.
    ///
    /// # Errors
    /// [`JournalError`] when the disk fails or the journal is closed.
    pub async fn refused(&self, seq: u64, code: u8) -> Result<(), JournalError> {
        self.ask(|reply| Command::Refused { seq, code, reply }).await
    }

    /// Writes what somebody says of a verdict; it is on the disk when this returns. What the same person said before of the
    /// same verdict is not written again.
    ///
    /// # Errors
    /// [`JournalError::OtherEpoch`], [`JournalError::NoVerdict`] or [`JournalError::Pruned`] for a label that cannot be taken;
    /// others when the disk fails or the journal is closed.
    pub async fn label(&self, label: NewLabel) -> Result<Taken, JournalError> {
        self.ask(|reply| Command::Label { label, reply }).await
    }

    /// Returns when the journal's thread has taken this up: behind all that was asked before.
    ///
    /// # Errors
    /// [`JournalError::Closed`] when the journal is closed.
    pub async fn heartbeat(&self) -> Result<(), JournalError> {
        self.ask(|reply| Command::Heartbeat { reply }).await
    }

    /// The last sequence number that is durable, 0 before the first; changes with each commit.
    #[must_use]
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// How full the journal is, as of the last commit.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        *self.backlog.borrow()
    }

    /// Commits what is queued, closes the file and gives the lock back. Other handles then answer [`JournalError::Closed`].
    pub async fn close(self) {
        let (reply, closed) = oneshot::channel();
        if self.commands.send(Command::Close { reply }).await.is_ok() {
            // An error means the thread has ended without an answer; either way it has closed the file.
            let _ = closed.await;
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| JournalError::Closed)?;
        answer.await.map_err(|_| JournalError::Closed)?
    }
}

impl Admission for Journal {
    fn admit(&self, part: PartId, _captured: Monotonic, receipt: Option<Receipt>) -> BoxFuture<'_, Admitted> {
        async move { Self::admit(self, part.as_str(), receipt.is_some()).await }.boxed()
    }

    /// Nothing is written of a part that was not let in.
    fn goes_by(&self, _part: &PartId, _captured: Monotonic) {}
}

impl Feed for Journal {
    fn committed(&self) -> watch::Receiver<u64> {
        Self::committed(self)
    }

    fn waiting(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, String>> {
        Self::waiting(self, after, limit).map(|rows| rows.map_err(|error| error.to_string())).boxed()
    }

    fn acknowledge(&self, seqs: Vec<u64>) -> BoxFuture<'_, Result<(), String>> {
        Self::acknowledge(self, seqs).map(|done| done.map_err(|error| error.to_string())).boxed()
    }

    fn refused(&self, seq: u64, code: u8) -> BoxFuture<'_, Result<(), String>> {
        Self::refused(self, seq, code).map(|done| done.map_err(|error| error.to_string())).boxed()
    }

    fn backlog(&self) -> (u64, u64) {
        let backlog = Self::backlog(self);
        (backlog.waiting, backlog.refused)
    }
}
