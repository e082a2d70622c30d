//! The edges of a GPIO line as readings: each that is no bounce triggers.
//!
//! An edge counts at once; what follows within `debounce` of any edge, bounce or not, is a bounce. So a contact that chatters
//! triggers once, and one that chatters for ever triggers no more. Edges that the kernel had no room for are known by the gap
//! in its count, and told. A reading has the kernel's time of its edge, no values and no part.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Ear;
use crate::clock::Monotonic;
use crate::config::{self, GpioEdges};
use crate::flow::Reading;
use crate::gpio::{Edge, Edges};
use crate::name::Name;
use crate::telemetry::Event;

/// How long one wait for an edge lasts before the stop token is looked at.
const PATIENCE: Duration = Duration::from_millis(200);

/// Takes the line.
pub(super) fn open(edges: &GpioEdges, name: &Name) -> Result<Edges, String> {
    let rising = edges.edge == config::Edge::Rising;
    Edges::open(&edges.chip, edges.line, rising, &format!("kenpin-{name}"))
}

/// Hears edges until stopped, or until the chip has gone; on a thread that may block.
pub(super) fn follow(lines: &Edges, settings: &GpioEdges, ear: &Ear) {
    let mut filter = Filter::new(settings.debounce);
    while !ear.stop.is_cancelled() {
        match lines.next(PATIENCE) {
            Ok(None) => {}
            Ok(Some(edge)) => {
                if !hear(ear, &mut filter, edge) {
                    return;
                }
            }
            Err(why) => {
                tracing::error!("sensor {}: {why}; no further edge is heard", ear.name);
                return;
            }
        }
    }
}

/// Takes one edge; whether anybody wants another.
fn hear(ear: &Ear, filter: &mut Filter, edge: Edge) -> bool {
    let (name, heard) = (&ear.name, filter.hear(edge));
    // One by one, for each was a trigger.
    for _ in 0..heard.lost.min(MOST_TOLD) {
        ear.telemetry.tell(Event::TriggerMissed, format_args!("sensor {name}: {} edges were lost", heard.lost));
    }
    if heard.is_bounce {
        ear.telemetry.tell(Event::TriggerBounced, format_args!("sensor {name}: edge {}", edge.number));
        return true;
    }
    let captured = edge.at - ear.settings.delay;
    ear.telemetry.tell(Event::ReadingTaken, format_args!("sensor {name}: edge {}", edge.number));
    let reading = Reading { sensor: name.clone(), captured, part: None, values: BTreeMap::new(), asker: None };
    ear.out.blocking_send(reading).is_ok()
}

/// The most lost edges that are told of at once.
const MOST_TOLD: u32 = 1024;

/// What became of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heard {
    is_bounce: bool,
    /// Edges before it that were lost.
    lost: u32,
}

/// Tells bounces, and knows what was lost.
#[derive(Debug)]
struct Filter {
    debounce: Duration,
    last: Option<Edge>,
}

impl Filter {
    const fn new(debounce: Duration) -> Self {
        Self { debounce, last: None }
    }

    fn hear(&mut self, edge: Edge) -> Heard {
        let soon = |before: Monotonic| edge.at.since(before) < self.debounce;
        let is_bounce = self.last.is_some_and(|last| soon(last.at));
        let lost = self.last.map_or(0, |last| edge.number.wrapping_sub(last.number).saturating_sub(1));
        self.last = Some(edge);
        Heard { is_bounce, lost }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::{LineFormat, Sensor, SensorSource};
    use crate::flow::fakes::{at, name};
    use crate::telemetry::Telemetry;

    fn edge(milliseconds: u64, number: u32) -> Edge {
        Edge { at: at(milliseconds), number }
    }

    #[test]
    fn a_contact_that_chatters_triggers_once() {
        let mut filter = Filter::new(Duration::from_millis(5));
        let edges = [edge(0, 1), edge(1, 2), edge(5, 3), edge(9, 4), edge(14, 5), edge(100, 6)];
        let bounces = edges.map(|edge| filter.hear(edge).is_bounce);
        assert_eq!(bounces, [false, true, true, true, false, false], "each edge begins the time anew");
        let mut filter = Filter::new(Duration::ZERO);
        assert!(!filter.hear(edge(0, 1)).is_bounce && !filter.hear(edge(0, 2)).is_bounce, "switched off");
    }

    #[test]
    fn a_gap_in_the_kernels_count_is_as_many_lost_edges() {
        let mut filter = Filter::new(Duration::ZERO);
        let lost = [1, 2, 5, 6].map(|number| filter.hear(edge(u64::from(number), number)).lost);
        assert_eq!(lost, [0, 0, 2, 0]);
        let mut filter = Filter::new(Duration::ZERO);
        let lost = [u32::MAX, 1].map(|number| filter.hear(edge(0, number)).lost);
        assert_eq!(lost, [0, 1], "the count goes round");
    }

    #[test]
    fn edges_become_readings_and_everything_else_is_counted() {
        let edges = GpioEdges {
            chip: "/dev/gpiochip0".into(),
            line: 3,
            edge: config::Edge::Rising,
            debounce: Duration::from_millis(5),
        };
        let settings = Sensor {
            source: SensorSource::Gpio(edges),
            format: LineFormat::KeyValue,
            max_line_bytes: 4096,
            part_key: None,
            time_key: None,
            delay: Duration::from_millis(2),
            expected: true,
            acknowledge: false,
        };
        let (out, mut readings) = mpsc::channel(4);
        let (telemetry, stop) = (Telemetry::default(), CancellationToken::new());
        let ear = Ear {
            name: name("eye"),
            settings: Arc::new(settings),
            telemetry: telemetry.clone(),
            out,
            stop,
            asker: None,
        };
        let mut filter = Filter::new(Duration::from_millis(5));
        for edge in [edge(10, 1), edge(12, 2), edge(50, 6)] {
            assert!(hear(&ear, &mut filter, edge));
        }
        let times: Vec<Monotonic> =
            std::iter::from_fn(|| readings.try_recv().ok()).map(|reading| reading.captured).collect();
        assert_eq!(times, [at(8), at(48)], "the sensor's delay is taken off");
        let count = |event| telemetry.count(event);
        assert_eq!([count(Event::ReadingTaken), count(Event::TriggerBounced), count(Event::TriggerMissed)], [2, 1, 3]);
        drop(readings);
        assert!(!hear(&ear, &mut filter, edge(99, 7)), "nobody wants another");
    }
}
