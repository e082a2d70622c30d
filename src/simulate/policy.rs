//! Who decides what runs: the governor itself, and what it is held against.

use std::time::Duration;

use serde::Serialize;

use super::oracle::Oracle;
use super::plant::Plant;
use super::scenario::{DEADLINE, Scenario};
use crate::board::readings::Readings;
use crate::govern::evidence::{Before, Evidence, Load};
use crate::govern::ladder::Ladder;
use crate::govern::step::{Settings, State, step};

/// From this temperature on the fixed switch runs light.
const LIGHT_FROM: f64 = 90.0;

/// Down to this temperature it stays light.
const LIGHT_TO: f64 = 80.0;

/// The policies by name, in the order they are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The governor of this program.
    Governor,
    /// The heaviest rung that keeps pace at full clock, and the board's own throttling.
    None,
    /// The same below 90 C and the lightest that judges from there on until 80 C.
    Threshold,
    /// Always the lightest that judges.
    Student,
    /// Knows the board and the future.
    Oracle,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Governor, Self::None, Self::Threshold, Self::Student, Self::Oracle];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Governor => "governor",
            Self::None => "none",
            Self::Threshold => "threshold",
            Self::Student => "student",
            Self::Oracle => "oracle",
        }
    }
}

/// What a policy sees in one second. Only the oracle looks at `plant`, `share` and `arrivals`.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'s> {
    /// What the board told at the end of the second before.
    pub readings: &'s Readings,
    /// What the line asks for, as far as it is known.
    pub load: Load,
    /// The second of the shift.
    pub second: u32,
    /// The board itself.
    pub plant: &'s Plant,
    /// The share of the shift that has passed, 0 to 1.
    pub share: f64,
    /// Parts that will arrive in this second.
    pub arrivals: f64,
}

/// A policy and what it remembers.
#[derive(Debug)]
pub enum Policy<'l> {
    /// The governor.
    Governor(Box<Governor<'l>>),
    /// One rung.
    Fixed(usize),
    /// Two rungs and whether the light one runs.
    Threshold {
        /// The heavy rung.
        heavy: usize,
        /// The light rung.
        light: usize,
        /// Whether it runs.
        cooling: bool,
    },
    /// The oracle.
    Oracle(Box<Oracle<'l>>),
}

/// The real governor, driven as the daemon drives it.
#[derive(Debug)]
pub struct Governor<'l> {
    settings: Settings,
    ladder: &'l Ladder,
    state: Option<State>,
    before: Before,
}

impl<'l> Policy<'l> {
    /// A policy for one shift on one board.
    #[must_use]
    pub fn new(
        kind: Kind,
        ladder: &'l Ladder,
        settings: &Settings,
        plant: &Plant,
        scenario: &'l Scenario,
        seconds: u32,
    ) -> Self {
        let heavy = heaviest(ladder, scenario.rate(1.0));
        let light = ladder.lightest_judging();
        match kind {
            Kind::Governor => {
                let state = Some(State::new(settings, ladder));
                Self::Governor(Box::new(Governor {
                    settings: settings.clone(),
                    ladder,
                    state,
                    before: Before::default(),
                }))
            }
            Kind::None => Self::Fixed(heavy),
            Kind::Student => Self::Fixed(light),
            Kind::Threshold => Self::Threshold { heavy, light, cooling: false },
            Kind::Oracle => Self::Oracle(Box::new(Oracle::new(ladder, plant, scenario, seconds, false))),
        }
    }

    /// What runs in this second.
    pub fn rung(&mut self, seen: Seen<'_>) -> usize {
        match self {
            Self::Governor(governor) => governor.rung(seen),
            Self::Fixed(rung) => *rung,
            Self::Threshold { heavy, light, cooling } => {
                let hottest = seen.readings.zones.iter().filter_map(|zone| zone.celsius).fold(f64::MIN, f64::max);
                *cooling = hottest >= LIGHT_FROM || (*cooling && hottest > LIGHT_TO);
                if *cooling { *light } else { *heavy }
            }
            Self::Oracle(oracle) => oracle.rung(seen),
        }
    }
}

impl Governor<'_> {
    fn rung(&mut self, seen: Seen<'_>) -> usize {
        let (evidence, before) = Evidence::of(seen.readings, seen.load, std::mem::take(&mut self.before), 1.0);
        self.before = before;
        let state = self.state.take().unwrap_or_else(|| State::new(&self.settings, self.ladder));
        let (state, orders) =
            step(&self.settings, self.ladder, state, &evidence, Duration::from_secs(seen.second.into()));
        self.state = Some(state);
        orders.rung
    }
}

/// The heaviest allowed rung that keeps pace at full clock; the lightest that judges where none does.
fn heaviest(ladder: &Ladder, rate: f64) -> usize {
    let mut allowed = ladder.allowed();
    let keeps = allowed.find(|(_, rung)| {
        rung.judges() && rate * rung.service.mean_seconds <= 0.97 && rung.service.p99_seconds < DEADLINE
    });
    keeps.map_or(ladder.lightest_judging(), |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::ladder::tests::ladder;

    #[test]
    fn the_heaviest_rung_is_one_that_keeps_pace() {
        assert_eq!([0.0, 14.0, 28.0, 100.0, 5000.0].map(|rate| heaviest(&ladder(), rate)), [0, 0, 1, 2, 3]);
    }
}
