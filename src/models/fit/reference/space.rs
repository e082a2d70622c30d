//! Where the embeddings of labelled pictures lie: around a mean, mostly along a few directions. Holds numbers, and says where one
//! more vector lies among them; how they are chosen is the business of [`crate::learn::drift`].
//!
//! A vector becomes five numbers as in the multivariate control of processes: its scores along the first directions; how far it lies
//! off the mean within their span, in standard deviations (the root of Hotelling's T squared, which is Mahalanobis' distance there);
//! and how far beyond it (the root of Q, the squared prediction error): J. Jackson and G. Mudholkar, "Control procedures for
//! residuals associated with principal component analysis", Technometrics 21 (1979). Deliberately without their limits, which
//! want normal distributions: each number has its own distribution in the reference.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most directions.
pub const DIRECTIONS: usize = 3;

/// The longest vector that is watched: a fit holds four of its length.
pub const MOST_NUMBERS: usize = 8192;

/// A share of a vector's length below which a distance is one of rounding: binary16, in which some providers reckon, keeps three
/// digits. Without it a model whose vectors hardly differ would seem to drift when another provider runs it.
pub const ROUNDING: f64 = 1e-3;

/// Where embeddings lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingSpace {
    /// The seat of the member whose vectors they are, from 0.
    pub member: usize,
    /// The parts by which the rest was chosen; none of them is among the values of a distribution.
    pub chosen_by: usize,
    /// Their mean.
    pub mean: Vec<f64>,
    /// The directions in which they differ most, at most three; each of length 1 and at right angles to the others.
    pub directions: Vec<Vec<f64>>,
    /// Their variance along each, above 0.
    pub variances: Vec<f64>,
}

/// Where a vector lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// How far along each direction; `None` where there are fewer.
    pub scores: [Option<f64>; DIRECTIONS],
    /// How far off the mean within the span of the directions, in standard deviations; `None` without any.
    pub within: Option<f64>,
    /// How far beyond that span; 0 where that is less than [`ROUNDING`] of the vector's length.
    pub beyond: f64,
}

impl EmbeddingSpace {
    /// Where a vector lies; `None` for one of another length.
    #[must_use]
    pub fn place(&self, vector: &[f32]) -> Option<Place> {
        if vector.len() != self.mean.len() {
            return None;
        }
        let away: Vec<f64> = vector.iter().zip(&self.mean).map(|(number, mean)| f64::from(*number) - mean).collect();
        let along = |direction: &Vec<f64>| away.iter().zip(direction).map(|(one, other)| one * other).sum::<f64>();
        let scores: Vec<f64> = self.directions.iter().map(along).collect();
        let whole: f64 = away.iter().map(|number| number * number).sum();
        let inside: f64 = scores.iter().map(|score| score * score).sum();
        let length: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
        let beyond = Some((whole - inside).max(0.0)).filter(|beyond| *beyond > ROUNDING.powi(2) * length);
        let within: f64 = scores.iter().zip(&self.variances).map(|(score, variance)| score * score / variance).sum();
        Some(Place {
            scores: std::array::from_fn(|direction| scores.get(direction).copied()),
            within: (!scores.is_empty()).then(|| within.sqrt()),
            beyond: beyond.map_or(0.0, f64::sqrt),
        })
    }

    /// What is wrong with the numbers, in one sentence.
    ///
    /// # Errors
    /// A vector of another length than the mean, or numbers that are not finite or no variances.
    pub fn check(&self) -> Result<(), String> {
        let length = self.mean.len();
        if !(1..=MOST_NUMBERS).contains(&length) {
            return Err(format!("the mean of its embeddings has {length} numbers, want 1 to {MOST_NUMBERS}"));
        }
        let (directions, variances) = (self.directions.len(), self.variances.len());
        if directions > DIRECTIONS || directions != variances {
            return Err(format!(
                "its embeddings have {directions} directions and {variances} variances, want as many of both, at most {DIRECTIONS}"
            ));
        }
        if let Some(other) = self.directions.iter().find(|direction| direction.len() != length) {
            return Err(format!("a direction of its embeddings has {} numbers, want {length}", other.len()));
        }
        if let Some(variance) = self.variances.iter().find(|variance| !(variance.is_finite() && **variance > 0.0)) {
            return Err(format!("a variance of its embeddings is {variance}, want a finite number above 0"));
        }
        if self.directions.iter().flatten().chain(&self.mean).all(|number| number.is_finite()) {
            Ok(())
        } else {
            Err("its embeddings have a number that is not finite".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> EmbeddingSpace {
        EmbeddingSpace {
            member: 1,
            chosen_by: 10,
            mean: vec![1.0, 0.0, 0.0],
            directions: vec![vec![0.0, 1.0, 0.0]],
            variances: vec![4.0],
        }
    }

    #[test]
    fn a_place_by_hand() {
        let place = space().place(&[4.0, 6.0, 4.0]).unwrap();
        assert_eq!((place.scores, place.within, place.beyond), ([Some(6.0), None, None], Some(3.0), 5.0));
        assert_eq!(space().place(&[0.0; 2]), None);
        let bare = EmbeddingSpace { directions: vec![], variances: vec![], ..space() };
        let place = bare.place(&[1.0, 3.0, 4.0]).unwrap();
        assert_eq!((place.scores, place.within, place.beyond), ([None; 3], None, 5.0));
        let near = bare.place(&[1.0, 0.0005, 0.0]).unwrap();
        assert!(near.beyond.abs() < 1e-15, "rounding is no distance: {near:?}");
    }

    #[test]
    fn numbers_that_are_no_space_are_told() {
        let told = |change: fn(&mut EmbeddingSpace)| {
            let mut space = space();
            change(&mut space);
            space.check().unwrap_err()
        };
        assert_eq!(space().check(), Ok(()));
        assert!(told(|it| it.mean.clear()).contains("has 0 numbers"));
        assert!(told(|it| it.variances.clear()).contains("1 directions and 0 variances"));
        assert!(told(|it| it.directions[0].push(0.0)).contains("has 4 numbers, want 3"));
        assert!(told(|it| it.variances[0] = 0.0).contains("is 0, want"));
        assert!(told(|it| it.mean[0] = f64::NAN).contains("not finite"));
    }
}
