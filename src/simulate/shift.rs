//! One shift: one board, one scenario, one policy, one second after the other.
//!
//! Parts arrive by the line's rate with a jitter of 10 %; they are served one after the other. In a second at most as many are
//! served as fit into it; whoever would have to wait beyond its deadline is missed and costs no time. Parts of a second are
//! taken as a flow, so figures of parts may be fractions.

use fastrand::Rng;
use serde::Serialize;

use super::plant::Plant;
use super::policy::{Policy, Seen};
use super::scenario::{DEADLINE, Scenario};
use crate::board::readings::Readings;
use crate::govern::evidence::Load;
use crate::govern::ladder::{Ladder, Rung};

/// The jitter of each second's arrivals, as a share.
const JITTER: f64 = 0.1;

/// The weight of a second in the rate that the governor is told.
const SMOOTHING: f64 = 0.2;

/// What became of a shift.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Outcome {
    /// Parts that arrived.
    pub parts: f64,
    /// Parts that a model judged in time.
    pub judged: f64,
    /// Parts that missed their deadline.
    pub missed: f64,
    /// The share of all parts that is expected to be judged right; a missed or undecided part is wrong. 0 without parts.
    pub expected_accuracy: f64,
    /// Seconds in which the sensor told the trip or more: what the kernel acts on.
    pub seconds_above_trip: u32,
    /// Switches of the rung.
    pub switches: u32,
    /// Seconds for which the board was off.
    pub seconds_off: u32,
}

/// One second of a shift, for who draws it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// The chip in degrees Celsius.
    pub celsius: f64,
    /// The hall in degrees Celsius.
    pub hall: f64,
    /// The rung's place.
    pub rung: usize,
    /// Seconds that a part arriving now would take.
    pub latency: f64,
    /// Parts missed so far.
    pub missed: f64,
}

/// What a shift is played with.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'s> {
    /// The rungs.
    pub ladder: &'s Ladder,
    /// What happens around.
    pub scenario: &'s Scenario,
    /// How long.
    pub seconds: u32,
    /// Whether the board has a power monitor.
    pub monitor: bool,
    /// Where the arrivals and the sensors' noise begin: the same for every policy.
    pub seed: u64,
}

/// Plays a shift; `each` is told every second.
pub fn play(setting: Setting<'_>, plant: Plant, policy: &mut Policy<'_>, mut each: impl FnMut(Moment)) -> Outcome {
    let Setting { ladder, scenario, seconds, monitor, seed } = setting;
    let mut plant = plant;
    let (mut arrivals, mut noise) = (Rng::with_seed(seed), Rng::with_seed(!seed));
    let (mut readings, mut line, mut right) = (Readings::default(), Line::default(), 0.0);
    let (mut outcome, mut before) = (Outcome::default(), None);
    plant.tell(&mut readings, plant.watts(0.0, 0.0, 1.0), monitor, true, &mut noise);
    for second in 0..seconds {
        let share = f64::from(second) / f64::from(seconds);
        let parts = line.arrive(scenario.rate(share), &mut arrivals);
        let load = Load {
            arrivals_per_second: line.rate,
            queued: line.queued,
            deadline_seconds: DEADLINE,
            service_scale: 1.0 / plant.clock(),
            waits: false,
        };
        let place = policy.rung(Seen { readings: &readings, load, second, plant: &plant, share, arrivals: parts });
        let (rung, clock) = (ladder.rung(place), plant.clock());
        let served = if plant.on() { line.serve(rung, clock, parts) } else { line.fail(parts) };
        let watts = plant.watts(rung.power.watts, served.busy, clock);
        let around = scenario.around(share);
        plant.pass(watts, around);
        plant.tell(&mut readings, watts, monitor, around.fan, &mut noise);
        line.note(parts);

        outcome.parts += parts;
        outcome.missed += served.missed;
        if rung.judges() {
            outcome.judged += served.done;
            right += served.done * rung.accuracy.value;
        }
        outcome.switches += u32::from(before.is_some_and(|before| before != place));
        outcome.seconds_above_trip += u32::from(plant.told() >= plant.board().throttle.trip_celsius);
        outcome.seconds_off += u32::from(!plant.on());
        before = Some(place);
        let latency = (line.queued + 1.0) * rung.service.mean_seconds / clock;
        each(Moment { celsius: plant.heat().chip, hall: around.celsius, rung: place, latency, missed: outcome.missed });
    }
    outcome.expected_accuracy = if outcome.parts > 0.0 { right / outcome.parts } else { 0.0 };
    outcome
}

