//! Publish: what the world is told, and how it gets there without loss.
//!
//! [`message`] holds the wire structs and topics, [`outbox`] decides what to send and when a verdict counts as sent,
//! [`wire`] speaks MQTT, [`commands`] hears and answers what the device is told to do, [`broker`] is a broker in this process for lines that have none.
//! [`run`] ties them together: connect, tell birth and status, empty the outbox; after a loss the same again, from the first
//! verdict nobody acknowledged. Promises at-least-once delivery with first deliveries in the order of sequence numbers.

#[cfg(feature = "broker")]
pub mod broker;
pub mod commands;
pub mod message;
pub mod outbox;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Monotonic;
use crate::flow::retry::{Retry, draw};
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};
use message::{
    BirthMessage, ChartAlarm, ChartMessage, CountersMessage, DriftMessage, DriftingRoute, GoldenJudged, GoldenMessage,
    GovernorMessage, Health, Standing, State, StatusMessage, Topics,
};
use outbox::{Ended, Outbox, Publication};

/// Birth, status, counters, the rung, drift, charts and the golden set waiting to be sent: one of each.
const NOTES: usize = 7;

/// A verdict as the journal keeps it: its sequence number and its bytes.
pub type Row = (u64, Vec<u8>);

/// What the outbox needs of the journal. Errors are one sentence.
pub trait Feed: Send + Sync {
    /// The last durable sequence number; changes with each commit.
    fn committed(&self) -> watch::Receiver<u64>;
    /// Up to `limit` unacknowledged verdicts after sequence number `after`, in order.
    fn waiting(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, String>>;
    /// Marks verdicts as acknowledged.
    fn acknowledge(&self, seqs: Vec<u64>) -> BoxFuture<'_, Result<(), String>>;
    /// Notes that the broker refused a verdict with this reason code.
    fn refused(&self, seq: u64, code: u8) -> BoxFuture<'_, Result<(), String>>;
    /// How many verdicts wait, and how many of them were refused.
    fn backlog(&self) -> (u64, u64);
}

/// How long after the stop signal verdicts may still be sent; well below systemd's ninety seconds.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Everything the publisher needs.
pub struct Publisher {
    /// Where the broker is and who we are there.
    pub address: wire::Address,
    /// The topics of this device.
    pub topics: Topics,
    /// The journal.
    pub feed: Arc<dyn Feed>,
    /// What is told retained at every connect, and when it changes.
    pub birth: watch::Receiver<BirthMessage>,
    /// How the models are, as the app last knew.
    pub health: watch::Receiver<Health>,
    /// How often status and counters are told, above zero.
    pub counters_every: Duration,
    /// How long draining may take after the stop signal, such as [`DRAIN`].
    pub drain: Duration,
    /// How long to wait before trying again.
    pub retry: Retry,
    /// The counters.
    pub telemetry: Telemetry,
}

/// Publishes until `stop`; then drains what the journal holds, at most for the publisher's drain time, tells `offline` and
/// leaves. Whatever is not acknowledged by then stays in the journal for the next start.
pub async fn run(publisher: Publisher, stop: CancellationToken) {
    let started = Monotonic::now();
    let deadline = CancellationToken::new();
    let clock = {
        let (stop, deadline, drain) = (stop.clone(), deadline.clone(), publisher.drain);
        tokio::spawn(async move {
            stop.cancelled().await;
            tokio::time::sleep(drain).await;
            deadline.cancel();
        })
    };
    tokio::select! {
        () = publisher.serve(started, &stop) => {}
        () = deadline.cancelled() => {
            let (waiting, _) = publisher.feed.backlog();
            tracing::warn!("{waiting} verdicts were not sent within {:?}; they wait in the journal", publisher.drain);
        }
    }
    clock.abort();
}

/// What was told of how the device watches itself.
#[derive(Default)]
struct Watched {
    drifting: Option<Vec<DriftingRoute>>,
    charted: Option<Vec<ChartAlarm>>,
    golden: Option<GoldenJudged>,
}

impl Publisher {
    /// One connection after the other, until drained.
    async fn serve(&self, started: Monotonic, stop: &CancellationToken) {
        let mut failures = 0;
        loop {
            let stopping = stop.is_cancelled();
            let published = self.telemetry.count(Event::VerdictPublished);
            match self.connection(started, stop).await {
                Ok(Ended::Drained) => return,
                Ok(Ended::Lost(why)) => self.telemetry.tell(Event::BrokerLost, format_args!("{}: {why}", self.address)),
                Ok(Ended::Journal(why)) => tracing::error!("the outbox stops for a while: {why}"),
                Err(why) => tracing::warn!("broker {}: {why}", self.address),
            }
            if stop.is_cancelled() && self.feed.backlog().0 == 0 {
                return;
            }
            // A connection that brought nothing forward is a failure too: a broker may accept and then drop us each time.
            failures = if self.telemetry.count(Event::VerdictPublished) > published { 1 } else { failures + 1 };
            tokio::select! {
                () = tokio::time::sleep(self.retry.after(failures, draw())) => {}
                () = stop.cancelled(), if !stopping => {}
            }
        }
    }

