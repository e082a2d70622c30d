//! Logistic regression by Newton's method, which is iteratively reweighted least squares (T. Hastie, R. Tibshirani and J.
//! Friedman, *The Elements of Statistical Learning*, 4.4.1), with halved steps where a whole one overshoots. Pure.
//!
//! The problem is convex and has as many unknowns as a panel has members and one more, so a dense Cholesky of a dozen lines
//! does what a crate for linear algebra would.

use crate::fusion::calibrator::logistic;

/// What a regression is fitted to: the coefficients w that minimise the sum over the parts of
/// weight x (ln(1 + exp(z)) - target x z), z = row . w, plus half the sum of penalty x w^2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Problem<'p> {
    /// A row of finite numbers for each part, all of one length; one that is always 1 is an intercept.
    pub(super) rows: &'p [Vec<f64>],
    /// What each part should become, 0 to 1.
    pub(super) targets: &'p [f64],
    /// How much each part counts, at least 0.
    pub(super) weights: &'p [f64],
    /// The penalty of each coefficient, at least 0.
    pub(super) penalties: &'p [f64],
}

/// Steps after which an answer would have been there.
const STEPS: usize = 200;

/// A share of the greatest curvature that is added to every one, so that coefficients which the parts do not tell apart have
/// a step; it changes the way there and not the end.
const RIDGE: f64 = 1e-12;

/// A loss of some coefficients, with its gradient and a curvature that is symmetric and nowhere negative.
pub(super) trait Loss {
    /// How much it is.
    fn loss(&self, at: &[f64]) -> f64;
    /// The gradient, and the curvature by which a step is measured.
    fn slopes(&self, at: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>);
}

/// The coefficients at which the gradient is 0 within 1e-10 of the sum of the weights.
///
/// # Errors
/// One sentence where there is no end: a hard target on parts that the rows tell apart without error, and no penalty.
pub(super) fn solve(problem: &Problem<'_>) -> Result<Vec<f64>, String> {
    let near = 1e-10 * problem.weights.iter().sum::<f64>().max(1.0);
    let (at, arrived) = descend(problem, vec![0.0; problem.penalties.len()], near);
    arrived.then_some(at).ok_or_else(|| {
        format!(
            "the logistic regression found no end in {STEPS} steps: the scores tell good from defective without error"
        )
    })
}

/// Steps downwards until no slope is steeper than `near`; where it came to, no higher than where it began, and whether it
/// arrived.
pub(super) fn descend(problem: &impl Loss, mut at: Vec<f64>, near: f64) -> (Vec<f64>, bool) {
    for _ in 0..STEPS {
        let (gradient, curvature) = problem.slopes(&at);
        if gradient.iter().all(|slope| slope.abs() <= near) {
            return (at, true);
        }
        let Some(step) = cholesky(curvature, &gradient) else { break };
        let here = problem.loss(&at);
        let along: f64 = step.iter().zip(&gradient).map(|(step, slope)| step * slope).sum();
        let mut share = 1.0;
        let mut next: Vec<f64>;
        loop {
            next = at.iter().zip(&step).map(|(at, step)| at - share * step).collect();
            // Armijo's rule; at the end, differences drown in the last bits of the sum.
            if problem.loss(&next) <= here - 1e-4 * share * along + 1e-13 * here.abs() || share < 1e-9 {
                break;
            }
            share /= 2.0;
        }
        at = next;
    }
    (at, false)
}

impl Problem<'_> {
    fn log_odds(row: &[f64], at: &[f64]) -> f64 {
        row.iter().zip(at).map(|(value, coefficient)| value * coefficient).sum()
    }
}

