//! The outbox against a link that behaves like a broker: it delays, refuses, loses and dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use proptest::prelude::*;

use super::*;

/// What the broker does with one publication it is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    /// Takes it and answers at once with this code.
    Answer(u8),
    /// Takes it and answers with this code only after everything that is ready, newest first.
    AnswerLate(u8),
    /// The connection dies before the publication arrives.
    DieBefore,
    /// The publication arrives, and the connection dies before the answer.
    DieAfter,
}

/// A broker that outlives its connections and remembers everything.
#[derive(Default)]
struct Broker {
    script: VecDeque<Act>,
    received: Vec<u64>,
    accepted: BTreeSet<u64>,
    refusals: BTreeMap<u64, u32>,
    most_in_flight: usize,
}

/// One connection to it.
struct FakeLink {
    broker: Arc<Mutex<Broker>>,
    window: usize,
    next_packet: u16,
    ready: VecDeque<Acknowledgement>,
    late: Vec<Acknowledgement>,
    dead: bool,
}

impl FakeLink {
    fn new(broker: &Arc<Mutex<Broker>>, window: usize) -> Self {
        let (ready, late) = (VecDeque::new(), Vec::new());
        Self { broker: Arc::clone(broker), window, next_packet: 0, ready, late, dead: false }
    }
}

impl Link for FakeLink {
    fn window(&self) -> usize {
        self.window
    }

    async fn send(&mut self, publication: Publication) -> Result<Handed, String> {
        let mut broker = self.broker.lock().unwrap();
        let act = broker.script.pop_front().unwrap_or(Act::Answer(0));
        if self.dead || act == Act::DieBefore {
            self.dead = true;
            return Err("the cable was cut".into());
        }
        let seq: u64 = String::from_utf8(publication.body).unwrap().parse().unwrap();
        broker.received.push(seq);
        self.next_packet += 1;
        let packet = self.next_packet;
        match act {
            Act::Answer(code) | Act::AnswerLate(code) => {
                if code < REFUSED_FROM {
                    broker.accepted.insert(seq);
                }
                let answer = Acknowledgement { packet, code };
                if matches!(act, Act::Answer(_)) { self.ready.push_back(answer) } else { self.late.push(answer) }
            }
            Act::DieBefore | Act::DieAfter => self.dead = true,
        }
        broker.most_in_flight = broker.most_in_flight.max(self.ready.len() + self.late.len());
        Ok(Handed::InFlight(packet))
    }

    async fn acknowledged(&mut self) -> Result<Acknowledgement, String> {
        if let Some(answer) = self.ready.pop_front().or_else(|| self.late.pop()) {
            return Ok(answer);
        }
        if self.dead {
            return Err("the cable was cut".into());
        }
        std::future::pending().await
    }
}

/// A journal in memory that writes one more verdict with each acknowledgement, until it has written all.
struct FakeFeed {
    broker: Arc<Mutex<Broker>>,
    waiting: Mutex<BTreeSet<u64>>,
    committed: watch::Sender<u64>,
    total: u64,
    all_sent: CancellationToken,
}

impl FakeFeed {
    fn new(broker: &Arc<Mutex<Broker>>, at_start: u64, total: u64) -> Self {
        let waiting = Mutex::new((1..=at_start).collect());
        let (committed, all_sent) = (watch::channel(at_start).0, CancellationToken::new());
        Self { broker: Arc::clone(broker), waiting, committed, total, all_sent }
    }
}

impl Feed for FakeFeed {
    fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    fn waiting(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, String>> {
        let waiting = self.waiting.lock().unwrap();
        let rows = waiting.range(after + 1..).take(limit).map(|seq| (*seq, seq.to_string().into_bytes())).collect();
        async move { Ok(rows) }.boxed()
    }

    fn acknowledge(&self, seqs: Vec<u64>) -> BoxFuture<'_, Result<(), String>> {
        let mut waiting = self.waiting.lock().unwrap();
        for seq in seqs {
            assert!(
                self.broker.lock().unwrap().accepted.contains(&seq),
                "{seq} counts as sent, but was never accepted"
            );
            assert!(waiting.remove(&seq), "{seq} was acknowledged twice");
            let next = *self.committed.borrow() + 1;
            if next <= self.total {
                waiting.insert(next);
                self.committed.send_replace(next);
            }
        }
        if waiting.is_empty() {
            self.all_sent.cancel();
        }
        async { Ok(()) }.boxed()
    }

