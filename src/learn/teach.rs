//! Teaching: from a few labelled examples, each a vector of an embedding model, to a head that judges further vectors. Pure.
//!
//! The embedding stays as it is; what is learned is small enough for a handful of examples. Heads that tell classes apart are
//! linear in the vector, whatever they were learned by; the memory bank of [`bank`] knows good parts only.

pub mod bank;
pub mod curve;
pub mod held_out;
pub mod next;
mod span;

use super::newton::{self, Problem, cholesky};
use span::Span;

/// The penalty on half the squared weights (logistic) or on the squared weights (ridge), against the sum over the examples, after
/// vectors are scaled to a mean squared distance of 1 from their mean: scikit-learn's default of 1, which no example chose.
const PENALTY: f64 = 1.0;

/// Labelled vectors, all finite and of one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examples {
    /// The vectors.
    pub vectors: Vec<Vec<f64>>,
    /// The class of each, from 0 on.
    pub classes: Vec<usize>,
    /// How many classes there are.
    pub count: usize,
}

impl Examples {
    /// How many examples each class has.
    #[must_use]
    pub fn counts(&self) -> Vec<usize> {
        let of = |class| self.classes.iter().filter(|one| **one == class).count();
        (0..self.count).map(of).collect()
    }

    /// The examples whose places `kept` takes.
    #[must_use]
    pub fn only(&self, kept: impl Fn(usize) -> bool) -> Self {
        let places: Vec<usize> = (0..self.classes.len()).filter(|place| kept(*place)).collect();
        Self {
            vectors: places.iter().map(|&place| self.vectors[place].clone()).collect(),
            classes: places.iter().map(|&place| self.classes[place]).collect(),
            count: self.count,
        }
    }

    /// How much each example counts, so that every class counts alike: all / (classes x examples of its class).
    fn weights(&self) -> Vec<f64> {
        let (counts, all) = (self.counts(), number(self.classes.len()));
        self.classes.iter().map(|class| all / (number(self.count) * number(counts[*class]))).collect()
    }
}

/// What a head is learned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learner {
    /// The nearest class mean by squared Euclidean distance: J. Snell, K. Swersky and R. Zemel, "Prototypical networks for few-shot
    /// learning" (2017).
    Prototype,
    /// Ridge regression of each class against the others, 1 and -1: A. Hoerl and R. Kennard (1970).
    Ridge,
    /// Logistic regression of each class against the others with an L2 penalty; of two classes, one regression.
    Logistic,
}

impl Learner {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Prototype, Self::Ridge, Self::Logistic];
}

/// A head that is linear in the vector: a score for each class, of which the greatest is the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// The weights of each class, as many as the vector has numbers.
    pub weights: Vec<Vec<f64>>,
    /// What is added for each class.
    pub biases: Vec<f64>,
}

impl Linear {
    /// The score of each class.
    #[must_use]
    pub fn scores(&self, vector: &[f64]) -> Vec<f64> {
        self.weights.iter().zip(&self.biases).map(|(weights, bias)| dot(weights, vector) + bias).collect()
    }

    /// The same head with all scores times `slope`: the answers stay, how sure they are does not.
    #[must_use]
    pub fn scaled(mut self, slope: f64) -> Self {
        for number in self.weights.iter_mut().flatten().chain(&mut self.biases) {
            *number *= slope;
        }
        self
    }
}

/// Learns a head.
///
/// # Errors
/// One sentence: a class without examples, fewer than two classes, or a regression that found no end.
pub fn teach(learner: Learner, examples: &Examples) -> Result<Linear, String> {
    let counts = examples.counts();
    if let Some(class) = counts.iter().position(|count| *count == 0) {
        return Err(format!("class {class} has no example, want at least one of each of {} classes", counts.len()));
    }
    if counts.len() < 2 {
        return Err(format!("there are {} classes, want at least two to tell apart", counts.len()));
    }
    match learner {
        Learner::Prototype => Ok(prototype(examples)),
        Learner::Ridge => regressed(examples, ridge),
        Learner::Logistic => regressed(examples, logistic),
    }
}

/// `-|x - mean|^2` of each class, less what all classes share: `2 (mean - m) . x - |mean|^2 + |m|^2`, with m the mean of the means.
fn prototype(examples: &Examples) -> Linear {
    let means: Vec<Vec<f64>> = (0..examples.count)
        .map(|class| {
            let of_class = examples.vectors.iter().zip(&examples.classes).filter(|(_, one)| **one == class);
            mean(of_class.map(|(vector, _)| vector.as_slice()))
        })
        .collect();
    let centre = mean(means.iter().map(Vec::as_slice));
    let weights = |of: &Vec<f64>| of.iter().zip(&centre).map(|(one, middle)| 2.0 * (one - middle)).collect();
    Linear {
        weights: means.iter().map(weights).collect(),
        biases: means.iter().map(|of| dot(&centre, &centre) - dot(of, of)).collect(),
    }
}

