//! What the labelled pictures of a fit looked like: the distributions that the daemon holds the line's own parts against.
//!
//! Holds numbers and nothing else; whether the line has drifted away from them is the business of [`crate::learn::drift`].

pub mod space;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fusion::adaptive::Quality;
use crate::name::Name;
use space::EmbeddingSpace;

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
    /// How far its embedding lies along the direction in which the labelled ones differ most.
    EmbeddingFirst,
    /// Along the second such direction.
    EmbeddingSecond,
    /// Along the third.
    EmbeddingThird,
    /// How far it lies off the mean within the span of these directions, in standard deviations.
    EmbeddingWithin,
    /// How far it lies beyond that span.
    EmbeddingBeyond,
}

impl Statistic {
    /// All of them.
    pub const ALL: [Self; Self::EmbeddingBeyond as usize + 1] = [
        Self::Score,
        Self::Sharpness,
        Self::Brightness,
        Self::Clipped,
        Self::Noise,
        Self::EmbeddingFirst,
        Self::EmbeddingSecond,
        Self::EmbeddingThird,
        Self::EmbeddingWithin,
        Self::EmbeddingBeyond,
    ];

    /// Those of embeddings.
    pub const OF_EMBEDDINGS: [Self; 5] = [
        Self::EmbeddingFirst,
        Self::EmbeddingSecond,
        Self::EmbeddingThird,
        Self::EmbeddingWithin,
        Self::EmbeddingBeyond,
    ];

    /// Its name in sentences.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Sharpness => "sharpness",
            Self::Brightness => "brightness",
            Self::Clipped => "clipped",
            Self::Noise => "noise",
            Self::EmbeddingFirst => "embedding, first direction",
            Self::EmbeddingSecond => "embedding, second direction",
            Self::EmbeddingThird => "embedding, third direction",
            Self::EmbeddingWithin => "embedding, distance within the directions",
            Self::EmbeddingBeyond => "embedding, distance beyond the directions",
        }
    }
}

/// What is watched of one part.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// The fused score, 0 to 1; `None` for a part that could not be judged.
    pub score: Option<f64>,
    /// How well its picture was taken; `None` for a part without one.
    pub quality: Option<Quality>,
    /// Its embedding; `None` where no member gave one.
    pub embedding: Option<Embedded>,
}

/// The embedding of one part.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// The seat of the member that gave it, from 0.
    pub member: usize,
    /// Its numbers.
    pub vector: Arc<[f32]>,
}

/// The value of each statistic for one part, in the order of [`Statistic::ALL`]; `None` where the part has none, or one that is
/// not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Values([Option<f64>; Statistic::ALL.len()]);

impl Values {
    /// Those of a part, with its embedding seen in `space` where there is one.
    fn of(seen: &Seen, space: Option<&EmbeddingSpace>) -> Self {
        let embedded = space.zip(seen.embedding.as_ref()).filter(|(space, given)| space.member == given.member);
        let place = embedded.and_then(|(space, given)| space.place(&given.vector));
        let value = |statistic: Statistic| {
            let value = match statistic {
                Statistic::Score => seen.score?,
                Statistic::Sharpness => seen.quality?.sharpness,
                Statistic::Brightness => seen.quality?.brightness,
                Statistic::Clipped => seen.quality?.clipped,
                Statistic::Noise => seen.quality?.noise,
                Statistic::EmbeddingFirst => place?.scores[0]?,
                Statistic::EmbeddingSecond => place?.scores[1]?,
                Statistic::EmbeddingThird => place?.scores[2]?,
                Statistic::EmbeddingWithin => place?.within?,
                Statistic::EmbeddingBeyond => place?.beyond,
            };
            Some(value).filter(|value| value.is_finite())
        };
        Self(Statistic::ALL.map(value))
    }

    /// That of one statistic.
    #[must_use]
    pub const fn get(&self, statistic: Statistic) -> Option<f64> {
        self.0[statistic as usize]
    }
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
    /// Where their embeddings lie; absent where no member gives one, or too few parts had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<EmbeddingSpace>,
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
    /// The reference of these parts as `camera` saw them, but for their embeddings; statistics that no part has are left out.
    #[must_use]
    pub fn of(camera: Name, parts: &[Seen]) -> Self {
        let values: Vec<Values> = parts.iter().map(|seen| Values::of(seen, None)).collect();
        Self { camera, parts: parts.len(), distributions: distributions(&values), embedding: None }
    }

    /// The same with the distributions of these embeddings in `space`. None of them may have chosen it: see
    /// [`crate::learn::drift::space`].
    #[must_use]
    pub fn with_embeddings(mut self, space: EmbeddingSpace, embedded: &[&Embedded]) -> Self {
        let seen = |one: &&Embedded| Seen { embedding: Some((*one).clone()), ..Seen::default() };
        let values: Vec<Values> = embedded.iter().map(|one| Values::of(&seen(one), Some(&space))).collect();
        self.distributions.extend(distributions(&values));
        self.embedding = Some(space);
        self
    }

    /// The value of each statistic for a part.
    #[must_use]
    pub fn values(&self, seen: &Seen) -> Values {
        Values::of(seen, self.embedding.as_ref())
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
        self.embedding.as_ref().map_or(Ok(()), EmbeddingSpace::check)
    }
}

/// The distribution of each statistic that any of these parts has.
fn distributions(parts: &[Values]) -> Vec<Distribution> {
    let distribution = |statistic: Statistic| {
        let values = thinned(parts.iter().filter_map(|values| values.get(statistic)).collect());
        (!values.is_empty()).then_some(Distribution { statistic, values })
    };
    Statistic::ALL.into_iter().filter_map(distribution).collect()
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
        Seen { score: Some(value / 1000.0), quality: Some(quality), embedding: None }
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
        let blind = Reference::of(camera, &[Seen { score: Some(0.5), ..Seen::default() }]);
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