/// The parts that wait, and the rate they come at.
#[derive(Debug, Default)]
struct Line {
    queued: f64,
    /// What is left of a part of the second before.
    due: f64,
    /// Parts in a second, smoothed.
    rate: f64,
    /// Whether any second has been noted.
    noted: bool,
}

/// What became of a second's parts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Served {
    busy: f64,
    done: f64,
    missed: f64,
}

impl Line {
    /// The parts of this second, in whole numbers.
    fn arrive(&mut self, rate: f64, random: &mut Rng) -> f64 {
        self.due += rate * (1.0 + JITTER * (2.0 * random.f64() - 1.0));
        let parts = self.due.floor();
        self.due -= parts;
        parts
    }

    /// Serves for one second.
    fn serve(&mut self, rung: &Rung, clock: f64, parts: f64) -> Served {
        let waiting = self.queued + parts;
        let (mean, longest) = (rung.service.mean_seconds / clock, rung.service.p99_seconds / clock);
        if !rung.judges() {
            self.queued = 0.0;
            return Served { busy: 0.0, done: waiting, missed: 0.0 };
        }
        if longest > DEADLINE {
            return self.fail(parts);
        }
        let done = waiting.min(1.0 / mean);
        let missed = (waiting - done - (DEADLINE - longest) / mean).max(0.0);
        self.queued = waiting - done - missed;
        Served { busy: done * mean, done, missed }
    }

    /// Misses everything.
    fn fail(&mut self, parts: f64) -> Served {
        let missed = self.queued + parts;
        self.queued = 0.0;
        Served { busy: 0.0, done: 0.0, missed }
    }

    fn note(&mut self, parts: f64) {
        self.rate = if self.noted { self.rate + SMOOTHING * (parts - self.rate) } else { parts };
        self.noted = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::ladder::tests::ladder;

    #[test]
    fn parts_are_served_wait_or_are_missed_and_none_is_lost() {
        let (ladder, mut line) = (ladder(), Line::default());
        // 28 parts of 62.5 ms at full clock: 16 in a second, 12 wait; then 24, and 22 and 2: (2 - 0.075) / 0.0625 = 30.8 may wait.
        let served = [28.0, 28.0, 28.0].map(|parts| line.serve(ladder.rung(0), 1.0, parts));
        assert!(served.iter().all(|served| (served.done - 16.0).abs() < 1e-9 && (served.busy - 1.0).abs() < 1e-9));
        let missed = served.map(|served| served.missed);
        assert!(missed[0].abs() < 1e-9 && missed[1].abs() < 1e-9 && (missed[2] - 5.2).abs() < 1e-9, "{missed:?}");
        assert!((line.queued - 30.8).abs() < 1e-9);
        // A lighter rung works the queue off at once.
        let served = line.serve(ladder.rung(2), 1.0, 14.0);
        assert!((served.done - 44.8).abs() < 1e-9 && line.queued.abs() < 1e-9 && (served.busy - 0.112).abs() < 1e-9);
        // At a hundredth of the clock a part takes longer than its deadline.
        assert!((line.serve(ladder.rung(0), 0.01, 3.0).missed - 3.0).abs() < 1e-12);
    }

    #[test]
    fn arrivals_keep_the_rate_in_whole_parts() {
        let (mut line, mut random) = (Line::default(), Rng::with_seed(1));
        let parts: Vec<f64> = (0..10_000).map(|_| line.arrive(14.3, &mut random)).collect();
        assert!(parts.iter().all(|parts| parts.fract().abs() < 1e-12 && (12.0..=16.0).contains(parts)));
        let sum: f64 = parts.iter().sum();
        assert!((sum / 10_000.0 - 14.3).abs() < 0.05, "{sum}");
    }
}
