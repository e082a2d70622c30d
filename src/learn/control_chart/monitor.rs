//! The control chart of a running line: one part at a time, subgroup after subgroup, against limits that were made once. Pure,
//! and small enough to be kept after each subgroup.
//!
//! Phase I and II as in D. Montgomery, "Introduction to Statistical Quality Control", sections 5.3.2 and 7.2: the first
//! subgroups give the mean, those that follow are held against it and change it no more. An alarm stands until somebody
//! acknowledges it, or until so many subgroups in turn violate nothing as the longest rule looks at: by then no subgroup of the
//! alarm takes part in a rule. After either the rules begin to count anew. A baseline of nothing but good parts, or of none, has
//! the mean of half a reject more, or less (Jeffreys' prior), for a standard error of 0 would call every line in control.
//! That the mean is itself an estimate makes false alarms more frequent than the rules' own, the more so the shorter the baseline
//! (C. Quesenberry, "The effect of sample size on estimated limits", Journal of Quality Technology 25, 1993).

use serde::{Deserialize, Serialize};

use super::{LONGEST, Point, Rule, Subgroup, chart, share, violated};
use crate::config::Chart;

/// A subgroup that expects fewer rejects, or fewer parts that are none, has limits that chance breaks more often than it should.
const EXPECTED: f64 = 5.0;

/// A chart that is being drawn. Its settings are handed in, the same every time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Monitor {
    /// The subgroup that is not full yet.
    filling: Subgroup,
    /// The first subgroups, as many as there are to be at most.
    baseline: Vec<Subgroup>,
    /// The share of the baseline's parts that was rejected, once it is whole.
    mean: Option<f64>,
    /// The distances of the newest subgroups in standard errors, the newest first, since the rules began to count.
    distances: Vec<f64>,
    /// Subgroups in turn that violated nothing, while an alarm stands.
    quiet: Option<usize>,
}

/// What a full subgroup changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// The baseline is whole: subgroups are held against it from now on.
    Begun(Baseline),
    /// An alarm stands from now on: this subgroup violates a rule.
    Alarm(Point),
    /// It does no more: this subgroup is the last of so many that violate none.
    Over(Point),
}

/// From what limits are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// All of its parts.
    pub whole: Subgroup,
    /// The share that was rejected, 0 to 1.
    pub mean: f64,
    /// Its own subgroups that lie more than three standard errors off: with any, the line was not in control meanwhile.
    pub beyond: usize,
    /// Whether a subgroup expects too few rejects, or too few parts that are none, for limits of a normal distribution.
    pub coarse: bool,
}

impl Monitor {
    /// Whether an alarm stands.
    #[must_use]
    pub const fn is_alarmed(&self) -> bool {
        self.quiet.is_some()
    }

    /// Whether no part is in the subgroup that is being filled.
    #[must_use]
    pub const fn is_between(&self) -> bool {
        self.filling.parts == 0
    }

    /// From what the limits are made; `None` before they are.
    #[must_use]
    pub fn baseline(&self) -> Option<Baseline> {
        let mean = self.mean?;
        let whole = whole(&self.baseline);
        let beyond = |point: &Point| point.violated.contains(&Rule::BeyondThree);
        let beyond = chart(&self.baseline).map_or(0, |chart| chart.points.iter().filter(|point| beyond(point)).count());
        let parts = share(whole.parts, self.baseline.len()).unwrap_or_default();
        let coarse = parts * mean.min(1.0 - mean) < EXPECTED;
        Some(Baseline { whole, mean, beyond, coarse })
    }

    /// Takes the next part; what it changed. `told` must be the same for each part.
    pub fn see(&mut self, rejected: bool, told: &Chart) -> Option<Turn> {
        self.filling.parts += 1;
        self.filling.rejected += usize::from(rejected);
        if self.filling.parts < told.parts {
            return None;
        }
        let subgroup = std::mem::take(&mut self.filling);
        match self.mean {
            Some(mean) => self.hold(subgroup, mean, told),
            None => self.found(subgroup, told),
        }
    }

    /// Takes note of an alarm: it is over, and the rules begin to count anew. Whether one stood.
    pub fn acknowledge(&mut self) -> bool {
        let stood = self.quiet.take().is_some();
        if stood {
            self.distances.clear();
        }
        stood
    }

    /// A further subgroup of the baseline.
    fn found(&mut self, subgroup: Subgroup, told: &Chart) -> Option<Turn> {
        self.baseline.push(subgroup);
        if self.baseline.len() < told.baseline {
            return None;
        }
        let Subgroup { parts, rejected } = whole(&self.baseline);
        self.mean = if rejected == 0 || rejected == parts {
            share(2 * rejected + 1, 2 * (parts + 1))
        } else {
            share(rejected, parts)
        };
        self.baseline().map(Turn::Begun)
    }

