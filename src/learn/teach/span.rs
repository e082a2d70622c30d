//! The space that a few examples span: an embedding has hundreds of numbers, fifty examples differ in 49 ways at most.
//!
//! The weights of a regression with an L2 penalty lie in that space (the representer theorem: G. Kimeldorf and G. Wahba, 1971),
//! so it may be solved there and lifted back. Distances between the examples are kept but for one scale.

use super::{dot, mean, number};

/// A share of the mean distance from the mean below which a direction is one of rounding.
const NOTHING: f64 = 1e-9;

/// An orthonormal basis around the mean of some vectors, and the root of their mean squared distance from it.
#[derive(Debug)]
pub(super) struct Span {
    origin: Vec<f64>,
    scale: f64,
    basis: Vec<Vec<f64>>,
}

impl Span {
    /// By Gram and Schmidt, each direction freed of the earlier ones twice, which is enough (L. Giraud and others, 2005).
    pub(super) fn of(vectors: &[Vec<f64>]) -> Self {
        let origin = mean(vectors.iter().map(Vec::as_slice));
        let away = |vector: &Vec<f64>| vector.iter().zip(&origin).map(|(one, middle)| one - middle).collect();
        let away: Vec<Vec<f64>> = vectors.iter().map(away).collect();
        let squares: f64 = away.iter().map(|one| dot(one, one)).sum();
        let spread = (squares / number(away.len().max(1))).sqrt();
        let scale = if spread > 0.0 { spread } else { 1.0 };
        let mut basis: Vec<Vec<f64>> = Vec::new();
        for mut one in away {
            for _ in 0..2 {
                for direction in &basis {
                    let along = dot(&one, direction);
                    one.iter_mut().zip(direction).for_each(|(number, part)| *number -= along * part);
                }
            }
            let length = dot(&one, &one).sqrt();
            if length > NOTHING * scale {
                for number in &mut one {
                    *number /= length;
                }
                basis.push(one);
            }
        }
        Self { origin, scale, basis }
    }

    /// Where a vector stands, as seen in the space; what lies outside of it is left away.
    pub(super) fn coordinates(&self, vector: &[f64]) -> Vec<f64> {
        let away: Vec<f64> = vector.iter().zip(&self.origin).map(|(one, middle)| one - middle).collect();
        self.basis.iter().map(|direction| dot(&away, direction) / self.scale).collect()
    }

    /// Weights and bias of a vector that give what `slopes` and `intercept` give of its coordinates.
    pub(super) fn lifted(&self, slopes: &[f64], intercept: f64) -> (Vec<f64>, f64) {
        let mut weights = vec![0.0; self.origin.len()];
        for (slope, direction) in slopes.iter().zip(&self.basis) {
            weights.iter_mut().zip(direction).for_each(|(weight, part)| *weight += slope * part / self.scale);
        }
        let bias = intercept - dot(&weights, &self.origin);
        (weights, bias)
    }
}

#[cfg(test)]
mod tests {
    use super::super::distance;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn distances_are_kept_and_lines_are_lifted(
            vectors in prop::collection::vec(prop::collection::vec(-3.0..3.0f64, 5), 2..9), slope in -2.0..2.0f64
        ) {
            let span = Span::of(&vectors);
            prop_assert!(span.basis.len() < vectors.len() && span.basis.len() <= 5);
            let slopes = vec![slope; span.basis.len()];
            let (weights, bias) = span.lifted(&slopes, 0.5);
            for one in &vectors {
                let inside = span.coordinates(one);
                prop_assert!((dot(&weights, one) + bias - dot(&slopes, &inside) - 0.5).abs() < 1e-8);
                for other in &vectors {
                    let apart = distance(&inside, &span.coordinates(other)) * span.scale;
                    prop_assert!((apart - distance(one, other)).abs() < 1e-7);
                }
            }
        }
    }

    #[test]
    fn examples_that_are_all_alike_span_nothing() {
        let span = Span::of(&[vec![1.0, 2.0], vec![1.0, 2.0]]);
        assert!(span.coordinates(&[5.0, 5.0]).is_empty());
        assert_eq!(span.lifted(&[], 0.25), (vec![0.0, 0.0], 0.25));
    }
}
