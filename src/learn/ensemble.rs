//! The ensemble: how the members of a panel become one score, and whether that is worth more than the best of them. Pure, and
//! seeded.
//!
//! Nested cross-validation: every figure of the ensemble comes from parts that no part of it was fitted to, the choice among
//! calibrations and methods included. The control is the best single member on the same parts.

use super::bootstrap::{estimate, estimate_of_copies};
use super::calibrate::{Chosen, Owned, Sample, choose, log_loss};
use super::class_weights::{class_weights, route_weights};
use super::compare::delong_weighted;
use super::concatenate::concatenate;
use super::gate::{self, Pictures};
use super::measured::{self, measure};
use super::sampling::alike;
use super::scored::Scored;
use super::stack::stack;
use super::weights::simplex;
use crate::fusion::adaptive::{Adaptive, Weighed};
use crate::fusion::calibrator::Calibrator;
use crate::fusion::classes::ClassWeights;
use crate::fusion::concatenation::Concatenation;
use crate::fusion::measured::Measured;
use crate::fusion::stacking::Stacking;
use crate::models::fit::{Control, Evidence, Method, Ranked};

mod classes;
mod parts;

pub use parts::{Copies, Parts};

/// Folds of the inner and of the outer cross-validation.
pub const FOLDS: usize = 5;

/// An ensemble is better than the control from this p value of DeLong's test down.
const SIGNIFICANT: f64 = 0.05;

/// Members that have been made one.
#[derive(Debug, Clone, PartialEq)]
pub struct Fused {
    /// How.
    pub method: Method,
    /// What each member's score is worth; as it is where they are stacked.
    pub calibrators: Vec<Calibrator>,
    /// The weight of each member in a weighted mean, at least 0 with sum 1; all alike for the other methods.
    pub weights: Vec<f64>,
    /// The regression, where they are stacked.
    pub stacking: Option<Stacking>,
    /// The regression over everything that they say, where that is concatenated.
    pub concatenation: Option<Concatenation>,
    /// The weights for each label, a weight for each member, where they differ from label to label.
    pub classes: Vec<ClassWeights>,
    /// The regression that makes their values one, a gain for each member.
    pub measured: Option<Measured>,
    /// The gate that moves the weights, where they are adaptive.
    pub adaptive: Option<Adaptive>,
}

impl Fused {
    /// One score, 0 to 1, of what each member says of a part.
    #[must_use]
    pub fn score(&self, parts: &Parts, place: usize) -> f64 {
        if let Some(classes) = &parts.classes {
            return classes::fused(self, classes, place).map_or(0.0, |fused| fused.score);
        }
        if let Some((head, terms)) = self.concatenation.as_ref().zip(parts.terms.as_ref()) {
            return head.apply(&terms.said(place)).unwrap_or_default();
        }
        if let Some((measured, measurements)) = self.measured.as_ref().zip(parts.measured.as_ref()) {
            return measured.score(&measured.value(&measurements.said(place)));
        }
        let said = parts.said(place);
        let calibrated = || self.calibrators.iter().zip(&said).map(|(map, score)| map.apply(*score));
        let mean = |weights: &[f64]| calibrated().zip(weights).map(|(score, weight)| score * weight).sum::<f64>();
        match (self.method, &self.stacking, &self.adaptive) {
            (Method::Stacking, Some(stacking), _) => stacking.apply(&said).unwrap_or_default(),
            (Method::Maximum, ..) => calibrated().fold(0.0, f64::max),
            (Method::Adaptive, _, Some(gate)) => {
                let held = parts.copies.as_ref().map(|copies| gate.hold(&copies.quality[place]));
                let weighed = self.weights.iter().zip(calibrated()).enumerate();
                let weighed =
                    weighed.map(|(voter, (&weight, score))| Weighed { voter, weight, score, held: held.as_ref() });
                mean(&gate.weights(&weighed.collect::<Vec<_>>())).clamp(0.0, 1.0)
            }
            _ => mean(&self.weights).clamp(0.0, 1.0),
        }
    }
}

/// An ensemble of every method over the same parts, with its log loss on parts it was not fitted to; and the best of them.
struct Learned {
    all: Vec<(Fused, f64)>,
    best: usize,
}

