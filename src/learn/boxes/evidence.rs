//! What each member's own boxes are worth, what those of the ensemble are by folds that did not choose it, and the best member
//! against that. Pure, and seeded: all figures are of the same resamples of the pictures.

use rayon::prelude::*;

use super::precision::{Found, Matches, Precision};
use super::{FOLDS, Set};
use crate::learn::bootstrap::resamples;
use crate::learn::metrics::percentile;
use crate::models::fit::boxes::{BoxControl, BoxEvidence, BoxRanked, LabelPrecision};
use crate::models::price::Estimate;

/// An ensemble is better than the control from this p value of the paired bootstrap down.
const SIGNIFICANT: f64 = 0.05;

/// The evidence of a set of which some pictures are `labelled`. `crossed` holds the fused boxes of each picture, `alone` for each
/// member those of its own, joined among themselves.
pub(super) fn evidence(set: &Set, labelled: &[bool], alone: &[Vec<Vec<Found>>], crossed: &[Vec<Found>]) -> BoxEvidence {
    let drawn: Vec<Vec<u32>> = resamples(labelled).collect();
    let whole = vec![1; labelled.len()];
    let of_member = |(member, name): (usize, &String)| {
        let found: Vec<&[Found]> = set.pictures.iter().map(|picture| picture.found[member].as_slice()).collect();
        Source::of(name, &set.matches(&found), &whole, &drawn)
    };
    let members: Vec<Source> = set.members.iter().enumerate().map(of_member).collect();
    let of_boxes = |found: &[Vec<Found>]| set.matches(&found.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let alone = set.members.iter().zip(alone);
    let alone: Vec<Source> = alone.map(|(name, found)| Source::of(name, &of_boxes(found), &whole, &drawn)).collect();
    let matches = of_boxes(crossed);
    let fused = Source::of("fused", &matches, &whole, &drawn);
    let labels = set.labels.iter().enumerate().filter_map(|(label, name)| {
        let Precision { at_50, over_all } = matches.of_label(label, &whole)?;
        Some(LabelPrecision { label: name.clone(), boxes: matches.truths(label), map50: at_50, map50_95: over_all })
    });
    let order = |a: &&Source, b: &&Source| a.whole.over_all.total_cmp(&b.whole.over_all);
    // Of equals the first.
    let best = members.iter().chain(&alone).rev().max_by(order);
    BoxEvidence {
        pictures: set.pictures.len(),
        with_boxes: labelled.iter().filter(|is| **is).count(),
        boxes: set.pictures.iter().map(|picture| picture.truths.len()).sum(),
        folds: FOLDS,
        members: members.iter().map(Source::ranked).collect(),
        alone: alone.iter().map(Source::ranked).collect(),
        fused: fused.ranked(),
        labels: labels.collect(),
        control: best.map(|best| control(best, &fused)),
    }
}

/// One source of boxes: its figures on the set, and on each resample of the pictures.
struct Source {
    name: String,
    whole: Precision,
    drawn: Vec<Precision>,
}

impl Source {
    fn of(name: &str, matches: &Matches, whole: &[u32], drawn: &[Vec<u32>]) -> Self {
        let figure = |drawn: &[u32]| matches.mean(drawn).unwrap_or(Precision { at_50: 0.0, over_all: 0.0 });
        Self { name: name.into(), whole: figure(whole), drawn: drawn.par_iter().map(|drawn| figure(drawn)).collect() }
    }

    fn ranked(&self) -> BoxRanked {
        let estimate =
            |of: fn(&Precision) -> f64| interval(of(&self.whole), &self.drawn.iter().map(of).collect::<Vec<f64>>());
        BoxRanked {
            name: self.name.clone(),
            map50: estimate(|precision| precision.at_50),
            map50_95: estimate(|precision| precision.over_all),
        }
    }
}

/// A figure of the set with the 95 % percentile interval of its resamples.
fn interval(value: f64, drawn: &[f64]) -> Estimate {
    let at = |share| percentile(drawn, share).unwrap_or(value);
    Estimate { value, low: at(0.025), high: at(0.975) }
}

/// The best member against the ensemble, by the paired bootstrap over pictures.
///
/// p is twice the share of resamples in which the difference does not have the sign that it has on the set, the set itself
/// counted among them so that it is never 0: the level at which the percentile interval of the difference just holds 0.
///
/// Source: B. Efron and R. Tibshirani, *An Introduction to the Bootstrap* (1993), 13 and 15.4; one is added to both counts as A.
/// Davison and D. Hinkley, *Bootstrap Methods and their Application* (1997), 4.2.
fn control(member: &Source, fused: &Source) -> BoxControl {
    let differences: Vec<f64> =
        fused.drawn.iter().zip(&member.drawn).map(|(fused, member)| fused.over_all - member.over_all).collect();
    let value = fused.whole.over_all - member.whole.over_all;
    let against = differences.iter().filter(|drawn| **drawn * value.signum() <= 0.0).count();
    let p = (2.0 * (count(against) + 1.0) / (count(differences.len()) + 1.0)).min(1.0);
    let beaten = value > 0.0;
    let difference = interval(value, &differences);
    BoxControl { name: member.name.clone(), beaten, significant: beaten && p < SIGNIFICANT, difference, p }
}

#[expect(clippy::cast_precision_loss, reason = "counts of resamples stay far below 2^53")]
fn count(of: usize) -> f64 {
    of as f64
}