/// What regresses rows with an intercept in front on targets of 0 and 1, each row with a weight.
type Regression = fn(&[Vec<f64>], &[f64], &[f64]) -> Result<Vec<f64>, String>;

/// A regression of each class against the others, in the space that the examples span.
fn regressed(examples: &Examples, regression: Regression) -> Result<Linear, String> {
    let span = Span::of(&examples.vectors);
    let with_intercept = |vector: &Vec<f64>| std::iter::once(1.0).chain(span.coordinates(vector)).collect();
    let rows: Vec<Vec<f64>> = examples.vectors.iter().map(with_intercept).collect();
    let weights = examples.weights();
    let of_class = |class: usize| {
        let targets: Vec<f64> = examples.classes.iter().map(|one| f64::from(u8::from(*one == class))).collect();
        let at = regression(&rows, &targets, &weights)?;
        let (intercept, slopes) = at.split_first().ok_or("nothing was fitted")?;
        Ok::<_, String>(span.lifted(slopes, *intercept))
    };
    let lines: Vec<(Vec<f64>, f64)> = if examples.count == 2 {
        // The regression of one class is that of the other, turned round: half of the log-odds each.
        let (weights, bias) = of_class(1)?;
        let half = |sign: f64| (weights.iter().map(|weight| sign * weight / 2.0).collect(), sign * bias / 2.0);
        vec![half(-1.0), half(1.0)]
    } else {
        (0..examples.count).map(of_class).collect::<Result<_, String>>()?
    };
    let (weights, biases) = lines.into_iter().unzip();
    Ok(Linear { weights, biases })
}

/// The coefficients c that minimise the sum of weight x (target - row . c)^2 and [`PENALTY`] x the squares of all of c but the
/// first, with targets of 1 and -1.
fn ridge(rows: &[Vec<f64>], targets: &[f64], weights: &[f64]) -> Result<Vec<f64>, String> {
    let size = rows.first().map_or(0, Vec::len);
    let (mut matrix, mut right) = (vec![vec![0.0; size]; size], vec![0.0; size]);
    for ((row, target), weight) in rows.iter().zip(targets).zip(weights) {
        for ((line, sum), value) in matrix.iter_mut().zip(&mut right).zip(row) {
            *sum += weight * value * (2.0 * target - 1.0);
            line.iter_mut().zip(row).for_each(|(cell, other)| *cell += weight * value * other);
        }
    }
    for (place, line) in matrix.iter_mut().enumerate().skip(1) {
        line[place] += PENALTY;
    }
    cholesky(matrix, &right).ok_or_else(|| "the ridge regression has no answer: its numbers are too large".into())
}

/// The coefficients of a logistic regression with [`PENALTY`] on all but the first.
fn logistic(rows: &[Vec<f64>], targets: &[f64], weights: &[f64]) -> Result<Vec<f64>, String> {
    let mut penalties = vec![PENALTY; rows.first().map_or(0, Vec::len)];
    if let Some(intercept) = penalties.first_mut() {
        *intercept = 0.0;
    }
    newton::solve(&Problem { rows, targets, weights, penalties: &penalties })
}

/// The greatest score's place; of equals the first.
#[must_use]
pub fn answer(scores: &[f64]) -> usize {
    let better = |best: usize, place: usize| if scores[place] > scores[best] { place } else { best };
    (0..scores.len()).reduce(better).unwrap_or(0)
}

/// The chance of each class: exponentials over their sum.
#[must_use]
pub fn chances(scores: &[f64]) -> Vec<f64> {
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - greatest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The log-odds of any class but the first, which is the good one: what ranks parts without cutting off at 0 and 1.
#[must_use]
pub fn defect_log_odds(scores: &[f64]) -> f64 {
    let Some((good, bad)) = scores.split_first() else { return 0.0 };
    let greatest = bad.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    greatest + bad.iter().map(|score| (score - greatest).exp()).sum::<f64>().ln() - good
}

/// The scalar product.
pub(in crate::learn) fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// The Euclidean distance.
#[must_use]
pub fn distance(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum::<f64>().sqrt()
}

/// The mean of at least one vector.
pub(in crate::learn) fn mean<'v>(vectors: impl Iterator<Item = &'v [f64]>) -> Vec<f64> {
    let (mut sum, mut many) = (Vec::new(), 0);
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number);
        many += 1;
    }
    for sum in &mut sum {
        *sum /= number(many);
    }
    sum
}

#[expect(clippy::cast_precision_loss, reason = "counts of examples stay far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
pub(super) mod tests;
