//! A control chart of the reject rate: whether it still varies only as chance would have it. Pure.
//!
//! A p-chart with limits for each subgroup by its own size, and the four rules of Western Electric: W. Shewhart's limits as in
//! Western Electric, "Statistical Quality Control Handbook" (1956), and D. Montgomery, "Introduction to Statistical Quality
//! Control", sections 5.3 and 7.2. The distance of a subgroup is counted in its own standard errors (Montgomery 7.2.2, the
//! standardised chart), so that the rules hold for subgroups of different sizes. The limits are those of a normal
//! distribution: where a subgroup expects fewer than about five rejects, rule 1 is met by chance more often than once in 370.

pub mod monitor;

use serde::{Deserialize, Serialize};

pub use crate::config::ChartRule as Rule;

/// Parts that were judged one after the other, and how many of them were rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Subgroup {
    /// The parts, at least 1.
    pub parts: usize,
    /// Those of them that were rejected.
    pub rejected: usize,
}

/// How many standard errors off, for how many of how many subgroups in turn.
const RULES: [(Rule, f64, usize, usize); 4] = [
    (Rule::BeyondThree, 3.0, 1, 1),
    (Rule::TwoOfThreeBeyondTwo, 2.0, 2, 3),
    (Rule::FourOfFiveBeyondOne, 1.0, 4, 5),
    (Rule::EightOnOneSide, 0.0, 8, 8),
];

/// The most subgroups that a rule looks at.
const LONGEST: usize = 8;

/// One point of the chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The subgroup.
    #[serde(flatten)]
    pub subgroup: Subgroup,
    /// The share that was rejected, 0 to 1.
    pub rate: f64,
    /// The mean less three standard errors, at least 0.
    pub lower: f64,
    /// The mean and three standard errors, at most 1.
    pub upper: f64,
    /// How many standard errors the rate lies above the mean.
    pub distance: f64,
    /// What is violated here.
    pub violated: Vec<Rule>,
}

impl Point {
    /// A subgroup with at least one part on a chart with this mean, 0 to 1; what it violates is not known yet.
    fn of(subgroup: Subgroup, mean: f64) -> Self {
        let rate = share(subgroup.rejected, subgroup.parts).unwrap_or(mean);
        let error = (mean * (1.0 - mean) * share(1, subgroup.parts).unwrap_or_default()).sqrt();
        // Where nothing or everything was rejected, every rate is the mean.
        let distance = if error > 0.0 { (rate - mean) / error } else { 0.0 };
        let (lower, upper) = ((mean - 3.0 * error).max(0.0), (mean + 3.0 * error).min(1.0));
        Self { subgroup, rate, lower, upper, distance, violated: Vec::new() }
    }
}

/// A p-chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chart {
    /// The share of all parts that was rejected, 0 to 1.
    pub mean: f64,
    /// One for each subgroup, in turn.
    pub points: Vec<Point>,
}

/// The chart of these subgroups, in the order of time; their own mean is the centre. `None` where there are no parts.
#[must_use]
pub fn chart(subgroups: &[Subgroup]) -> Option<Chart> {
    let parts: usize = subgroups.iter().map(|subgroup| subgroup.parts).sum();
    let rejected: usize = subgroups.iter().map(|subgroup| subgroup.rejected).sum();
    let mean = share(rejected, parts)?;
    let mut points: Vec<Point> = Vec::new();
    for &subgroup in subgroups.iter().filter(|subgroup| subgroup.parts > 0) {
        points.push(Point::of(subgroup, mean));
        let distances: Vec<f64> = points.iter().rev().take(LONGEST).map(|point| point.distance).collect();
        if let Some(last) = points.last_mut() {
            last.violated = violated(&distances);
        }
    }
    Some(Chart { mean, points })
}