/// Fits every method; the best is that of the least cross-validated log loss.
fn learn(parts: &Parts, methods: &[Method]) -> Result<Learned, String> {
    let held = parts.folds(FOLDS)?;
    let sample = |scores| Sample { scores, defective: &parts.defective, weights: &parts.weights };
    let chosen: Vec<Chosen> = parts.members.iter().map(|scores| choose(&sample(scores), &held)).collect();
    let crossed = Parts { members: chosen.iter().map(|chosen| chosen.crossed.clone()).collect(), ..parts.clone() };
    let maps: Vec<Calibrator> = chosen.into_iter().map(|chosen| chosen.map).collect();
    let mut all = Vec::new();
    for &method in methods {
        // A regression calibrates by itself and labels are joined as they are; the others join what each member is worth.
        let as_said = method.calibrates() || parts.classes.is_some();
        let given = if as_said { parts } else { &crossed };
        let mut scores = vec![0.0; parts.len()];
        for fold in 0..FOLDS {
            let rest: Vec<usize> = (0..parts.len()).filter(|&place| held[place] != fold).collect();
            let fused = join(method, &given.at(&rest), as_they_are(parts.members.len()))?;
            for place in (0..parts.len()).filter(|&place| held[place] == fold) {
                scores[place] = fused.score(given, place);
            }
        }
        let loss = log_loss(&Sample { scores: &scores, defective: &parts.defective, weights: &parts.weights });
        let fused = join(method, given, if as_said { as_they_are(maps.len()) } else { maps.clone() })?;
        all.push((fused, loss));
    }
    let order = |a: &usize, b: &usize| all[*a].1.total_cmp(&all[*b].1);
    let best = (0..all.len()).min_by(order).ok_or("a panel without members cannot be fitted")?;
    Ok(Learned { all, best })
}

fn as_they_are(members: usize) -> Vec<Calibrator> {
    vec![Calibrator::None; members]
}

/// Joins members by a method, fitting what it has to fit to `given`.
fn join(method: Method, given: &Parts, calibrators: Vec<Calibrator>) -> Result<Fused, String> {
    let evenly = || vec![1.0 / f64::from(u32::try_from(given.members.len()).unwrap_or(u32::MAX)); given.members.len()];
    let (mut weights, mut stacking, mut concatenation) = (evenly(), None, None);
    let (mut classes, mut measured, mut adaptive) = (Vec::new(), None, None);
    let best = || simplex(&given.members, &given.defective, &given.weights);
    match method {
        Method::WeightedMean => {
            // Everybody is heard where somebody may be the only one who knows a label.
            let over_classes = |known| gate::heard(&route_weights(known, &given.weights));
            weights = given.classes.as_ref().map_or_else(best, over_classes);
        }
        Method::ClassWeights => {
            let known = given.classes.as_ref().ok_or("weights by class want to know what is said of each label")?;
            classes = class_weights(known, &given.weights, &gate::heard(&route_weights(known, &given.weights)));
            weights = mean_weights(&classes, given.members.len());
        }
        Method::Adaptive => {
            let copies = given.copies.as_ref().ok_or("adaptive weights want to know how well pictures were taken")?;
            if !alike(&given.weights) {
                return Err("adaptive weights are fitted to parts that count alike".into());
            }
            let (members, defective, quality) = (&given.members, &given.defective, &copies.quality);
            weights = gate::heard(&best());
            let pictures = Pictures { members, defective, quality, copies: copies.each.into() };
            adaptive = Some(gate::fit(&pictures, &weights));
        }
        Method::Stacking => {
            let members: Vec<&[f64]> = given.members.iter().map(Vec::as_slice).collect();
            stacking = Some(stack(&members, &given.defective, &given.weights)?);
        }
        Method::Concatenation => {
            let terms = given.terms.as_ref().ok_or("a concatenation wants more than a score of each member")?;
            let held = given.folds(FOLDS).ok();
            concatenation = Some(concatenate(terms, &given.defective, &given.weights, held.as_deref())?);
        }
        Method::Regression => {
            let values = given.measured.as_ref().ok_or("a regression wants measured values: see --measured")?;
            measured = Some(measure(values, &given.weights, given.groups.as_deref())?);
        }
        Method::Single | Method::Mean | Method::Maximum | Method::Cascade | Method::Boxes => {}
    }
    Ok(Fused { method, calibrators, weights, stacking, concatenation, classes, measured, adaptive })
}

/// What each member is worth in the mean over all labels.
fn mean_weights(classes: &[ClassWeights], members: usize) -> Vec<f64> {
    let count = f64::from(u32::try_from(classes.len()).unwrap_or(u32::MAX).max(1));
    (0..members).map(|member| classes.iter().map(|of| of.weights[member]).sum::<f64>() / count).collect()
}

/// Fits the panel to all of the parts: calibrations, the best of these methods, weights.
///
/// # Errors
/// One sentence when there are too few parts of a kind for the folds.
pub fn fit(parts: &Parts, methods: &[Method]) -> Result<Fused, String> {
    let Learned { mut all, best } = learn(parts, methods)?;
    Ok(all.swap_remove(best).0)
}

