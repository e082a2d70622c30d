//! The ensemble: how the members of a panel become one score, and whether that is worth more than the best of them. Pure, and
//! seeded.
//!
//! Nested cross-validation: every figure of the ensemble comes from parts that no part of it was fitted to, the choice among
//! calibrations and methods included. The control is the best single member on the same parts.

use super::bootstrap::{estimate, estimate_of_copies};
use super::calibrate::{Chosen, Owned, Sample, choose, log_loss};
use super::compare::delong_weighted;
use super::folds::folds;
use super::gate::{self, Pictures};
use super::sampling::alike;
use super::scored::Scored;
use super::stack::stack;
use super::weights::simplex;
use crate::fusion::adaptive::{Adaptive, Quality, Weighed};
use crate::fusion::calibrator::Calibrator;
use crate::fusion::stacking::Stacking;
use crate::models::fit::{Control, Evidence, Method, Ranked};

/// Folds of the inner and of the outer cross-validation.
pub const FOLDS: usize = 5;

/// Where the random numbers of the folds begin.
const SEED: u64 = 0x6669_7473;

/// An ensemble is better than the control from this p value of DeLong's test down.
const SIGNIFICANT: f64 = 0.05;

/// The parts of a panel, each with a score of every member.
#[derive(Debug, Clone)]
pub struct Parts {
    /// What the members are called.
    pub names: Vec<String>,
    /// For each member its score, 0 to 1, for each part.
    pub members: Vec<Vec<f64>>,
    /// Whether each part is really defective.
    pub defective: Vec<bool>,
    /// How much each part counts, finite and above 0: 1 where all were drawn alike, else see [`super::sampling`].
    pub weights: Vec<f64>,
    /// The batch each part belongs to, where that is known, or else the picture it is a copy of: a number from 0 on.
    pub groups: Option<Vec<usize>>,
    /// Of which pictures they are copies, where each is there as it was taken and in other ways.
    pub copies: Option<Copies>,
}

/// Pictures that are there several times: as they were taken, and corrupted. All of one length.
#[derive(Debug, Clone)]
pub struct Copies {
    /// The picture of each part: a number from 0 on.
    pub picture: Vec<usize>,
    /// Whether it is as it was taken.
    pub as_taken: Vec<bool>,
    /// How well it was, or would have been, taken.
    pub quality: Vec<Quality>,
    /// How many copies of each picture there are.
    pub each: u32,
}

impl Copies {
    fn at(&self, places: &[usize]) -> Self {
        Self {
            picture: places.iter().map(|&place| self.picture[place]).collect(),
            as_taken: places.iter().map(|&place| self.as_taken[place]).collect(),
            quality: places.iter().map(|&place| self.quality[place]).collect(),
            each: self.each,
        }
    }

    /// The pictures numbered without gaps.
    fn numbered(&self) -> Vec<usize> {
        let mut known = self.picture.clone();
        known.sort_unstable();
        known.dedup();
        self.picture.iter().map(|picture| known.partition_point(|known| known < picture)).collect()
    }
}

impl Parts {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.defective.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.defective.is_empty()
    }

    /// The parts at these places.
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Self {
        let member = |scores: &Vec<f64>| places.iter().map(|&place| scores[place]).collect();
        Self {
            names: self.names.clone(),
            members: self.members.iter().map(member).collect(),
            defective: places.iter().map(|&place| self.defective[place]).collect(),
            weights: places.iter().map(|&place| self.weights[place]).collect(),
            groups: self.groups.as_ref().map(|groups| places.iter().map(|&place| groups[place]).collect()),
            copies: self.copies.as_ref().map(|copies| copies.at(places)),
        }
    }

    /// Those whose pictures are as they were taken: all of them where there are no copies.
    #[must_use]
    pub fn as_taken(&self) -> Self {
        let Some(copies) = &self.copies else { return self.clone() };
        self.at(&(0..self.len()).filter(|&place| copies.as_taken[place]).collect::<Vec<usize>>())
    }

    /// The methods that are tried on them.
    #[must_use]
    pub fn methods(&self) -> Vec<Method> {
        if self.members.len() == 1 {
            return vec![Method::Single];
        }
        Method::ENSEMBLES.into_iter().chain(self.copies.as_ref().map(|_| Method::Adaptive)).collect()
    }

    /// What every member says of one part.
    #[must_use]
    pub fn said(&self, place: usize) -> Vec<f64> {
        self.members.iter().map(|scores| scores[place]).collect()
    }

    /// Splits the parts in so many folds, as evenly as can be.
    ///
    /// # Errors
    /// As [`folds`].
    pub fn folds(&self, count: usize) -> Result<Vec<usize>, String> {
        folds(&self.defective, self.groups.as_deref(), count, SEED)
    }

    /// Two members that say the same of every part: one counted twice is no ensemble.
    #[must_use]
    pub fn twins(&self) -> Option<(&str, &str)> {
        let same =
            |one: &[f64], other: &[f64]| one.iter().zip(other).all(|(one, other)| one.to_bits() == other.to_bits());
        self.members.iter().enumerate().find_map(|(place, one)| {
            let twin = self.members.iter().skip(place + 1).position(|other| same(one, other))? + place + 1;
            Some((self.names[place].as_str(), self.names[twin].as_str()))
        })
    }
}

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
    /// The gate that moves the weights, where they are adaptive.
    pub adaptive: Option<Adaptive>,
}

impl Fused {
    /// One score, 0 to 1, of what each member says of a part.
    #[must_use]
    pub fn score(&self, parts: &Parts, place: usize) -> f64 {
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
        // Stacking calibrates by itself, the others join what each member is worth.
        let given = if method == Method::Stacking { parts } else { &crossed };
        let mut scores = vec![0.0; parts.len()];
        for fold in 0..FOLDS {
            let rest: Vec<usize> = (0..parts.len()).filter(|&place| held[place] != fold).collect();
            let fused = join(method, &given.at(&rest), as_they_are(parts.members.len()))?;
            for place in (0..parts.len()).filter(|&place| held[place] == fold) {
                scores[place] = fused.score(given, place);
            }
        }
        let loss = log_loss(&Sample { scores: &scores, defective: &parts.defective, weights: &parts.weights });
        let fused =
            join(method, given, if method == Method::Stacking { as_they_are(maps.len()) } else { maps.clone() })?;
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
    let (mut weights, mut stacking, mut adaptive) = (evenly(), None, None);
    let best = || simplex(&given.members, &given.defective, &given.weights);
    match method {
        Method::WeightedMean => weights = best(),
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
        Method::Single | Method::Mean | Method::Maximum | Method::Cascade | Method::Boxes => {}
    }
    Ok(Fused { method, calibrators, weights, stacking, adaptive })
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
    let mut fused = vec![0.0; parts.len()];
    let mut by_method: Vec<(Method, Vec<f64>)> = Vec::new();
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
    let control = if parts.members.len() > 1 { control(parts, &members, &fused, &fused_ranked) } else { None };
    let defective = parts.defective.iter().filter(|is| **is).count();
    let evidence =
        Evidence { parts: parts.len(), defective, folds: FOLDS, members, methods, fused: fused_ranked, control };
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