impl Loss for Problem<'_> {
    fn loss(&self, at: &[f64]) -> f64 {
        let parts = self.rows.iter().zip(self.targets).zip(self.weights);
        let loss = parts.map(|((row, target), weight)| {
            let z = Self::log_odds(row, at);
            weight * (z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z)
        });
        let penalty = self.penalties.iter().zip(at).map(|(penalty, at)| penalty * at * at / 2.0);
        loss.sum::<f64>() + penalty.sum::<f64>()
    }

    /// The curvature is the matrix of second derivatives.
    fn slopes(&self, at: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let mut gradient: Vec<f64> = self.penalties.iter().zip(at).map(|(penalty, at)| penalty * at).collect();
        let mut curvature = vec![vec![0.0; at.len()]; at.len()];
        for ((row, target), weight) in self.rows.iter().zip(self.targets).zip(self.weights) {
            let chance = logistic(Self::log_odds(row, at));
            let (pull, bend) = (weight * (chance - target), weight * chance * (1.0 - chance));
            for ((slope, line), value) in gradient.iter_mut().zip(&mut curvature).zip(row) {
                *slope += pull * value;
                for (cell, other) in line.iter_mut().zip(row) {
                    *cell += bend * value * other;
                }
            }
        }
        for (place, (line, penalty)) in curvature.iter_mut().zip(self.penalties).enumerate() {
            if let Some(cell) = line.get_mut(place) {
                *cell += penalty;
            }
        }
        (gradient, curvature)
    }
}

/// Solves a symmetric system that is positive definite once [`RIDGE`] is added; `None` where it is not.
pub(crate) fn cholesky(mut matrix: Vec<Vec<f64>>, right: &[f64]) -> Option<Vec<f64>> {
    let size = right.len();
    let greatest = (0..size).map(|i| matrix[i][i]).fold(f64::MIN_POSITIVE, f64::max);
    for i in 0..size {
        matrix[i][i] += RIDGE * greatest;
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| matrix[i][k] * matrix[j][k]).sum();
            let rest = matrix[i][j] - sum;
            matrix[i][j] = if i == j { rest.sqrt() } else { rest / matrix[j][j] };
        }
        if matrix[i][i].is_nan() || matrix[i][i] <= 0.0 {
            return None;
        }
    }
    let mut answer = right.to_vec();
    for i in 0..size {
        let sum: f64 = (0..i).map(|k| matrix[i][k] * answer[k]).sum();
        answer[i] = (answer[i] - sum) / matrix[i][i];
    }
    for i in (0..size).rev() {
        let sum: f64 = (i + 1..size).map(|k| matrix[k][i] * answer[k]).sum();
        answer[i] = (answer[i] - sum) / matrix[i][i];
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_intercept_alone_is_the_log_odds_of_the_share() {
        let rows = vec![vec![1.0]; 4];
        let problem =
            Problem { rows: &rows, targets: &[1.0, 0.0, 0.0, 1.0], weights: &[3.0, 1.0, 1.0, 3.0], penalties: &[0.0] };
        assert!((solve(&problem).unwrap()[0] - 3_f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn parts_that_are_told_apart_without_error_have_no_end_unless_it_is_penalised() {
        let rows: Vec<Vec<f64>> = [-1.0, -2.0, 1.0, 2.0].iter().map(|z| vec![1.0, *z]).collect();
        let targets = [0.0, 0.0, 1.0, 1.0];
        let problem = |penalties| solve(&Problem { rows: &rows, targets: &targets, weights: &[1.0; 4], penalties });
        assert!(problem(&[0.0, 1.0]).unwrap()[1] > 0.5);
        // Without a penalty it goes on until the gradient drowns, or says so: either way nothing but finite numbers.
        assert!(problem(&[0.0, 0.0]).map_or(true, |at| at.iter().all(|at| at.is_finite())));
    }

    proptest! {
        #[test]
        fn no_step_from_the_answer_leads_lower(
            parts in prop::collection::vec((-3.0..3.0f64, -3.0..3.0f64, 0.05..0.95f64, 0.1..2.0f64), 3..40),
            way in (-1.0..1.0f64, -1.0..1.0f64, -1.0..1.0f64)
        ) {
            let rows: Vec<Vec<f64>> = parts.iter().map(|part| vec![1.0, part.0, part.1]).collect();
            let targets: Vec<f64> = parts.iter().map(|part| part.2).collect();
            let weights: Vec<f64> = parts.iter().map(|part| part.3).collect();
            let problem = Problem { rows: &rows, targets: &targets, weights: &weights, penalties: &[0.0, 0.3, 0.3] };
            let at = solve(&problem).unwrap();
            let best = problem.loss(&at);
            for size in [1e-3, 0.1, 3.0] {
                let other: Vec<f64> =
                    at.iter().zip([way.0, way.1, way.2]).map(|(at, way)| at + size * way).collect();
                prop_assert!(problem.loss(&other) >= best - 1e-10);
            }
        }
    }
}