/// What the members and their ensemble by these methods are worth, by nested cross-validation; and the fused score of each part by folds that did
/// not hold it.
///
/// # Errors
/// As [`fit`].
pub fn evidence(parts: &Parts, methods: &[Method]) -> Result<(Evidence, Vec<f64>), String> {
    let held = parts.folds(FOLDS)?;
    // Readings of others may make more of a single member than it is.
    let several = parts.members.len() > 1 || methods.contains(&Method::Concatenation);
    let mut fused = vec![0.0; parts.len()];
    let mut by_method: Vec<(Method, Vec<f64>)> = Vec::new();
    let mut by_class = parts.classes.as_ref().map(classes::Crossed::of);
    for fold in 0..FOLDS {
        let rest: Vec<usize> = (0..parts.len()).filter(|&place| held[place] != fold).collect();
        let Learned { all, best } = learn(&parts.at(&rest), methods)?;
        for (of, (ensemble, _)) in all.iter().enumerate() {
            if by_method.len() <= of {
                by_method.push((ensemble.method, vec![0.0; parts.len()]));
            }
            for place in (0..parts.len()).filter(|&place| held[place] == fold) {
                let score = ensemble.score(parts, place);
                by_method[of].1[place] = score;
                if let Some(by_class) = &mut by_class {
                    by_class.take(ensemble, place);
                }
                if of == best {
                    fused[place] = score;
                }
            }
        }
    }
    let ranked = |name: &str, scores: &[f64]| ranked(name, scores, parts);
    let members: Vec<Ranked> =
        parts.names.iter().zip(&parts.members).map(|(name, scores)| ranked(name, scores)).collect::<Result<_, _>>()?;
    let methods = by_method.iter().map(|(method, scores)| ranked(method.as_str(), scores)).collect::<Result<_, _>>()?;
    let fused_ranked = ranked("fused", &fused)?;
    let control = if several { control(parts, &members, &fused, &fused_ranked) } else { None };
    let defective = parts.defective.iter().filter(|is| **is).count();
    let classes = by_class.map_or_else(Vec::new, |by_class| by_class.ranked(&parts.weights));
    let of_values = |values| measured::evidence(values, &parts.names, &parts.weights, parts.groups.as_deref(), &held);
    let measured = parts.measured.as_ref().map(of_values).transpose()?;
    let (folds, count) = (FOLDS, parts.len());
    let evidence =
        Evidence { parts: count, defective, folds, members, methods, fused: fused_ranked, control, classes, measured };
    Ok((evidence, fused))
}

/// The best single member, held against the ensemble.
fn control(parts: &Parts, members: &[Ranked], fused: &[f64], ranked: &Ranked) -> Option<Control> {
    let order = |a: &usize, b: &usize| members[*a].auc.value.total_cmp(&members[*b].auc.value);
    // Of equals the first.
    let best = (0..members.len()).rev().max_by(order)?;
    let pictures = parts.copies.as_ref().map_or_else(|| (0..parts.len()).collect(), |copies| copies.picture.clone());
    let delong = delong_weighted(&parts.defective, fused, &parts.members[best], &pictures, &parts.weights);
    let beaten = ranked.auc.value > members[best].auc.value;
    let significant = beaten && delong.is_some_and(|test| test.p < SIGNIFICANT);
    Some(Control { name: members[best].name.clone(), auc: members[best].auc, delong, beaten, significant })
}

/// How well scores rank and how well they are calibrated.
fn ranked(name: &str, scores: &[f64], Parts { defective, copies, weights, .. }: &Parts) -> Result<Ranked, String> {
    let scored = Scored::weighted(defective, scores, weights)?;
    let whole = vec![1; scores.len()];
    Ok(Ranked {
        name: name.into(),
        auc: match copies {
            Some(copies) => estimate_of_copies(defective, &copies.numbered(), |drawn| scored.auc(drawn)),
            None => estimate(defective, |drawn| scored.auc(drawn)),
        },
        average_precision: scored.average_precision(&whole),
        log_loss: log_loss(&Sample { scores, defective, weights }),
    })
}

/// The fused scores of parts, with their truth, for choosing thresholds.
#[must_use]
pub fn scores(fused: &Fused, parts: &Parts) -> Owned {
    let scores = (0..parts.len()).map(|place| fused.score(parts, place)).collect();
    Owned::weighted(scores, parts.defective.clone(), parts.weights.clone())
}

#[cfg(test)]
mod tests;
