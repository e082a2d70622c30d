//! Control charts in the running daemon: every verdict is counted once it is in the journal, and a rate that goes out of control
//! raises an alarm.
//!
//! Follows the journal and nothing else, at the start as while the line runs: so a restart goes on where the last verdict stands,
//! in the middle of a subgroup too, and a power cut loses no count. What was counted is kept beside the journal after each full
//! subgroup and each order; where that is gone or of other settings, it is counted anew from the verdicts that the journal still
//! holds. Promises: verdicts count in the order of their numbers, each once; the road never waits for a chart. An order is on the
//! disk before it is answered.

mod book;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::settle::Desk;
use crate::config::Settings;
use crate::flow::publish::message::{ChartOrder, Health};
use crate::record::chart::Kept;
use crate::record::journal::past::Past;
use crate::telemetry::{Event, Telemetry};
use book::{Book, Row, Told};

/// Verdicts that are read before other tasks have their turn.
const AT_ONCE: usize = 256;

/// An order, and where the answer goes.
type Ask = (ChartOrder, oneshot::Sender<Result<String, String>>);

/// By what a person speaks to the charts.
#[derive(Debug, Clone)]
pub(super) struct Orders(mpsc::Sender<Ask>);

impl Orders {
    /// Gives an order and waits for what came of it, in one sentence.
    ///
    /// # Errors
    /// Why it was refused, in one sentence; also when the daemon is stopping.
    pub(super) async fn give(&self, order: ChartOrder) -> Result<String, String> {
        let (reply, answer) = oneshot::channel();
        let stopping = || "the daemon is stopping".to_owned();
        self.0.send((order, reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

/// The charts of a line, and what they follow.
pub(super) struct Charts {
    book: Book,
    kept: Kept,
    past: Past,
    committed: watch::Receiver<u64>,
    /// What happened up to here was told by an earlier process, or nobody watched then.
    quiet_to: u64,
    asks: mpsc::Receiver<Ask>,
    orders: Orders,
    health: watch::Sender<Health>,
    telemetry: Telemetry,
}

impl Charts {
    /// The charts as they were kept; `None` where nobody is to draw any.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) fn open(settings: &Settings, desk: &Desk) -> anyhow::Result<Option<Self>> {
        let Some(told) = settings.chart.clone() else { return Ok(None) };
        let path = settings.journal.path.as_path();
        let (past, kept, committed) = (Past::open(path)?, Kept::beside(path), desk.journal.committed());
        let (new, quiet_to) = (Book::new(past.epoch(), told), *committed.borrow());
        let book = match kept.read::<Book>() {
            Ok(Some(book)) if book.goes_on(&new, quiet_to) => book,
            Ok(Some(_)) => {
                tracing::info!(
                    "the control charts are of another [chart] or journal: they are drawn anew from the journal"
                );
                new
            }
            Ok(None) => new,
            Err(why) => {
                let telling = format_args!("{why}: the control charts are drawn anew from the journal");
                desk.telemetry.tell(Event::ChartUnkept, telling);
                new
            }
        };
        let (ask, asks) = mpsc::channel(1);
        let (orders, health, telemetry) = (Orders(ask), desk.health.clone(), desk.telemetry.clone());
        Ok(Some(Self { book, kept, past, committed, quiet_to, asks, orders, health, telemetry }))
    }

    /// By what a person speaks to them.
    pub(super) fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Counts what the journal gets, until it gets no more because the road is `drained`.
    pub(super) async fn run(mut self, drained: CancellationToken) {
        self.read_on().await;
        for alarm in self.book.alarms() {
            let (told, since) = (&alarm.told, alarm.since);
            self.telemetry.tell(Event::ChartAlarm, format_args!("{told}; it stands since {since}"));
        }
        self.publish();
        loop {
            tokio::select! {
                () = drained.cancelled() => break,
                Some((order, reply)) = self.asks.recv() => {
                    let done = tokio::task::block_in_place(|| self.obey(order));
                    // Whoever asked need not have waited.
                    let _ = reply.send(done);
                }
                Ok(()) = self.committed.changed() => self.read_on().await,
            }
            self.publish();
        }
        self.read_on().await;
        self.publish();
    }

    /// Counts all that is in the journal and was not counted.
    async fn read_on(&mut self) {
        while tokio::task::block_in_place(|| self.read_some()) {
            tokio::task::yield_now().await;
        }
    }

    /// Counts some verdicts; whether there are more.
    fn read_some(&mut self) -> bool {
        let (last, mut filled) = (*self.committed.borrow_and_update(), false);
        let behind = last.saturating_sub(self.book.seq()) > AT_ONCE as u64;
        for _ in 0..AT_ONCE {
            if self.book.seq() >= last {
                break;
            }
            match self.count(last) {
                Ok(full) => filled |= full,
                Err(why) => {
                    self.telemetry.tell(Event::ChartUnkept, format_args!("{why}; it is tried again"));
                    return false;
                }
            }
        }
        if filled && let Err(why) = self.kept.write(&self.book) {
            self.telemetry.tell(Event::ChartUnkept, format_args!("{why}; the journal still holds what was counted"));
        }
        behind
    }

    /// Counts the next verdict, or passes over what is kept no more; whether a subgroup became full.
    fn count(&mut self, last: u64) -> Result<bool, String> {
        let seq = self.book.seq() + 1;
        let Some(body) = self.past.verdict(seq).map_err(|error| error.to_string())? else {
            let first = self.past.first_seq().map_err(|error| error.to_string())?;
            self.book.pass_over(first.map_or(last, |first| first.saturating_sub(1)).clamp(seq, last));
            return Ok(false);
        };
        let row = serde_json::from_slice::<Row>(&body);
        let row = row.inspect_err(|error| {
            self.telemetry.tell(Event::ChartUnkept, format_args!("verdict {seq} does not count, it is none: {error}"));
        });
        let (told, full) = self.book.see(seq, row.ok().as_ref());
        if seq > self.quiet_to {
            for told in &told {
                self.tell(told);
            }
        }
        Ok(full)
    }

    fn tell(&self, told: &Told) {
        match told {
            Told::Begun(told) => self.telemetry.tell(Event::ChartBegun, format_args!("{told}")),
            Told::Alarm(alarm) => self.telemetry.tell(Event::ChartAlarm, format_args!("{}", alarm.told)),
            Told::Over(told) => self.telemetry.tell(Event::ChartOver, format_args!("{told}")),
        }
    }

    /// Carries out an order: on the disk, or not at all.
    fn obey(&mut self, order: ChartOrder) -> Result<String, String> {
        let before = self.book.clone();
        let told = match order {
            ChartOrder::Acknowledge => self.book.acknowledge()?,
            ChartOrder::Baseline => self.book.begin_anew(),
        };
        if let Err(why) = self.kept.write(&self.book) {
            self.book = before;
            return Err(why);
        }
        self.telemetry.tell(Event::ChartOver, format_args!("by order: {told}"));
        Ok(told)
    }

    /// Puts the alarms that stand where the publisher reads them.
    fn publish(&self) {
        let alarms = self.book.alarms().cloned().collect();
        self.health.send_if_modified(|health| {
            let alarms = Some(alarms);
            let changed = health.charted != alarms;
            health.charted = alarms;
            changed
        });
    }
}