    /// One connection, from connecting to its end.
    async fn connection(&self, started: Monotonic, stop: &CancellationToken) -> Result<Ended, String> {
        let stopping = stop.is_cancelled();
        let will = self.topics.status(&self.status(State::Offline));
        let mut link = tokio::select! {
            link = wire::Connection::open(&self.address, Some(will)) => link?,
            () = stop.cancelled(), if !stopping => return Err("stopped while connecting".into()),
        };
        self.telemetry.tell(Event::BrokerConnected, format_args!("{}", self.address));
        let (notes_in, mut notes) = mpsc::channel(NOTES);
        let mut outbox = Outbox::new(self.feed.as_ref(), self.topics.verdict(), &self.telemetry, self.retry);
        let ended = tokio::select! {
            ended = outbox.run(&mut link, &mut notes, stop) => ended,
            () = self.tell(started, &notes_in, stop) => Ended::Lost("nobody is left to tell".into()),
        };
        if matches!(ended, Ended::Drained) {
            link.leave(self.topics.status(&self.status(State::Offline))).await?;
        }
        Ok(ended)
    }

    /// Tells birth and status, then status and counters at every interval, and that draining began. Never ends by itself.
    async fn tell(&self, started: Monotonic, notes: &mpsc::Sender<Publication>, stop: &CancellationToken) {
        let mut state = if stop.is_cancelled() { State::Draining } else { State::Online };
        let mut ticks = tokio::time::interval(self.counters_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut health, mut birth, mut since) = (self.health.clone(), self.birth.clone(), None);
        birth.mark_changed();
        let (mut told, mut stands) = (Ok(()), self.stands());
        let mut watched = Watched::default();
        while told.is_ok() {
            tokio::select! {
                biased;
                Ok(()) = birth.changed() => {
                    let born = birth.borrow_and_update().clone();
                    told = notes.send(self.topics.birth(&born)).await;
                    told = told.and(self.tell_changed(&mut stands, state, notes).await);
                }
                _ = ticks.tick() => {
                    let counters = self.topics.counters(&self.counters(started));
                    told = notes.send(self.topics.status(&self.status(state))).await;
                    told = told.and(notes.send(counters).await);
                    told = told.and(self.tell_rung(&mut since, true, notes).await);
                    told = told.and(self.tell_watched(&mut watched, notes).await);
                }
                Ok(()) = health.changed() => {
                    told = self.tell_rung(&mut since, false, notes).await;
                    told = told.and(self.tell_watched(&mut watched, notes).await);
                    told = told.and(self.tell_changed(&mut stands, state, notes).await);
                }
                () = stop.cancelled(), if state == State::Online => {
                    state = State::Draining;
                    told = notes.send(self.topics.status(&self.status(state))).await;
                }
            }
        }
    }

    /// Tells the status where what it says has changed.
    async fn tell_changed(
        &self,
        stands: &mut (Name, Standing),
        state: State,
        notes: &mpsc::Sender<Publication>,
    ) -> Result<(), mpsc::error::SendError<Publication>> {
        let now = self.stands();
        if std::mem::replace(stands, now.clone()) == now {
            return Ok(());
        }
        notes.send(self.topics.status(&self.status(state))).await
    }

    /// Tells on which rung the device judges, where that is another than was told, or is to be told `again`.
    async fn tell_rung(
        &self,
        since: &mut Option<Timestamp>,
        again: bool,
        notes: &mpsc::Sender<Publication>,
    ) -> Result<(), mpsc::error::SendError<Publication>> {
        let governed = self.health.borrow().governed.clone();
        match governed.filter(|governed| again || *since != Some(governed.since)) {
            Some(governed) => {
                *since = Some(governed.since);
                let message = GovernorMessage::new(&self.birth.borrow(), governed);
                notes.send(self.topics.governor(&message)).await
            }
            None => Ok(()),
        }
    }

    /// Tells which routes drift, which rates are out of control and what became of the golden set, where that is not what was told last over this connection.
    async fn tell_watched(
        &self,
        last: &mut Watched,
        notes: &mpsc::Sender<Publication>,
    ) -> Result<(), mpsc::error::SendError<Publication>> {
        let health = self.health.borrow().clone();
        if let Some(drifting) = health.drifting.filter(|drifting| last.drifting.as_ref() != Some(drifting)) {
            last.drifting = Some(drifting.clone());
            let message = DriftMessage::new(&self.birth.borrow(), drifting);
            notes.send(self.topics.drift(&message)).await?;
        }
        if let Some(charted) = health.charted.filter(|charted| last.charted.as_ref() != Some(charted)) {
            last.charted = Some(charted.clone());
            let message = ChartMessage::new(&self.birth.borrow(), charted);
            notes.send(self.topics.chart(&message)).await?;
        }
        if let Some(judged) = health.golden.filter(|judged| last.golden.as_ref() != Some(judged)) {
            last.golden = Some(judged.clone());
            let message = GoldenMessage::new(&self.birth.borrow(), judged);
            notes.send(self.topics.golden(&message)).await?;
        }
        Ok(())
    }

    /// What the status says that changes by itself.
    fn stands(&self) -> (Name, Standing) {
        (self.birth.borrow().recipe.clone(), self.health.borrow().standing.clone())
    }

    fn status(&self, state: State) -> StatusMessage {
        let (waiting, refused) = self.feed.backlog();
        let last_seq = *self.feed.committed().borrow();
        let backlog = message::Backlog { waiting, refused };
        let standing = self.health.borrow().standing.clone();
        StatusMessage::new(&self.birth.borrow(), state, backlog, standing, last_seq)
    }

    fn counters(&self, started: Monotonic) -> CountersMessage {
        let uptime = Monotonic::now().since(started);
        CountersMessage::new(&self.birth.borrow(), self.telemetry.counters(), uptime, self.health.borrow().latency)
    }
}
