//! What the labelled pictures of a fit looked like: the distributions that the daemon holds the line's own parts against.
//!
//! Holds numbers and nothing else; whether the line has drifted away from them is the business of [`crate::learn::drift`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fusion::adaptive::Quality;
use crate::name::Name;

/// The most values that stand for a distribution: with so many, its cumulative distribution is off by at most 0.001.
pub const MOST: usize = 500;

/// A number that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// The fused score of the part, 0 to 1.
    Score,
    /// The sharpness of its picture.
    Sharpness,
    /// The mean luminance, 0 to 1.
    Brightness,
    /// The share of pixels that are black or white, 0 to 1.
    Clipped,
    /// The noise, in levels of 0 to 255.
    Noise,
}

impl Statistic {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Score, Self::Sharpness, Self::Brightness, Self::Clipped, Self::Noise];

    /// Its value for a part; `None` where the part has none.
    #[must_use]
    pub fn of(self, seen: &Seen) -> Option<f64> {
        let value = match self {
            Self::Score => seen.score?,
            Self::Sharpness => seen.quality?.sharpness,
            Self::Brightness => seen.quality?.brightness,
            Self::Clipped => seen.quality?.clipped,
            Self::Noise => seen.quality?.noise,
        };
        Some(value).filter(|value| value.is_finite())
    }

    /// Its name in sentences.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Sharpness => "sharpness",
            Self::Brightness => "brightness",
            Self::Clipped => "clipped",
            Self::Noise => "noise",
        }
    }
}

/// What is watched of one part.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Seen {
    /// The fused score, 0 to 1; `None` for a part that could not be judged.
    pub score: Option<f64>,
    /// How well its picture was taken; `None` for a part without one.
    pub quality: Option<Quality>,
}

/// The distributions of a fit's labelled parts, their pictures as they were taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The camera whose frames the pictures stand for.
    pub camera: Name,
    /// How many parts there were.
    pub parts: usize,
    /// Each statistic once.
    pub distributions: Vec<Distribution>,
}

/// The distribution of one statistic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// Which.
    pub statistic: Statistic,
    /// Its values, the least first; of more than 500 parts their evenly spaced quantiles.
    pub values: Vec<f64>,
}

impl Reference {
    /// The reference of these parts as `camera` saw them; statistics that no part has are left out.
    #[must_use]
    pub fn of(camera: Name, parts: &[Seen]) -> Self {
        let distribution = |statistic: Statistic| {
            let values = thinned(parts.iter().filter_map(|seen| statistic.of(seen)).collect());
            (!values.is_empty()).then_some(Distribution { statistic, values })
        };
        let distributions = Statistic::ALL.into_iter().filter_map(distribution).collect();
        Self { camera, parts: parts.len(), distributions }
    }

    /// What is wrong with the numbers, in one sentence.
    ///
    /// # Errors
    /// A statistic that is there twice, or whose values are none, too many, not finite or not in order.
    pub fn check(&self) -> Result<(), String> {
        for (place, Distribution { statistic, values }) in self.distributions.iter().enumerate() {
            let name = statistic.as_str();
            if self.distributions.iter().take(place).any(|other| other.statistic == *statistic) {
                return Err(format!("its reference has {name} twice"));
            }
            let count = values.len();
            if !(1..=MOST).contains(&count) || !values.iter().all(|value| value.is_finite()) || !values.is_sorted() {
                return Err(format!(
                    "its reference of {name} has {count} values, want 1 to {MOST} finite ones, the least first"
                ));
            }
        }
        Ok(())
    }
}

/// The values in order; of too many the quantiles in the middle of [`MOST`] equal shares.
fn thinned(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    if count <= MOST {
        return values;
    }
    (0..MOST).filter_map(|share| values.get((2 * share + 1) * count / (2 * MOST)).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(value: f64) -> Seen {
        let quality = Quality { sharpness: value, brightness: 0.5, clipped: 0.0, noise: 1.0 };
        Seen { score: Some(value / 1000.0), quality: Some(quality) }
    }

    #[test]
    fn few_parts_are_kept_as_they_are_and_many_as_their_quantiles() {
        let camera = Name::new("top").unwrap();
        let few = Reference::of(camera.clone(), &[3.0, 1.0, 2.0].map(seen));
        assert_eq!((few.parts, &few.distributions[1].values), (3, &vec![1.0, 2.0, 3.0]));
        let many: Vec<Seen> = (0..1000).map(|value| seen(f64::from(value))).collect();
        let many = Reference::of(camera.clone(), &many);
        let wanted: Vec<f64> = (0..500).map(|share| f64::from(2 * share + 1)).collect();
        assert_eq!((many.parts, &many.distributions[1].values), (1000, &wanted));
        assert_eq!((few.check(), many.check()), (Ok(()), Ok(())));
        let blind = Reference::of(camera, &[Seen { score: Some(0.5), quality: None }]);
        assert_eq!(blind.distributions.len(), 1, "what no part has is no statistic");
    }

    #[test]
    fn values_that_are_no_distribution_are_told() {
        let told = |change: fn(&mut Reference)| {
            let mut reference = Reference::of(Name::new("top").unwrap(), &[3.0, 1.0, 2.0].map(seen));
            change(&mut reference);
            reference.check().unwrap_err()
        };
        assert!(told(|it| it.distributions[0].values.reverse()).contains("of score has 3 values"));
        assert!(told(|it| it.distributions[1].values.clear()).contains("of sharpness has 0 values"));
        assert!(told(|it| it.distributions[1].values[2] = f64::INFINITY).contains("finite"));
        assert!(told(|it| it.distributions[1].statistic = Statistic::Score).ends_with("has score twice"));
    }
}
