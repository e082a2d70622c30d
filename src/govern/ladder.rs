//! A ladder: what a role may run, from the heaviest rung to the lightest, and what each costs and is worth on this board.
//!
//! Promises that every step down is cheaper in time and in energy: a rung that keeps its pace and stays cool enough lets all
//! lighter ones do so too. The governor's properties rest on that order.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::models::price::Estimate;
use crate::name::Name;

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Nobody measured it on this board.
    Assumed,
    /// Measured on this board.
    Measured,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Assumed => "assumed",
            Self::Measured => "measured",
        })
    }
}

/// How long one part takes at full clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Service {
    /// Seconds, the mean.
    pub mean_seconds: f64,
    /// Seconds, the 99th percentile.
    pub p99_seconds: f64,
}

/// What the board draws for a rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// Watt above idle while it works at full clock.
    pub watts: f64,
    /// Whether anybody measured it.
    pub basis: Basis,
}

/// One rung.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// Its name: a model's, or that of several together.
    pub name: Name,
    /// How long a part takes; zero for the rung that judges nothing.
    pub service: Service,
    /// What it draws.
    pub power: Power,
    /// The expected share of right verdicts, 0 to 1, with its interval.
    pub accuracy: Estimate,
    /// Whether the site lets it judge.
    pub allowed: bool,
}

impl Rung {
    /// The rung that runs no model and leaves every part undecided: no cost, no part right.
    #[must_use]
    pub fn skip(name: Name, allowed: bool) -> Self {
        let (service, power) =
            (Service { mean_seconds: 0.0, p99_seconds: 0.0 }, Power { watts: 0.0, basis: Basis::Measured });
        Self { name, service, power, accuracy: Estimate { value: 0.0, low: 0.0, high: 0.0 }, allowed }
    }

    /// Whether it runs a model.
    #[must_use]
    pub fn judges(&self) -> bool {
        self.service.mean_seconds > 0.0
    }

    /// Joule above idle that a part costs at full clock.
    #[must_use]
    pub fn joules(&self) -> f64 {
        self.service.mean_seconds * self.power.watts
    }

    /// The share of time it works, 0 to 1, when parts arrive at this rate and the clock makes it take `scale` times as long.
    #[must_use]
    pub fn busy(&self, arrivals_per_second: f64, scale: f64) -> f64 {
        (arrivals_per_second * self.service.mean_seconds * scale).clamp(0.0, 1.0)
    }

    fn findings(&self) -> Vec<String> {
        let Self { name, service: Service { mean_seconds, p99_seconds }, power, accuracy, .. } = self;
        let mut found = Vec::new();
        let mut hold = |right: bool, wrong: String| {
            if !right {
                found.push(format!("rung {name}: {wrong}"));
            }
        };
        let at_least = |number: f64, least: f64| number.is_finite() && number >= least;
        hold(
            at_least(*mean_seconds, 0.0),
            format!("its mean service time is {mean_seconds} s, want a number from 0 on"),
        );
        hold(
            at_least(*p99_seconds, *mean_seconds),
            format!("its 99th percentile is {p99_seconds} s, want a number not below the mean, {mean_seconds} s"),
        );
        hold(at_least(power.watts, 0.0), format!("its power is {} W, want a number from 0 on", power.watts));
        let Estimate { value, low, high } = *accuracy;
        hold(
            0.0 <= low && low <= value && value <= high && high <= 1.0,
            format!("its accuracy is {value} in {low} to {high}, want 0 <= low <= value <= high <= 1"),
        );
        let idle = *p99_seconds <= 0.0 && power.watts <= 0.0 && high <= 0.0;
        hold(self.judges() || idle, "it takes no time, so want no power and no accuracy: it judges nothing".into());
        found
    }
}

/// What is wrong with a ladder, a sentence each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ladder cannot be used: {}", findings.join("; "))]
pub struct LadderError {
    /// The sentences, one at least.
    pub findings: Vec<String>,
}

/// Checked rungs, the heaviest first. One at least is allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Ladder {
    rungs: Vec<Rung>,
    /// The place of the lightest allowed rung.
    lightest: usize,
}

impl Ladder {
    /// Checks rungs and makes them a ladder.
    ///
    /// # Errors
    /// All findings: a figure that is no number or out of its range, a name that stands twice, a rung that costs more time or
    /// energy than the one before it, a rung that judges nothing and is not the last, no rung that is allowed.
    pub fn new(rungs: Vec<Rung>) -> Result<Self, LadderError> {
        let mut findings: Vec<String> = rungs.iter().flat_map(Rung::findings).collect();
        for (place, rung) in rungs.iter().enumerate() {
            if rungs.iter().take(place).any(|earlier| earlier.name == rung.name) {
                findings.push(format!("rung {} stands twice", rung.name));
            }
            if !rung.judges() && place + 1 < rungs.len() {
                findings.push(format!("rung {} judges nothing and is not the last", rung.name));
            }
        }
        findings.extend(rungs.iter().zip(rungs.iter().skip(1)).flat_map(|(heavy, light)| disorder(heavy, light)));
        let lightest = rungs.iter().rposition(|rung| rung.allowed);
        match lightest {
            Some(lightest) if findings.is_empty() => Ok(Self { rungs, lightest }),
            Some(_) => Err(LadderError { findings }),
            None => {
                findings.push("no rung is allowed, want one at least".into());
                Err(LadderError { findings })
            }
        }
    }

    /// The rungs, the heaviest first.
    #[must_use]
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// The rung at a place; that of the lightest allowed one for a place that there is not.
    #[must_use]
    pub fn rung(&self, place: usize) -> &Rung {
        match self.rungs.get(place) {
            Some(rung) => rung,
            None => &self.rungs[self.lightest],
        }
    }