    /// A subgroup against the mean.
    fn hold(&mut self, subgroup: Subgroup, mean: f64, told: &Chart) -> Option<Turn> {
        let mut point = Point::of(subgroup, mean);
        self.distances.insert(0, point.distance);
        self.distances.truncate(LONGEST);
        point.violated = violated(&self.distances).into_iter().filter(|rule| told.rules.contains(rule)).collect();
        match (self.quiet, point.violated.is_empty()) {
            (None, true) => None,
            (None, false) => {
                self.quiet = Some(0);
                Some(Turn::Alarm(point))
            }
            (Some(_), false) => {
                self.quiet = Some(0);
                None
            }
            (Some(quiet), true) if quiet + 1 < LONGEST => {
                self.quiet = Some(quiet + 1);
                None
            }
            (Some(_), true) => {
                self.acknowledge();
                Some(Turn::Over(point))
            }
        }
    }
}

/// All parts of some subgroups.
fn whole(subgroups: &[Subgroup]) -> Subgroup {
    subgroups.iter().fold(Subgroup::default(), |sum, one| Subgroup {
        parts: sum.parts + one.parts,
        rejected: sum.rejected + one.rejected,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::config::ChartRate;

    fn told(parts: usize, baseline: usize, rules: &[Rule]) -> Chart {
        let rules = if rules.is_empty() { Rule::ALL.into() } else { rules.iter().copied().collect() };
        Chart { parts, baseline, rules, rates: BTreeSet::from([ChartRate::Rejected]) }
    }

    /// Shows a subgroup of ten with so many rejects; what its last part changed.
    fn ten(monitor: &mut Monitor, rejected: usize, told: &Chart) -> Option<Turn> {
        (0..10).filter_map(|part| monitor.see(part < rejected, told)).last()
    }

    #[test]
    fn the_first_subgroups_make_limits_that_later_ones_do_not_move() {
        let told = told(10, 5, &[]);
        let mut monitor = Monitor::default();
        for rejected in [4, 6, 5, 5] {
            assert_eq!(ten(&mut monitor, rejected, &told), None);
        }
        assert_eq!((monitor.baseline(), monitor.is_alarmed()), (None, false));
        let Some(Turn::Begun(begun)) = ten(&mut monitor, 5, &told) else { panic!("no baseline") };
        assert_eq!(begun.whole, Subgroup { parts: 50, rejected: 25 });
        assert!((begun.mean - 0.5).abs() < 1e-15 && begun.beyond == 0 && !begun.coarse, "{begun:?}");
        // 0.5 +- 3 sqrt(0.25 / 10) = 0.5 +- 0.474: all ten are beyond, nine are not.
        assert_eq!(ten(&mut monitor, 9, &told), None);
        let Some(Turn::Alarm(point)) = ten(&mut monitor, 10, &told) else { panic!("no alarm") };
        assert_eq!(point.violated, [Rule::BeyondThree, Rule::TwoOfThreeBeyondTwo]);
        assert!((point.upper - 0.974_341_649_025_256_8).abs() < 1e-12, "{point:?}");
        assert!((monitor.baseline().unwrap().mean - 0.5).abs() < 1e-15);
    }

    #[test]
    fn an_alarm_stands_until_eight_in_turn_are_quiet_or_it_is_acknowledged() {
        let told = told(10, 5, &[]);
        let mut monitor = Monitor::default();
        (0..5).for_each(|_| drop(ten(&mut monitor, 5, &told)));
        assert!(matches!(ten(&mut monitor, 10, &told), Some(Turn::Alarm(_))));
        for rejected in [5, 4, 6, 5, 10, 5, 4, 6, 5, 4, 6, 5] {
            assert_eq!(ten(&mut monitor, rejected, &told), None, "neither told again nor over too soon");
            assert!(monitor.is_alarmed());
        }
        assert!(matches!(ten(&mut monitor, 5, &told), Some(Turn::Over(_))));
        assert!(!monitor.is_alarmed() && !monitor.acknowledge());

        assert!(matches!(ten(&mut monitor, 10, &told), Some(Turn::Alarm(_))));
        assert!(monitor.acknowledge() && !monitor.is_alarmed());
        // With the subgroup before it this would be two of three beyond two; what was acknowledged counts no more.
        assert_eq!(ten(&mut monitor, 9, &told), None);
        assert!(matches!(ten(&mut monitor, 9, &told), Some(Turn::Alarm(_))), "acknowledging makes no line good");
    }

    #[test]
    fn only_the_rules_that_are_wanted_raise_an_alarm() {
        let told = told(10, 5, &[Rule::EightOnOneSide]);
        let mut monitor = Monitor::default();
        (0..5).for_each(|_| drop(ten(&mut monitor, 5, &told)));
        for _ in 0..7 {
            assert_eq!(ten(&mut monitor, 10, &told), None);
        }
        let Some(Turn::Alarm(point)) = ten(&mut monitor, 10, &told) else { panic!("no alarm") };
        assert_eq!(point.violated, [Rule::EightOnOneSide]);
    }

    #[test]
    fn a_baseline_without_a_reject_still_sees_one_that_rises_and_is_told_as_coarse() {
        let told = told(10, 5, &[]);
        for (always, then) in [(0, 5), (10, 5)] {
            let mut monitor = Monitor::default();
            let begun = (0..5).filter_map(|_| ten(&mut monitor, always, &told)).last();
            let Some(Turn::Begun(begun)) = begun else { panic!("no baseline") };
            assert!(begun.coarse && (begun.mean.min(1.0 - begun.mean) - 0.5 / 51.0).abs() < 1e-12, "{begun:?}");
            assert_eq!(ten(&mut monitor, always, &told), None);
            assert!(matches!(ten(&mut monitor, then, &told), Some(Turn::Alarm(_))));
        }
    }

    #[test]
    fn a_baseline_that_was_not_in_control_is_told() {
        let told = told(10, 11, &[]);
        let mut monitor = Monitor::default();
        let begun = (0..11).filter_map(|place| ten(&mut monitor, if place == 3 { 10 } else { 2 }, &told)).last();
        let Some(Turn::Begun(begun)) = begun else { panic!("no baseline") };
        assert_eq!(begun.beyond, 1, "{begun:?}");
    }

    /// Subgroups until the first alarm of a line whose rate is so many of its standard errors off a mean of a half that is known:
    /// a million parts each, which are as good as normal.
    fn run_length(seed: u64, told: &Chart, off: f64) -> u32 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut monitor = Monitor { mean: Some(0.5), ..Monitor::default() };
        let mut subgroup = || {
            let (radius, angle) = ((-2.0 * (1.0 - random.f64()).ln()).sqrt(), std::f64::consts::TAU * random.f64());
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "about half a million")]
            let rejected = (500.0 * (1000.0 + radius * angle.cos() + off)).round() as usize;
            Subgroup { parts: 1_000_000, rejected }
        };
        let mut until = 1;
        while !matches!(monitor.hold(subgroup(), 0.5, told), Some(Turn::Alarm(_))) {
            until += 1;
        }
        until
    }

    #[test]
    fn lines_in_control_run_as_long_as_is_known_of_the_rules_and_great_changes_are_seen_at_once() {
        // C. Champ and W. Woodall, "Exact results for Shewhart control charts with supplementary runs rules" (Technometrics 29,
        // 1987), table 1: 91.75 subgroups with all four rules, 370.40 with the first, and 9.22 with all where the mean moves by one
        // standard error; 1 / 0.977 where it moves by five. The mean of 3,000 run lengths has a relative standard error of about 0.018.
        let mean = |rules: &[Rule], off: f64| {
            let told = told(1_000_000, 5, rules);
            (0..3000).map(|seed| f64::from(run_length(seed, &told, off))).sum::<f64>() / 3000.0
        };
        for (rules, off, wanted) in
            [(&[][..], 0.0, 91.75), (&[Rule::BeyondThree], 0.0, 370.4), (&[], 1.0, 9.22), (&[], 5.0, 1.02)]
        {
            let seen = mean(rules, off);
            println!("{rules:?}, {off} off: {seen} subgroups until the alarm, known are {wanted}");
            assert!((seen / wanted - 1.0).abs() < 0.06, "{seen}, want {wanted}");
        }
    }

    proptest! {
        #[test]
        fn a_chart_that_is_kept_and_read_goes_on_as_if_nothing_had_been(
            parts in proptest::collection::vec(any::<bool>(), 1..400), at in 0_usize..400
        ) {
            let told = told(7, 5, &[]);
            let (mut one, mut other) = (Monitor::default(), Monitor::default());
            for (place, rejected) in parts.into_iter().enumerate() {
                if place == at {
                    other = serde_json::from_str(&serde_json::to_string(&other).unwrap()).unwrap();
                }
                prop_assert_eq!(one.see(rejected, &told), other.see(rejected, &told));
            }
            prop_assert_eq!(one, other);
        }
    }
}
