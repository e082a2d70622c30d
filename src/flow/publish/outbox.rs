//! The outbox: which verdict is sent next, and when one counts as sent.
//!
//! Owns the window of publications in flight over one connection. Promises: verdicts are first sent in the order of their
//! sequence numbers; a verdict counts as sent exactly when its PUBACK has a reason code below 0x80; a refused one stays in the
//! journal, is counted, told and sent again with growing pauses. A refused verdict keeps its place in the window, so a few bad
//! ones hold nobody up, and a broker that refuses everything is not flooded.
//! Deliberately remembers nothing across connections: the journal knows what is unsent, and a new connection starts there.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Feed, Row};
use crate::flow::bound;
use crate::flow::retry::{Retry, draw};
use crate::telemetry::{Event, Telemetry};

/// The first MQTT reason code that means refusal; everything below counts as sent (0x10: nobody subscribed).
pub const REFUSED_FROM: u8 = 0x80;

/// How long a broker may leave everything in flight unacknowledged before the connection counts as lost: it answers pings, but
/// it is of no use. Brokers acknowledge within milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long acknowledgements are gathered before the journal is told: one commit for all of them, where each by itself would
/// cost one a part. What is lost with the process is sent again.
const GATHER: Duration = Duration::from_millis(200);

/// A message for the broker, at `QoS` 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The topic.
    pub topic: String,
    /// The payload: UTF-8 JSON.
    pub body: Vec<u8>,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
}

/// What became of a publication that was handed to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// It is on the wire under this packet identifier; the acknowledgement will name it.
    InFlight(u16),
    /// It breaks a limit the broker stated, so it was not sent: the reason code the broker would have given.
    Refused(u8),
}

/// The broker's answer to one publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The packet identifier that was handed out.
    pub packet: u16,
    /// The MQTT 5 reason code of the PUBACK.
    pub code: u8,
}

/// One live connection to a broker. Errors are one sentence and mean that the connection is lost.
pub trait Link: Send {
    /// How many publications may be unacknowledged at once, at least 1.
    fn window(&self) -> usize;
    /// Sends; returns once the publication is behind all earlier ones on the wire.
    fn send(&mut self, publication: Publication) -> impl Future<Output = Result<Handed, String>> + Send;
    /// Waits for the next acknowledgement. May be dropped and called again without loss.
    fn acknowledged(&mut self) -> impl Future<Output = Result<Acknowledgement, String>> + Send;
}

/// Why an outbox came to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// After the stop signal: everything that the broker accepts is acknowledged.
    Drained,
    /// The connection was lost.
    Lost(String),
    /// The journal failed.
    Journal(String),
}

/// What an acknowledgement is for.
#[derive(Debug, Clone)]
enum Ticket {
    Verdict { seq: u64, refusals: u32 },
    Note { topic: String },
}

/// A refused verdict waiting for its next try.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    refusals: u32,
    due: Instant,
}

/// The publications of one connection.
pub struct Outbox<'a> {
    feed: &'a dyn Feed,
    topic: String,
    telemetry: &'a Telemetry,
    retry: Retry,
    committed: watch::Receiver<u64>,
    /// Everything up to this sequence number was taken from the journal.
    after: u64,
    rows: VecDeque<Row>,
    /// A note that was taken and has not been sent.
    note: Option<Publication>,
    /// When the broker last acknowledged something, or the first of those in flight was sent.
    heard: Instant,
    in_flight: BTreeMap<u16, Ticket>,
    refused: BTreeMap<u64, Refusal>,
    /// Accepted by the broker; the journal does not know yet.
    accepted: Vec<u64>,
    /// When it must know.
    tell_by: Instant,
}

impl<'a> Outbox<'a> {
    /// An outbox for a fresh connection that sends verdicts to `topic`.
    pub fn new(feed: &'a dyn Feed, topic: String, telemetry: &'a Telemetry, retry: Retry) -> Self {
        let committed = feed.committed();
        let (rows, now) = (VecDeque::new(), Instant::now());
        let (in_flight, refused, accepted) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let (after, note, heard, tell_by) = (0, None, now, now);
        Self {
            feed,
            topic,
            telemetry,
            retry,
            committed,
            after,
            rows,
            note,
            heard,
            in_flight,
            refused,
            accepted,
            tell_by,
        }
    }