/// The rules that the newest subgroup violates; distances with the newest first.
fn violated(distances: &[f64]) -> Vec<Rule> {
    let beyond = |side: f64, off: f64| move |distance: &&f64| side * **distance > off;
    let holds = |(_, off, wanted, of): &(Rule, f64, usize, usize)| {
        [1.0, -1.0].into_iter().any(|side| {
            let newest = distances.first().is_some_and(|distance| side * distance > *off);
            newest && distances.iter().take(*of).filter(beyond(side, *off)).count() >= *wanted
        })
    };
    RULES.iter().filter(|rule| holds(rule)).map(|(rule, ..)| *rule).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_rule_fires_where_it_must_and_not_just_before() {
        use Rule::{BeyondThree, EightOnOneSide, FourOfFiveBeyondOne, TwoOfThreeBeyondTwo};
        // Newest first.
        let cases: [(&[f64], &[Rule]); 13] = [
            (&[3.1], &[BeyondThree]),
            (&[-3.1, 0.0], &[BeyondThree]),
            (&[3.0], &[]),
            (&[2.1, 0.0, 2.1], &[TwoOfThreeBeyondTwo]),
            (&[2.1, 0.0, 0.0, 2.1], &[]),
            (&[2.1, -2.1], &[]),
            (&[0.0, 2.1, 2.1], &[]),
            (&[-1.1, -1.1, 0.5, -1.1, -1.1], &[FourOfFiveBeyondOne]),
            (&[1.1, 1.1, -1.1, 0.9, 1.1], &[]),
            (&[0.5, 1.1, 1.1, 1.1, 1.1], &[]),
            (&[0.1; 8], &[EightOnOneSide]),
            (&[0.1; 7], &[]),
            (&[0.1, 0.1, 0.1, -0.1, 0.1, 0.1, 0.1, 0.1], &[]),
        ];
        for (distances, wanted) in cases {
            assert_eq!(violated(distances), wanted, "{distances:?}");
        }
    }

    #[test]
    fn the_limits_hang_on_the_size_of_the_subgroup() {
        // A tenth is rejected: 0.1 +- 3 sqrt(0.09 / n), by hand 0.1 +- 0.09 for 100 and 0.1 +- 0.045 for 400.
        let plain = [(100, 10), (400, 40), (100, 20), (100, 0)].map(|(parts, rejected)| Subgroup { parts, rejected });
        let chart = chart(&plain).unwrap();
        assert!((chart.mean - 0.1).abs() < 1e-12);
        let near = |seen: f64, wanted: f64| assert!((seen - wanted).abs() < 1e-12, "{seen} is not {wanted}");
        near(chart.points[0].lower, 0.01);
        near(chart.points[0].upper, 0.19);
        near(chart.points[1].lower, 0.055);
        near(chart.points[1].upper, 0.145);
        near(chart.points[2].distance, 0.1 / 0.03);
        let violated: Vec<&[Rule]> = chart.points.iter().map(|point| point.violated.as_slice()).collect();
        assert_eq!(violated, [&[][..], &[], &[Rule::BeyondThree], &[Rule::BeyondThree]]);
    }

    #[test]
    fn a_rate_of_nothing_or_all_is_in_control() {
        for rejected in [0, 50] {
            let chart = chart(&[Subgroup { parts: 50, rejected }; 12]).unwrap();
            assert!(chart.points.iter().all(|point| point.violated.is_empty()), "{chart:?}");
        }
        assert_eq!(chart(&[]), None);
        assert_eq!(chart(&[Subgroup { parts: 0, rejected: 0 }]), None);
    }

    proptest! {
        #[test]
        fn swapping_good_and_bad_turns_the_chart_over(
            counts in proptest::collection::vec((1_usize..300, 0.0..=1.0f64), 1..40)
        ) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a count")]
            let one: Vec<Subgroup> = counts.iter()
                .map(|&(parts, share)| Subgroup { parts, rejected: (share * parts as f64) as usize }).collect();
            let other: Vec<Subgroup> = one.iter()
                .map(|&Subgroup { parts, rejected }| Subgroup { parts, rejected: parts - rejected }).collect();
            let (one, other) = (chart(&one).unwrap(), chart(&other).unwrap());
            for (one, other) in one.points.iter().zip(&other.points) {
                prop_assert!((one.distance + other.distance).abs() < 1e-6);
                prop_assert!((one.lower - (1.0 - other.upper)).abs() < 1e-9);
                prop_assert!((0.0..=1.0).contains(&one.lower) && one.lower <= one.upper);
            }
        }
    }
}
