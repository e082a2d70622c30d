//! Ensembles that join label by label: the score of a part as the daemon finds it, and how sure each label is. Pure.

use super::Fused;
use crate::fusion::{self, Ballot, Fusion, Over, Rule, classes::weighted};
use crate::learn::calibrate::{Sample, log_loss};
use crate::learn::class_weights::Classes;
use crate::models::fit::{Method, RankedClass};
use crate::name::Name;

/// What the ensemble makes of one part; `None` where nobody with a weight says anything.
pub(super) fn fused(ensemble: &Fused, classes: &Classes, place: usize) -> Option<fusion::Fused> {
    let by_class = ensemble.method == Method::ClassWeights;
    let voters: Vec<usize> =
        (0..classes.said.len()).filter(|&member| by_class || ensemble.weights[member] > 0.0).collect();
    let known = |member: usize| {
        let labels = classes.labels.iter().zip(&classes.said[member]);
        labels.filter_map(|(label, chances)| Some((label, chances.as_ref()?[place]))).collect()
    };
    let said: Vec<Vec<(&Name, f64)>> = voters.iter().map(|&member| known(member)).collect();
    let labels = classes.labels.iter().zip(&classes.defects);
    let defects: Vec<Name> = labels.filter(|(_, is)| **is).map(|(label, _)| label.clone()).collect();
    let mut ballots = Vec::new();
    for (&member, classes) in voters.iter().zip(&said) {
        ballots.push(Ballot { weight: ensemble.weights[member], score: 0.0, classes, defects: &defects });
    }
    if by_class {
        return weighted(&ballots, &voters, &ensemble.classes).ok().flatten();
    }
    let rule = match ensemble.method {
        Method::WeightedMean => Rule::WeightedMean,
        Method::Maximum => Rule::Maximum,
        _ => Rule::Mean,
    };
    Fusion { rule, over: Over::Classes, boxes: None }.apply(&ballots)
}

/// The fused chance of each label for each part, by folds that did not hold the part: with one weight a member, and by class.
pub(super) struct Crossed<'c> {
    classes: &'c Classes,
    /// By method, label and part.
    chances: [Vec<Vec<f64>>; 2],
    taken: [bool; 2],
}

impl<'c> Crossed<'c> {
    pub(super) fn of(classes: &'c Classes) -> Self {
        let none = || vec![vec![0.0; classes.truth.len()]; classes.labels.len()];
        Self { classes, chances: [none(), none()], taken: [false; 2] }
    }

    /// Takes what an ensemble says of a part that it was not fitted to.
    pub(super) fn take(&mut self, ensemble: &Fused, place: usize) {
        let method = match ensemble.method {
            Method::WeightedMean => 0,
            Method::ClassWeights => 1,
            _ => return,
        };
        self.taken[method] = true;
        let Some(found) = fused(ensemble, self.classes, place) else { return };
        for (label, chances) in self.classes.labels.iter().zip(&mut self.chances[method]) {
            let chance = found.classes.iter().find(|(known, _)| known == label).map(|(_, chance)| *chance);
            chances[place] = chance.unwrap_or_default();
        }
    }

    /// Each class with both log losses; none where one of the methods was not tried.
    pub(super) fn ranked(&self, weights: &[f64]) -> Vec<RankedClass> {
        if self.taken != [true; 2] {
            return Vec::new();
        }
        let known: Vec<usize> = (0..weights.len()).filter(|&place| self.classes.truth[place].is_some()).collect();
        let counts: Vec<f64> = known.iter().map(|&place| weights[place]).collect();
        let of = |label: usize| {
            let is: Vec<bool> = known.iter().map(|&place| self.classes.truth[place] == Some(label)).collect();
            let loss = |chances: &[Vec<f64>]| {
                let scores: Vec<f64> = known.iter().map(|&place| chances[label][place]).collect();
                log_loss(&Sample { scores: &scores, defective: &is, weights: &counts })
            };
            let [plain, by_class] = &self.chances;
            RankedClass {
                label: self.classes.labels[label].clone(),
                parts: self.classes.count(label),
                log_loss: loss(plain),
                log_loss_by_class: loss(by_class),
            }
        };
        (0..self.classes.labels.len()).map(of).collect()
    }
}