    fn refused(&self, seq: u64, code: u8) -> BoxFuture<'_, Result<(), String>> {
        assert!(code >= REFUSED_FROM && self.waiting.lock().unwrap().contains(&seq));
        *self.broker.lock().unwrap().refusals.entry(seq).or_default() += 1;
        async { Ok(()) }.boxed()
    }

    fn backlog(&self) -> (u64, u64) {
        (self.waiting.lock().unwrap().len() as u64, 0)
    }
}

const AT_ONCE: Retry = Retry { first: Duration::from_millis(1), cap: Duration::from_millis(1) };

/// Sends everything over as many connections as it takes.
fn deliver(script: Vec<Act>, at_start: u64, total: u64, window: usize) -> (Broker, FakeFeed, Telemetry) {
    let broker = Arc::new(Mutex::new(Broker { script: script.into(), ..Broker::default() }));
    let feed = FakeFeed::new(&broker, at_start, total);
    let telemetry = Telemetry::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (_notes_in, mut notes) = mpsc::channel(1);
        loop {
            let mut link = FakeLink::new(&broker, window);
            let mut outbox = Outbox::new(&feed, "kenpin/v1/d/verdict".into(), &telemetry, AT_ONCE);
            match outbox.run(&mut link, &mut notes, &feed.all_sent).await {
                Ended::Lost(_) => {}
                ended => return assert_eq!(ended, Ended::Drained),
            }
        }
    });
    let broker = std::mem::take(&mut *broker.lock().unwrap());
    (broker, feed, telemetry)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Answer(0)),
        2 => Just(Act::Answer(0x10)),
        2 => Just(Act::AnswerLate(0)),
        1 => Just(Act::Answer(0x87)),
        1 => Just(Act::AnswerLate(0x97)),
        1 => Just(Act::DieBefore),
        1 => Just(Act::DieAfter),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_the_broker_does_nothing_is_lost_and_first_deliveries_are_in_order(
        script in proptest::collection::vec(act(), 0..120),
        at_start in 1_u64..50,
        more in 0_u64..50,
        window in 1_usize..40,
    ) {
        let total = at_start + more;
        let (broker, feed, telemetry) = deliver(script, at_start, total, window);
        prop_assert_eq!(feed.backlog().0, 0);
        prop_assert_eq!(&broker.accepted, &(1..=total).collect::<BTreeSet<_>>());
        prop_assert_eq!(telemetry.count(Event::VerdictPublished), total);
        let told: u32 = broker.refusals.values().sum();
        prop_assert_eq!(telemetry.count(Event::VerdictRefused), u64::from(told));
        let mut seen = BTreeSet::new();
        let first: Vec<u64> = broker.received.iter().copied().filter(|seq| seen.insert(*seq)).collect();
        prop_assert!(first.is_sorted(), "first deliveries: {first:?}");
        prop_assert!(broker.most_in_flight <= window.min(bound::PUBLICATIONS));
    }

    #[test]
    fn pauses_grow_up_to_the_cap_and_never_below_half(failures in 0_u32..200, draw in 0.0..=1.0_f64) {
        let retry = Retry { first: Duration::from_millis(100), cap: Duration::from_secs(8) };
        let pause = retry.after(failures, draw);
        prop_assert!(pause >= Duration::from_millis(50) && pause <= retry.cap);
        prop_assert!(retry.after(failures + 1, draw) >= pause);
        prop_assert!(failures < 8 || retry.after(failures, 1.0) == retry.cap);
    }
}

#[test]
fn a_broker_that_refuses_everything_is_sent_no_more_than_a_window() {
    let broker = Arc::new(Mutex::new(Broker { script: vec![Act::Answer(0x87); 500].into(), ..Broker::default() }));
    let feed = FakeFeed::new(&broker, 300, 300);
    let (telemetry, stop) = (Telemetry::default(), CancellationToken::new());
    let slowly = Retry { first: Duration::from_hours(1), cap: Duration::from_hours(1) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let ended = runtime.block_on(async {
        let (_notes_in, mut notes) = mpsc::channel(1);
        let mut link = FakeLink::new(&broker, 1_000);
        let mut outbox = Outbox::new(&feed, "t".into(), &telemetry, slowly);
        stop.cancel();
        outbox.run(&mut link, &mut notes, &stop).await
    });
    assert_eq!(ended, Ended::Drained, "what the broker refuses does not hold up the end");
    assert_eq!(broker.lock().unwrap().received, (1..=32).collect::<Vec<_>>());
    assert_eq!(telemetry.count(Event::VerdictRefused), 32);
    assert_eq!(feed.backlog().0, 300, "nothing that was refused counts as sent");
}