    /// Sends until the connection or the journal fails, or until it is drained after `stop`; at its end the journal knows
    /// of every acknowledgement that came.
    /// Publications from `notes` go out before verdicts.
    pub async fn run(
        &mut self,
        link: &mut impl Link,
        notes: &mut mpsc::Receiver<Publication>,
        stop: &CancellationToken,
    ) -> Ended {
        let ended = self.send_all(link, notes, stop).await;
        match self.tell_journal().await {
            Err(failed) if matches!(ended, Ended::Drained) => failed,
            _ => ended,
        }
    }

    async fn send_all(
        &mut self,
        link: &mut impl Link,
        notes: &mut mpsc::Receiver<Publication>,
        stop: &CancellationToken,
    ) -> Ended {
        loop {
            let stopping = stop.is_cancelled();
            if let Err(ended) = self.fill(link, notes).await {
                return ended;
            }
            if stopping && self.is_drained(link) {
                return Ended::Drained;
            }
            let room = self.in_flight.len() < window(link);
            let due = self.refused.values().map(|refusal| refusal.due).min();
            let settled = tokio::select! {
                first = link.acknowledged() => self.settle(first, link).await,
                Ok(()) = self.committed.changed() => Ok(()),
                Some(note) = notes.recv(), if room => { self.note = Some(note); Ok(()) }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Ok(()),
                () = stop.cancelled(), if !stopping => Ok(()),
                () = tokio::time::sleep_until(self.tell_by), if !self.accepted.is_empty() => self.tell_journal().await,
                () = tokio::time::sleep_until(self.heard + PATIENCE), if !self.in_flight.is_empty() => {
                    Err(Ended::Lost(format!("no PUBACK within {PATIENCE:?}")))
                }
            };
            if let Err(ended) = settled {
                return ended;
            }
        }
    }

    /// Hands to the link what its window takes.
    async fn fill(&mut self, link: &mut impl Link, notes: &mut mpsc::Receiver<Publication>) -> Result<(), Ended> {
        while self.in_flight.len() < window(link) {
            if let Some(note) = self.note.take().or_else(|| notes.try_recv().ok()) {
                let ticket = Ticket::Note { topic: note.topic.clone() };
                self.hand(link, note, ticket).await?;
            } else if let Some((seq, refusals, body)) = self.next_verdict(window(link)).await? {
                let publication = Publication { topic: self.topic.clone(), body, retain: false };
                self.hand(link, publication, Ticket::Verdict { seq, refusals }).await?;
            } else {
                break;
            }
        }
        Ok(())
    }

    async fn hand(&mut self, link: &mut impl Link, publication: Publication, ticket: Ticket) -> Result<(), Ended> {
        match link.send(publication).await.map_err(Ended::Lost)? {
            Handed::InFlight(packet) => {
                if self.in_flight.is_empty() {
                    self.heard = Instant::now();
                }
                self.in_flight.insert(packet, ticket);
                Ok(())
            }
            Handed::Refused(code) => self.refuse(ticket, code).await,
        }
    }

    /// The next verdict to send: a refused one whose pause is over, else the next of the journal.
    async fn next_verdict(&mut self, window: usize) -> Result<Option<(u64, u32, Vec<u8>)>, Ended> {
        let now = Instant::now();
        while let Some((seq, refusal)) =
            self.refused.iter().find(|(_, refusal)| refusal.due <= now).map(|(s, r)| (*s, *r))
        {
            self.refused.remove(&seq);
            let row = self.feed.waiting(seq - 1, 1).await.map_err(Ended::Journal)?.pop();
            if let Some((_, body)) = row.filter(|(found, _)| *found == seq) {
                return Ok(Some((seq, refusal.refusals, body)));
            }
        }
        if self.rows.is_empty() {
            self.take_rows(window).await?;
        }
        Ok(self.rows.pop_front().map(|(seq, body)| (seq, 0, body)))
    }

