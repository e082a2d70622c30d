//! How exactly pulses are given: the real thread of an output on a fake line, eight parts on their way at any time, on this
//! machine as busy as it is. `cargo bench --bench outputs` prints the milliseconds by which edges came late.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a bench that cannot go on fails")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kenpin::clock::Monotonic;
use kenpin::config::{Answer, Pulse, Work};
use kenpin::flow::PartId;
use kenpin::flow::verdict::Decision;
use kenpin::learn::metrics::percentile;
use kenpin::name::Name;
use kenpin::outputs::{Line, Outputs};

const PARTS: u32 = 600;
const APART: Duration = Duration::from_millis(25);
const PULSE: Duration = Duration::from_millis(10);
/// Eight parts between camera and ejector.
const DELAY: Duration = Duration::from_millis(200);

/// A line that writes down when it was switched.
struct Fake(Arc<Mutex<Vec<(Monotonic, bool)>>>);

impl Line for Fake {
    fn set(&mut self, on: bool) -> BoxFuture<'_, Result<(), String>> {
        self.0.lock().unwrap().push((Monotonic::now(), on));
        std::future::ready(Ok(())).boxed()
    }
}

fn main() {
    // `cargo test` runs benches too, to see whether they build.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let switched = Arc::new(Mutex::new(Vec::new()));
    let mut outputs = Outputs::default();
    let rule = Pulse { on: [Answer::Reject].into(), delay: DELAY, pulse: PULSE, gap: None, parts: 16 };
    outputs.start(&Name::new("ejector").unwrap(), Work::Pulse(rule), Box::new(Fake(Arc::clone(&switched)))).unwrap();
    let mut captured = Vec::new();
    for part in 0..PARTS {
        let (part, now) = (PartId::new(&part.to_string()).unwrap(), Monotonic::now());
        outputs.expect(&part, now, None);
        outputs.verdict(&part, Decision::Reject);
        captured.push(now);
        std::thread::sleep(APART);
    }
    outputs.close();

    let switched = switched.lock().unwrap();
    let late = |on: bool, offset: Duration| {
        let edges = switched.iter().skip(1).filter(|(_, switched)| *switched == on).map(|(at, _)| *at);
        let mut late: Vec<f64> =
            edges.zip(&captured).map(|(at, captured)| at.since(*captured + offset).as_secs_f64() * 1e3).collect();
        late.sort_by(f64::total_cmp);
        late
    };
    for (what, late) in [("on", late(true, DELAY)), ("off", late(false, DELAY + PULSE))] {
        let at = |share| percentile(&late, share).unwrap();
        println!(
            "{what}: {} of {PARTS} edges, late by p50 {:.2} ms, p99 {:.2} ms, worst {:.2} ms",
            late.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}
