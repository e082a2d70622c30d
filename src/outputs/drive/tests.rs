//! One output at work on a fake line, with the clock in the test's hand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;

use super::*;
use crate::config::{Answer, Pulse};
use crate::flow::fakes::{id, name};
use crate::flow::verdict::Decision;
use crate::flow::{Asker, PartId, Receipt};

const MS: Duration = Duration::from_millis(1);

/// A line that remembers when it was switched, in milliseconds from the start of the test, and fails when it is told to.
#[derive(Clone)]
struct Fake {
    start: tokio::time::Instant,
    switched: Arc<Mutex<Vec<(u128, bool)>>>,
    broken: Arc<Mutex<bool>>,
}

impl Line for Fake {
    fn set(&mut self, on: bool) -> BoxFuture<'_, Result<(), String>> {
        if *self.broken.lock().unwrap() {
            return std::future::ready(Err("no such device".to_owned())).boxed();
        }
        self.switched.lock().unwrap().push((self.start.elapsed().as_millis(), on));
        std::future::ready(Ok(())).boxed()
    }
}

/// An output at work, and everything around it.
struct Bench {
    fake: Fake,
    words: mpsc::Sender<Word>,
    telemetry: Telemetry,
    troubles: Troubles,
    clock: Timers,
    task: JoinHandle<()>,
}

impl Bench {
    fn new(work: config::Work) -> Self {
        let (telemetry, troubles) = (Telemetry::default(), Troubles::default());
        let fake = Fake { start: tokio::time::Instant::now(), switched: Arc::default(), broken: Arc::default() };
        let driver = Driver::new(
            name("ejector"),
            work,
            Box::new(fake.clone()),
            telemetry.clone(),
            Arc::clone(&troubles),
            Duration::ZERO,
        );
        let (words, heard) = mpsc::channel(64);
        let (clock, task) = (driver.clock, tokio::spawn(driver.run(heard)));
        Self { fake, words, telemetry, troubles, clock, task }
    }

    async fn say(&self, word: Word) {
        self.words.send(word).await.unwrap();
    }

    /// A part is captured now.
    async fn capture(&self, part: &str) -> PartId {
        self.say(Word::Expect(id(part), self.clock.now(), None)).await;
        id(part)
    }

    fn switched(&self) -> Vec<(u128, bool)> {
        self.fake.switched.lock().unwrap().clone()
    }

    fn counts<const N: usize>(&self, events: [Event; N]) -> [u64; N] {
        events.map(|event| self.telemetry.count(event))
    }

    /// Nobody speaks any more; how the line was switched in the end.
    async fn end(self) -> Vec<(u128, bool)> {
        drop(self.words);
        self.task.await.unwrap();
        self.fake.switched.lock().unwrap().clone()
    }
}

/// Looks after so many parts, those whose pulse has begun among them.
fn ejector(parts: usize) -> config::Work {
    let on = [Answer::Reject, Answer::Undecided, Answer::None].into();
    config::Work::Pulse(Pulse { on, delay: MS * 400, pulse: MS * 20, gap: None, parts })
}

