//! Weights by class: for each label by itself, whose word counts how much. Pure.
//!
//! Each label is one question, of this class or not, and its weights are those on the simplex with the least log loss of the mean
//! of the members' answers, see [`super::weights`]. The weights of the route, one a member, are those with the least log loss over
//! the questions of all labels together. A class with too few parts keeps the weights of the route.

use super::weights::simplex;
use crate::fusion::classes::ClassWeights;
use crate::name::Name;

/// The parts of a class, and those of other classes, for each weight that is free to move: fewer, and a coefficient of a logistic
/// model is biased and its error understated (P. Peduzzi, J. Concato, E. Kemper, T. Holford and A. Feinstein, "A simulation study
/// of the number of events per variable in logistic regression analysis", Journal of Clinical Epidemiology 49, 1996). Of the
/// weights of m members that know a label, whose sum is 1, m - 1 are free.
pub const EVENTS: usize = 10;

/// What members say of each label.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Classes {
    /// The labels, by the names that the panel shares, in the order of the names.
    pub labels: Vec<Name>,
    /// Whether each label is a defect.
    pub defects: Vec<bool>,
    /// The place of each part's own class among the labels, where that is known.
    pub truth: Vec<Option<usize>>,
    /// For each member and each label its chance, 0 to 1, for each part; `None` where the member does not know the label.
    pub said: Vec<Vec<Option<Vec<f64>>>>,
}

impl Classes {
    /// What is said of the parts at these places.
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Self {
        let of = |chances: &Option<Vec<f64>>| {
            chances.as_ref().map(|chances| places.iter().map(|&place| chances[place]).collect())
        };
        Self {
            labels: self.labels.clone(),
            defects: self.defects.clone(),
            truth: places.iter().map(|&place| self.truth[place]).collect(),
            said: self.said.iter().map(|labels| labels.iter().map(of).collect()).collect(),
        }
    }

    /// How many parts are of the class at this place.
    #[must_use]
    pub fn count(&self, label: usize) -> usize {
        self.truth.iter().filter(|truth| **truth == Some(label)).count()
    }

    /// How many parts of a class, and how many of others, its own weights want.
    #[must_use]
    pub fn wanted(&self, label: usize) -> usize {
        EVENTS * self.knowing(label).count().saturating_sub(1).max(1)
    }

    /// The members that know a label, with their chances.
    fn knowing(&self, label: usize) -> impl Iterator<Item = (usize, &Vec<f64>)> {
        self.said.iter().enumerate().filter_map(move |(member, labels)| Some((member, labels[label].as_ref()?)))
    }

    /// The parts whose class is known, with how much each counts.
    fn known(&self, weights: &[f64]) -> (Vec<usize>, Vec<f64>) {
        self.truth
            .iter()
            .zip(weights)
            .enumerate()
            .filter(|(_, (truth, _))| truth.is_some())
            .map(|(place, (_, weight))| (place, *weight))
            .unzip()
    }
}

/// One weight for each member, on the simplex, with the least log loss over all labels together. A label that not everybody knows
/// asks nobody; where everybody is left without a question, all weigh alike. `weights` says how much each part counts.
#[must_use]
pub fn route_weights(classes: &Classes, weights: &[f64]) -> Vec<f64> {
    let (known, counts) = classes.known(weights);
    let (mut members, mut is, mut counted) = (vec![Vec::new(); classes.said.len()], Vec::new(), Vec::new());
    for label in (0..classes.labels.len()).filter(|&label| classes.knowing(label).count() == classes.said.len()) {
        for (member, chances) in classes.knowing(label) {
            members[member].extend(known.iter().map(|&place| chances[place]));
        }
        is.extend(known.iter().map(|&place| classes.truth[place] == Some(label)));
        counted.extend_from_slice(&counts);
    }
    simplex(&members, &is, &counted)
}

/// The weights of every label; `route` holds one for each member, for labels with too few parts.
#[must_use]
pub fn class_weights(classes: &Classes, weights: &[f64], route: &[f64]) -> Vec<ClassWeights> {
    let (known, counts) = classes.known(weights);
    let of_label = |label: usize| {
        let (seats, chances): (Vec<usize>, Vec<&Vec<f64>>) = classes.knowing(label).unzip();
        let parts = classes.count(label);
        let own = parts.min(known.len() - parts) >= classes.wanted(label);
        let found = if own {
            let members: Vec<Vec<f64>> =
                chances.iter().map(|chances| known.iter().map(|&place| chances[place]).collect()).collect();
            let is: Vec<bool> = known.iter().map(|&place| classes.truth[place] == Some(label)).collect();
            simplex(&members, &is, &counts)
        } else {
            shares(seats.iter().map(|&seat| route[seat]).collect())
        };
        let mut weights = vec![0.0; classes.said.len()];
        for (seat, weight) in seats.into_iter().zip(found) {
            weights[seat] = weight;
        }
        ClassWeights { label: classes.labels[label].clone(), parts, own, weights }
    };
    (0..classes.labels.len()).map(of_label).collect()
}

/// Weights as shares of their sum; all alike where that is 0.
fn shares(weights: Vec<f64>) -> Vec<f64> {
    let whole: f64 = weights.iter().sum();
    let alike = 1.0 / f64::from(u32::try_from(weights.len()).unwrap_or(u32::MAX).max(1));
    weights.into_iter().map(|weight| if whole > 0.0 { weight / whole } else { alike }).collect()
}

#[cfg(test)]
pub(super) mod tests;
