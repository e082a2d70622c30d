//! The line's pace as the governor sees it: how fast parts arrive, how many wait, how long the models take for one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::config::Camera;
use crate::flow::{Answer, Walked};
use crate::govern::evidence::Load;
use crate::govern::ladder::Rung;
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};

/// Seconds over which rates are smoothed.
const SMOOTHED: f64 = 10.0;

/// What is counted of the line.
#[derive(Debug)]
pub(super) struct LinePace {
    telemetry: Telemetry,
    /// Cameras that drop frames; each drops its own of one part.
    dropping: u64,
    /// Whether every camera waits until its frame is taken: the line then goes as fast as the models do.
    patient: bool,
    seen: Mutex<Seen>,
}

/// What was seen since, and of, the last look.
#[derive(Debug, Default)]
struct Seen {
    /// How long after the capture a verdict is due.
    deadline: Duration,
    /// Parts that were judged on `rung`, and the seconds their models took.
    rung: usize,
    parts: f64,
    seconds: f64,
    /// The count of arrivals at the last look.
    arrived: u64,
    arrivals_per_second: f64,
    /// Seconds for a part over those of the price, smoothed; `None` until a part was judged on this rung.
    scale: Option<f64>,
}

impl LinePace {
    /// The pace of a line with these cameras, whose verdicts are due `deadline` after the capture.
    pub(super) fn new(cameras: &BTreeMap<Name, Camera>, deadline: Duration, telemetry: &Telemetry) -> Self {
        let dropping = cameras.values().filter(|camera| camera.supersedes()).count();
        Self {
            telemetry: telemetry.clone(),
            dropping: (dropping as u64).max(1),
            patient: cameras.values().all(Camera::waits),
            seen: Mutex::new(Seen { deadline, ..Seen::default() }),
        }
    }

    /// Verdicts are due `deadline` after the capture from now on.
    pub(super) fn set_deadline(&self, deadline: Duration) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).deadline = deadline;
    }

    /// Notes what the models of a part took, without waiting.
    pub(super) fn note(&self, walked: &Walked) {
        let times = |answer: &Answer| answer.times.prepare + answer.times.run + answer.times.decode;
        let milliseconds: f64 = walked.answers.iter().map(|given| times(&given.answer)).sum();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.rung == walked.part.rung {
            seen.parts += 1.0;
            seen.seconds += milliseconds / 1e3;
        }
    }

    /// What the line asked for in the `seconds` since the last look, during which parts were judged on `rung` at `place`.
    #[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
    pub(super) fn load(&self, rung: &Rung, place: usize, seconds: f64) -> Load {
        let count = |event| self.telemetry.count(event);
        let joined = count(Event::PartJoined);
        // What the road had no room for came as well.
        let arrived = joined + count(Event::FrameSuperseded) / self.dropping + count(Event::TriggerOverrun);
        let part = 1.0 - (-seconds / SMOOTHED).exp();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seconds > 0.0 {
            let rate = arrived.saturating_sub(seen.arrived) as f64 / seconds;
            seen.arrivals_per_second += (rate - seen.arrivals_per_second) * part;
        }
        seen.arrived = arrived;
        if seen.rung != place {
            (seen.rung, seen.scale) = (place, None);
        } else if seen.parts > 0.0 && rung.judges() {
            let scale = seen.seconds / seen.parts / rung.service.mean_seconds;
            seen.scale = Some(seen.scale.map_or(scale, |before| before + (scale - before) * part));
        }
        (seen.parts, seen.seconds) = (0.0, 0.0);
        Load {
            arrivals_per_second: seen.arrivals_per_second,
            queued: joined.saturating_sub(count(Event::PartJudged)).saturating_sub(1) as f64,
            deadline_seconds: seen.deadline.as_secs_f64(),
            service_scale: seen.scale.unwrap_or(1.0),
            waits: self.patient,
        }
    }
}