#[tokio::test(start_paused = true)]
async fn eight_parts_on_the_way_are_each_met_at_their_moment() {
    let bench = Bench::new(ejector(9));
    let mut wanted = vec![(0, false)];
    for part in 0..24_u32 {
        let captured = u128::from(part) * 50;
        let part_id = bench.capture(&part.to_string()).await;
        // The verdict comes when seven more have been captured, ten milliseconds before the part's moment.
        let (words, bad) = (bench.words.clone(), part % 3 == 0);
        let decision = if bad { Decision::Reject } else { Decision::Pass };
        tokio::spawn(async move {
            tokio::time::sleep(MS * 390).await;
            words.send(Word::Verdict(part_id, decision)).await.unwrap();
        });
        if bad {
            wanted.extend([(captured + 400, true), (captured + 420, false)]);
        }
        tokio::time::sleep(MS * 50).await;
    }
    tokio::time::sleep(MS * 500).await;
    assert_eq!(bench.counts([Event::OutputPulsed, Event::OutputOverrun, Event::OutputLate]), [8, 0, 0]);
    assert_eq!(bench.end().await, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_late_verdict_and_too_many_parts_are_counted() {
    let bench = Bench::new(ejector(8));
    let late = bench.capture("late").await;
    tokio::time::sleep(MS * 450).await;
    assert_eq!(bench.switched(), [(0, false), (400, true), (420, false)], "without a verdict it is ejected");
    bench.say(Word::Verdict(late, Decision::Pass)).await;
    for part in 0..9 {
        bench.capture(&format!("p{part}")).await;
    }
    tokio::time::sleep(MS).await;
    let events = [Event::OutputUnanswered, Event::OutputLate, Event::OutputOverrun, Event::OutputMissed];
    assert_eq!(bench.counts(events), [1, 1, 1, 0]);
    let switched = bench.end().await;
    assert_eq!(switched[3..], [(850, true), (870, false)], "who is on the way is seen to the end");
}

#[tokio::test(start_paused = true)]
async fn whoever_sent_the_trigger_is_told_of_a_verdict_that_was_not_there_in_time_and_of_no_other() {
    let bench = Bench::new(ejector(2));
    let (asker, mut words) = Asker::new(tokio_util::sync::CancellationToken::new());
    for part in ["good", "late", "too many"] {
        let receipt = Receipt::new(id(part), Some(asker.clone()), bench.telemetry.clone());
        receipt.accept(format_args!(""));
        bench.say(Word::Expect(id(part), bench.clock.now(), Some(receipt))).await;
    }
    drop(asker);
    bench.say(Word::Verdict(id("good"), Decision::Pass)).await;
    tokio::time::sleep(MS * 401).await;
    bench.say(Word::Verdict(id("late"), Decision::Pass)).await;
    tokio::time::sleep(MS).await;
    let mut told = Vec::new();
    while let Some(word) = words.recv().await {
        told.push(word);
    }
    let wanted = ["accepted good", "accepted late", "accepted too many"];
    assert_eq!(told[..3], wanted);
    assert_eq!(told[3..], ["missed late: no verdict in time for output ejector"], "and nobody owes a word any more");
    let events = [Event::TriggerMissed, Event::OutputUnanswered, Event::OutputLate, Event::OutputOverrun];
    assert_eq!(bench.counts(events), [1, 1, 1, 1]);
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_line_that_cannot_be_driven_is_told_and_tried_again() {
    let bench = Bench::new(ejector(8));
    bench.capture("a").await;
    tokio::time::sleep(MS * 405).await;
    *bench.fake.broken.lock().unwrap() = true;
    tokio::time::sleep(MS * 500).await;
    assert_eq!(bench.switched(), [(0, false), (400, true)], "it is stuck on");
    assert_eq!(bench.counts([Event::OutputFailed]), [1], "told once");
    assert_eq!(bench.troubles.lock().unwrap()["ejector"], "no such device");
    *bench.fake.broken.lock().unwrap() = false;
    tokio::time::sleep(MS * 100).await;
    let switched = bench.switched();
    assert!(switched.len() == 3 && !switched[2].1, "it is switched off as soon as it can be: {switched:?}");
    assert!(bench.troubles.lock().unwrap().is_empty());
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_line_that_stays_broken_does_not_hold_the_end() {
    let bench = Bench::new(ejector(8));
    *bench.fake.broken.lock().unwrap() = true;
    bench.capture("a").await;
    tokio::time::sleep(MS * 10).await;
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_heartbeat_toggles_with_the_road_and_is_off_in_the_end() {
    let bench = Bench::new(config::Work::Heartbeat { half: MS * 250, stall: MS * 2000 });
    for _ in 0..4 {
        tokio::time::sleep(MS * 500).await;
        bench.say(Word::Alive).await;
    }
    let beats: Vec<_> = bench.switched().into_iter().take(5).collect();
    assert_eq!(beats, [(0, false), (250, true), (500, false), (750, true), (1000, false)], "2 Hz");
    assert_eq!(bench.counts([Event::HeartbeatStopped]), [0]);
    tokio::time::sleep(MS * 6000).await;
    let stood = bench.switched();
    assert!(stood.last().unwrap().0 <= 4250, "nobody speaks any more: {stood:?}");
    assert_eq!(bench.counts([Event::HeartbeatStopped]), [1]);
    bench.say(Word::Alive).await;
    tokio::time::sleep(MS * 1000).await;
    assert!(bench.switched().len() > stood.len(), "it goes on");
    bench.say(Word::GoesBy(id("refused"), bench.clock.now())).await;
    for _ in 0..6 {
        tokio::time::sleep(MS * 500).await;
        bench.say(Word::Alive).await;
    }
    assert_eq!(bench.counts([Event::HeartbeatStopped]), [1], "no verdict is owed to a part that was turned away");
    assert!(!bench.end().await.last().unwrap().1);
}
