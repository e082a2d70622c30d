//! The watchdog: sends heartbeats through the threads that must live, and feeds systemd's watchdog as long as the road moves.
//!
//! Promises: no ping while a model's thread, dispatch, the journal's thread or the road as a whole (parts on it, and
//! nothing done for any) has been silent for longer than the watchdog's own span, so that systemd ends the daemon within twice
//! that span and starts it anew. A line without parts is kept awake by heartbeats alone. Cameras are not watched here: one
//! that is unplugged is no reason to start anew. Who is stuck is decided by [`stuck`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::settle::Desk;
use crate::clock::Monotonic;
use crate::flow::infer::Crews;
use crate::notify::Notify;
use crate::pulse::{Heard, Pulse, stuck};
use crate::telemetry::{Event, Telemetry};

/// How often the manager is told how the daemon is, where it has no watchdog.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// How many looks fall into the watchdog's span.
const LOOKS: u32 = 4;

/// What watches the road.
pub(super) struct Watchdog {
    pub(super) notify: Notify,
    pub(super) desk: Arc<Desk>,
    pub(super) crews: Arc<Crews>,
}

impl Watchdog {
    /// Watches until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        if !self.notify.is_heard() {
            return;
        }
        let bound = self.notify.watchdog();
        let mut ticks = tokio::time::interval(bound.map_or(STATUS_EVERY, |bound| bound / LOOKS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut moves = Moves::default();
        let journal = tokio::spawn(beat_with_journal(Arc::clone(&self.desk), ticks.period()));
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if moves.seen(Moves::of(&self.desk.telemetry)) {
                self.desk.road.moved();
            }
            self.crews.heartbeat();
            self.look(bound, self.desk.telemetry.pulse());
        }
        journal.abort();
        let _ = journal.await;
    }

    /// One look: a ping and how it stands, or who is stuck.
    fn look(&self, bound: Option<Duration>, pulse: &Pulse) {
        let heard = pulse.heard();
        let now = Monotonic::now();
        if let Some(Heard { name, last, .. }) = bound.and_then(|bound| stuck(&heard, now, bound)) {
            let silent = now.since(*last);
            let what = format!("{name} has not moved for {silent:.1?}: the watchdog is not fed");
            self.desk.telemetry.tell(Event::WatchdogWithheld, format_args!("{what}"));
            self.notify.status(&what);
        } else {
            self.notify.alive();
            self.notify.status(&self.standing());
        }
    }

    /// How the daemon stands, in one line.
    fn standing(&self) -> String {
        let (judged, backlog) = (self.desk.telemetry.count(Event::PartJudged), self.desk.journal.backlog());
        let standing =
            format!("judging: {judged} parts since the start, {} verdicts wait for the broker", backlog.waiting);
        let told = self.desk.health.borrow().standing.clone();
        let refused = told.reload_refused.map(|why| format!("the last reload was refused: {why}"));
        let all: Vec<String> = [Some(standing), told.safe_mode, refused].into_iter().flatten().collect();
        all.join("; ")
    }
}

/// What tells that the road moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Moves {
    joined: u64,
    judged: u64,
    work: u64,
}

impl Moves {
    fn of(telemetry: &Telemetry) -> Self {
        let (joined, judged) = (telemetry.count(Event::PartJoined), telemetry.count(Event::PartJudged));
        Self { joined, judged, work: telemetry.pulse().work() }
    }

    /// Whether the road is empty at `now`, or something was done on it since the last time; a part that only came is nothing
    /// done.
    fn seen(&mut self, now: Self) -> bool {
        let before = std::mem::replace(self, now);
        now.joined <= now.judged
            || before.joined <= before.judged
            || (before.judged, before.work) != (now.judged, now.work)
    }
}

/// Feeds the journal's beat with what passes through its thread. Never ends by itself.
async fn beat_with_journal(desk: Arc<Desk>, every: Duration) {
    let beat = desk.telemetry.pulse().listen("the journal");
    while desk.journal.heartbeat().await.is_ok() {
        beat.moved();
        tokio::time::sleep(every).await;
    }
    // Closed: then the road is empty, and nobody need beat for it any more.
}

/// Asks the manager for more time as long as models are being opened, each within `bound`. Never ends by itself.
pub(super) async fn loading(notify: Notify, pulse: Pulse, bound: Duration) {
    if !notify.is_heard() {
        return;
    }
    let mut ticks = tokio::time::interval(EXTENSION / 3);
    let (mut work, mut since) = (pulse.work(), Monotonic::now());
    loop {
        ticks.tick().await;
        if work != pulse.work() {
            (work, since) = (pulse.work(), Monotonic::now());
        }
        if Monotonic::now().since(since) > bound {
            return tracing::error!("no model was opened for {bound:?}: no more time is asked for");
        }
        notify.extend(EXTENSION);
    }
}

/// For how long from now on a start may go on, said again before it is over.
const EXTENSION: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_that_nobody_works_on_is_no_move() {
        let mut moves = Moves::default();
        assert!(moves.seen(Moves { joined: 1, ..Moves::default() }), "it was empty until now");
        assert!(!moves.seen(Moves { joined: 1, ..Moves::default() }));
        assert!(!moves.seen(Moves { joined: 2, ..Moves::default() }), "it only came");
        assert!(moves.seen(Moves { joined: 2, work: 1, ..Moves::default() }), "a model answered");
        assert!(moves.seen(Moves { joined: 2, judged: 1, work: 1 }), "a verdict");
        assert!(!moves.seen(Moves { joined: 2, judged: 1, work: 1 }));
        assert!(moves.seen(Moves { joined: 2, judged: 2, work: 1 }), "empty");
    }

    proptest! {
        /// An empty road always moves; one with parts on it exactly when somebody did something, or it was empty before.
        #[test]
        fn only_work_moves_a_road_with_parts(before in (0_u64..4, 0_u64..4, 0_u64..3), after in (0_u64..3, 0_u64..3, 0_u64..3)) {
            let first = Moves { joined: before.0.max(before.1), judged: before.1, work: before.2 };
            let judged = first.judged + after.1;
            let second = Moves { joined: (first.joined + after.0).max(judged), judged, work: first.work + after.2 };
            let mut moves = first;
            let idle = |moves: &Moves| moves.joined == moves.judged;
            prop_assert_eq!(moves.seen(second), idle(&first) || idle(&second) || after.1 > 0 || after.2 > 0);
            prop_assert_eq!(moves.seen(second), idle(&second));
        }
    }
}