    /// The place of the lightest allowed rung.
    #[must_use]
    pub fn lightest(&self) -> usize {
        self.lightest
    }

    /// The place of the lightest allowed rung that runs a model; that of the lightest where none does.
    #[must_use]
    pub fn lightest_judging(&self) -> usize {
        self.rungs.iter().rposition(|rung| rung.allowed && rung.judges()).unwrap_or(self.lightest)
    }

    /// The place of a rung.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.rungs.iter().position(|rung| rung.name == *name)
    }

    /// Places and rungs that are allowed, the heaviest first.
    #[must_use]
    pub fn allowed(&self) -> impl DoubleEndedIterator<Item = (usize, &Rung)> {
        self.rungs.iter().enumerate().filter(|(_, rung)| rung.allowed)
    }

    /// `place` where it is allowed, else the next lighter one that is, else the lightest allowed.
    #[must_use]
    pub fn legal(&self, place: usize) -> usize {
        self.allowed().map(|(legal, _)| legal).find(|legal| *legal >= place).unwrap_or(self.lightest)
    }
}

/// What a rung costs more than the one before it, a sentence each.
fn disorder(heavy: &Rung, light: &Rung) -> Vec<String> {
    let mut found = Vec::new();
    let mut hold = |what: &str, unit: &str, heavy_cost: f64, light_cost: f64| {
        if light_cost > heavy_cost {
            let (heavy, light) = (&heavy.name, &light.name);
            found.push(format!(
                "rung {light} stands below {heavy} and costs more {what} ({light_cost} {unit} against {heavy_cost} {unit}): \
                 order them from the heaviest to the lightest"
            ));
        }
    };
    hold("time", "s", heavy.service.mean_seconds, light.service.mean_seconds);
    hold("time at its 99th percentile", "s", heavy.service.p99_seconds, light.service.p99_seconds);
    hold("energy for a part", "J", heavy.joules(), light.joules());
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn rung(name: &str, milliseconds: f64, watts: f64, accuracy: f64) -> Rung {
        let mean_seconds = milliseconds / 1e3;
        Rung {
            name: Name::new(name).unwrap(),
            service: Service { mean_seconds, p99_seconds: mean_seconds * 1.2 },
            power: Power { watts, basis: Basis::Assumed },
            accuracy: Estimate { value: accuracy, low: accuracy - 0.02, high: accuracy + 0.02 },
            allowed: true,
        }
    }

    /// An ensemble, a teacher, a student and a small one.
    pub(crate) fn ladder() -> Ladder {
        let rungs = [
            ("ensemble", 62.5, 13.0, 0.894),
            ("teacher", 22.5, 13.0, 0.892),
            ("student", 2.5, 9.0, 0.87),
            ("small", 1.0, 8.0, 0.84),
        ];
        Ladder::new(rungs.map(|(name, milliseconds, watts, accuracy)| rung(name, milliseconds, watts, accuracy)).into())
            .unwrap()
    }

    fn findings(rungs: Vec<Rung>) -> Vec<String> {
        Ladder::new(rungs).unwrap_err().findings
    }

    #[test]
    fn a_forbidden_place_is_left_for_the_next_lighter_one() {
        let mut rungs = ladder().rungs().to_vec();
        rungs.push(Rung::skip(Name::new("skip").unwrap(), true));
        for place in [1, 3] {
            rungs[place].allowed = false;
        }
        let ladder = Ladder::new(rungs.clone()).unwrap();
        assert_eq!([0, 1, 2, 3, 4, 99].map(|place| ladder.legal(place)), [0, 2, 2, 4, 4, 4]);
        assert_eq!((ladder.lightest(), ladder.lightest_judging(), ladder.position("student")), (4, 2, Some(2)));
        for place in [2, 4] {
            rungs[place].allowed = false;
        }
        let ladder = Ladder::new(rungs).unwrap();
        assert_eq!(ladder.legal(3), 0, "the only allowed one, though it is heavier");
        assert!((ladder.rung(0).busy(8.0, 1.5) - 0.75).abs() < 1e-12 && ladder.rung(0).busy(99.0, 1.0) >= 1.0);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let mut mad = rung("mad", f64::NAN, 3.0, 1.5);
        mad.allowed = false;
        let mut light = rung("light", 5.0, 2.0, 0.8);
        light.allowed = false;
        let told = findings(vec![Rung::skip(Name::new("light").unwrap(), false), mad, light]);
        let told = told.join("\n");
        for wanted in [
            "rung mad: its mean service time is NaN s",
            "rung mad: its accuracy is 1.5 in 1.48 to 1.52",
            "rung light stands twice",
            "rung light judges nothing and is not the last",
            "no rung is allowed",
        ] {
            assert!(told.contains(wanted), "{wanted} in {told}");
        }
        assert_eq!(findings(Vec::new()), ["no rung is allowed, want one at least"]);
    }

    #[test]
    fn a_lighter_rung_costs_less_time_and_less_energy() {
        let told = findings(vec![rung("fast", 2.0, 3.0, 0.8), rung("slow", 5.0, 3.0, 0.9)]);
        assert_eq!(told.len(), 3, "time, its percentile and energy: {told:?}");
        assert!(told[0].starts_with("rung slow stands below fast and costs more time (0.005 s against 0.002 s)"));
        let told = findings(vec![rung("cool", 5.0, 1.0, 0.8), rung("hot", 4.0, 2.0, 0.9)]);
        assert!(
            told.len() == 1 && told[0].contains("costs more energy for a part (0.008 J against 0.005 J)"),
            "{told:?}"
        );
    }
}