    /// Reads as many unsent verdicts as have a place in the window.
    async fn take_rows(&mut self, window: usize) -> Result<(), Ended> {
        let verdicts = self.in_flight.values().filter(|ticket| matches!(ticket, Ticket::Verdict { .. })).count();
        let room = window.saturating_sub(verdicts + self.refused.len());
        let known = *self.committed.borrow_and_update();
        if room == 0 || self.after >= known {
            return Ok(());
        }
        self.rows = self.feed.waiting(self.after, room).await.map_err(Ended::Journal)?.into();
        let last = self.rows.back().map_or(0, |(seq, _)| *seq);
        // Fewer than asked for: there are no more up to what was committed when we asked.
        self.after = if self.rows.len() < room { last.max(known) } else { last };
        Ok(())
    }

    /// Settles this acknowledgement and all others that have come already.
    async fn settle(&mut self, first: Result<Acknowledgement, String>, link: &mut impl Link) -> Result<(), Ended> {
        self.heard = Instant::now();
        let mut next = Some(first);
        let mut lost = None;
        while let Some(answer) = next {
            let Acknowledgement { packet, code } = match answer {
                Ok(answer) => answer,
                Err(why) => {
                    lost = Some(why);
                    break;
                }
            };
            match self.in_flight.remove(&packet) {
                Some(ticket) if code >= REFUSED_FROM => self.refuse(ticket, code).await?,
                Some(Ticket::Verdict { seq, .. }) => self.accept(seq),
                Some(Ticket::Note { .. }) => {}
                None => tracing::warn!("the broker acknowledged packet {packet}, which is not in flight"),
            }
            next = link.acknowledged().now_or_never();
        }
        if self.accepted.len() >= bound::VERDICTS {
            self.tell_journal().await?;
        }
        lost.map_or(Ok(()), |why| Err(Ended::Lost(why)))
    }

    fn accept(&mut self, seq: u64) {
        if self.accepted.is_empty() {
            self.tell_by = Instant::now() + GATHER;
        }
        self.accepted.push(seq);
        self.telemetry.tell(Event::VerdictPublished, format_args!("verdict {seq}"));
    }

    /// Tells the journal of the acknowledgements that were gathered.
    async fn tell_journal(&mut self) -> Result<(), Ended> {
        if self.accepted.is_empty() {
            return Ok(());
        }
        let accepted = std::mem::take(&mut self.accepted);
        self.feed.acknowledge(accepted).await.map_err(Ended::Journal)
    }

    async fn refuse(&mut self, ticket: Ticket, code: u8) -> Result<(), Ended> {
        match ticket {
            Ticket::Note { topic } => {
                tracing::warn!("the broker refused a message on {topic}: reason code {code:#04x}");
            }
            Ticket::Verdict { seq, refusals } => {
                let refusals = refusals + 1;
                let pause = self.retry.after(refusals, draw());
                self.refused.insert(seq, Refusal { refusals, due: Instant::now() + pause });
                self.telemetry.tell(
                    Event::VerdictRefused,
                    format_args!("verdict {seq}: reason code {code:#04x}, refusal {refusals}, next try in {pause:?}"),
                );
                self.feed.refused(seq, code).await.map_err(Ended::Journal)?;
            }
        }
        Ok(())
    }

    /// Whether nothing more can be sent but what was refused.
    fn is_drained(&self, link: &impl Link) -> bool {
        let nothing_left = self.after >= *self.committed.borrow() || self.refused.len() >= window(link);
        self.in_flight.is_empty() && self.rows.is_empty() && self.note.is_none() && nothing_left
    }
}

/// Our window, or the broker's where that is smaller.
fn window(link: &impl Link) -> usize {
    link.window().clamp(1, bound::PUBLICATIONS)
}

#[cfg(test)]
mod tests;
