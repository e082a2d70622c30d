//! How good a head is, by examples that it was not taught: each is judged by a head of the others. Pure.
//!
//! An estimate for parts that are drawn as the examples were, and for no others. It errs on the low side where examples are few,
//! for each head of it has one less; its intervals take the examples as independent, which photographs of one part are not.

use super::{Examples, Learner, answer, chances, defect_log_odds, teach};
use crate::learn::folds::folds;
use crate::learn::interval;
use crate::learn::scored::Scored;
use crate::models::price::Estimate;

/// The most examples that are left out one at a time; of more, a twentieth is left out together.
const ONE_AT_A_TIME: usize = 200;

/// The folds of a set that is too large to be left out one by one.
const FOLDS: usize = 20;

/// The seed of those folds.
const SEED: u64 = 7;

/// How sure a typical answer may become by a slope, as the [`spread`] of its scores: of two classes log-odds from 0.1 to 10.
const SPREAD: (f64, f64) = (0.05, 5.0);

/// What a head says of each example that it was not taught.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// The scores of the classes, in the order of the examples.
    pub scores: Vec<Vec<f64>>,
    /// How many examples were left out at once: 1, or a fold of 20.
    pub way: Way,
}

/// How examples were held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// One at a time.
    LeaveOneOut,
    /// In 20 folds, because there are more than 200.
    TwentyFolds,
}

impl Way {
    /// Its name in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeaveOneOut => "leave-one-out",
            Self::TwentyFolds => "twenty-folds",
        }
    }
}

/// Judges each example by a head of the others.
///
/// # Errors
/// One sentence: a class that has one example only, without which no head can be taught, or what [`teach`] says.
pub fn held_out(learner: Learner, examples: &Examples) -> Result<HeldOut, String> {
    if let Some(class) = examples.counts().iter().position(|count| *count < 2) {
        return Err(format!("class {class} has fewer than two examples: none of it can be held out"));
    }
    let (fold_of, way) = fold_of(examples)?;
    let mut scores = vec![Vec::new(); fold_of.len()];
    for fold in 0..fold_of.iter().max().map_or(0, |most| most + 1) {
        let head = teach(learner, &examples.only(|place| fold_of[place] != fold))?;
        for (place, scores) in scores.iter_mut().enumerate().filter(|(place, _)| fold_of[*place] == fold) {
            *scores = head.scores(&examples.vectors[place]);
        }
    }
    Ok(HeldOut { scores, way })
}

/// The fold of each example.
fn fold_of(examples: &Examples) -> Result<(Vec<usize>, Way), String> {
    let all = examples.classes.len();
    if all <= ONE_AT_A_TIME {
        return Ok(((0..all).collect(), Way::LeaveOneOut));
    }
    let bad: Vec<bool> = examples.classes.iter().map(|class| *class > 0).collect();
    Ok((folds(&bad, None, FOLDS, SEED)?, Way::TwentyFolds))
}

/// What scores are multiplied with where nothing is held out: a typical answer then has log-odds of 1, which is a guess.
#[must_use]
pub fn guessed_slope(scores: &[Vec<f64>]) -> f64 {
    0.5 / spread(scores)
}

/// How far scores lie from the mean of their example, the root of the mean square; 1 where they do not differ at all.
fn spread(scores: &[Vec<f64>]) -> f64 {
    let off = |scores: &Vec<f64>| {
        let middle = scores.iter().sum::<f64>() / super::number(scores.len());
        scores.iter().map(move |score| (score - middle).powi(2)).collect::<Vec<f64>>()
    };
    let squares: Vec<f64> = scores.iter().flat_map(off).collect();
    let spread = (squares.iter().sum::<f64>() / super::number(squares.len().max(1))).sqrt();
    if spread > 0.0 { spread } else { 1.0 }
}

/// What scores are multiplied with, so that their softmax is the chance of each class: the slope with the least log loss against
/// Platt's targets, (n + 1) / (n + 2) for the class of an example that n examples have, between bounds: the
/// scores of a typical example then have a root mean square of 0.05 to 5, of two classes log-odds from 0.1 to 10. The answers
/// stay what they are.
#[must_use]
pub fn slope(scores: &[Vec<f64>], examples: &Examples) -> f64 {
    let counts = examples.counts();
    let target = |class: usize, of: usize| {
        let few = 1.0 / (super::number(counts[of]) + 2.0);
        if class == of { 1.0 - few } else { few / super::number(examples.count.max(2) - 1) }
    };
    let weights = examples.weights();
    // The loss is convex in the slope, so its derivative changes its sign once.
    let rises = |log_slope: f64| {
        let slope = log_slope.exp();
        let pull = |((scores, of), weight): ((&Vec<f64>, &usize), &f64)| {
            let scaled: Vec<f64> = scores.iter().map(|score| slope * score).collect();
            let off = chances(&scaled).into_iter().enumerate().map(|(class, chance)| chance - target(class, *of));
            weight * off.zip(scores).map(|(off, score)| off * score).sum::<f64>()
        };
        scores.iter().zip(&examples.classes).zip(&weights).map(pull).sum::<f64>() > 0.0
    };
    let spread = spread(scores);
    let (mut low, mut high) = ((SPREAD.0 / spread).ln(), (SPREAD.1 / spread).ln());
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if rises(middle) { high = middle } else { low = middle }
    }
    f64::midpoint(low, high).exp()
}

/// Figures of held-out scores: balanced accuracy over the classes, and the area under the ROC curve of good parts, class 0,
/// against all others. `counted` says which examples take part.
///
/// # Errors
/// One sentence where no good or no defective example is counted.
pub fn figures(
    scores: &[Vec<f64>],
    examples: &Examples,
    counted: impl Fn(usize) -> bool,
) -> Result<(Estimate, Estimate), String> {
    let places: Vec<usize> = (0..scores.len()).filter(|place| counted(*place)).collect();
    let of_class = |class: usize| {
        let all = places.iter().filter(|place| examples.classes[**place] == class);
        (all.clone().filter(|place| answer(&scores[**place]) == class).count(), all.count())
    };
    let classes: Vec<(usize, usize)> = (0..examples.count).map(of_class).filter(|(_, parts)| *parts > 0).collect();
    let bad: Vec<bool> = places.iter().map(|place| examples.classes[*place] > 0).collect();
    let ranked: Vec<f64> = places.iter().map(|place| defect_log_odds(&scores[*place])).collect();
    let area = area(&ranked, &bad)?;
    Ok((interval::balanced_accuracy(&classes), area))
}

/// The area under the ROC curve with its interval.
///
/// # Errors
/// One sentence without good or without defective parts, or with a score that is no number.
pub fn area(scores: &[f64], bad: &[bool]) -> Result<Estimate, String> {
    let value = Scored::new(bad, scores)?.auc(&vec![1; scores.len()]);
    let defective = bad.iter().filter(|is| **is).count();
    Ok(interval::auc(value, bad.len() - defective, defective))
}
