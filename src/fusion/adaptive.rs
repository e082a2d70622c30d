//! Adaptive weights: whom to believe for this picture, as a fit found it. A gate over a mixture of the members (R. Jacobs,
//! M. Jordan, S. Nowlan and G. Hinton, "Adaptive mixtures of local experts", Neural Computation 3, 1991): a member's plain
//! weight is raised or lowered by the quality of its picture and by how unsure it is itself.
//!
//! Applies a gate; fitting one is the business of [`crate::learn::gate`]. At the mean quality, with all members as unsure as
//! members are in the mean, the weights are the plain ones. A feature beyond what the fit has seen is held at the border of
//! it, and told. Promises finite weights with the sum 1 for every picture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How well a picture was taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quality {
    /// The variance of the Laplacian of the luminance in 0 to 255; low when it is out of focus.
    pub sharpness: f64,
    /// The mean luminance, 0 (black) to 1 (white).
    pub brightness: f64,
    /// The share of its pixels that are black or white, 0 to 1.
    pub clipped: f64,
    /// The standard deviation of its noise, in levels of 0 to 255, by Immerkaer's estimate.
    pub noise: f64,
}

/// What a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// ln(1 + sharpness).
    Sharpness,
    /// The brightness.
    Brightness,
    /// The share of clipped pixels.
    Clipped,
    /// ln(1 + noise).
    Noise,
}

impl Feature {
    /// All of them, in the order of a gate's coefficients.
    pub const ALL: [Self; 4] = [Self::Sharpness, Self::Brightness, Self::Clipped, Self::Noise];

    /// The feature of a picture.
    #[must_use]
    pub fn of(self, quality: &Quality) -> f64 {
        match self {
            Self::Sharpness => quality.sharpness.ln_1p(),
            Self::Brightness => quality.brightness,
            Self::Clipped => quality.clipped,
            Self::Noise => quality.noise.ln_1p(),
        }
    }

    /// Its name in sentences.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sharpness => "sharpness",
            Self::Brightness => "brightness",
            Self::Clipped => "clipped",
            Self::Noise => "noise",
        }
    }
}

/// What the fit saw of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Which.
    pub feature: Feature,
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation, above 0; 1 where all pictures were alike.
    pub spread: f64,
    /// The least that was seen.
    pub least: f64,
    /// The greatest that was seen.
    pub greatest: f64,
}

/// By how much a member's weight moves: the logarithm of a factor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tilt {
    /// For each feature, in the order of the scales, the change for one standard deviation.
    pub quality: Vec<f64>,
    /// The change for one bit more of the member's own uncertainty.
    pub uncertainty: f64,
}

/// A fitted gate: weight of a member ~ plain weight x exp(quality . features + uncertainty x (its entropy - the mean)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adaptive {
    /// The features, each once.
    pub features: Vec<Scale>,
    /// The mean entropy of the members' calibrated scores, in bits.
    pub entropy_mean: f64,
    /// One for each voting member, in the order of the seats.
    pub members: Vec<Tilt>,
}

/// The features of a picture in standard deviations, held within what the fit has seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// In the order of the scales.
    pub features: Vec<f64>,
    /// Those that lay beyond.
    pub beyond: Vec<Feature>,
}

/// A member that gave a score.
#[derive(Debug, Clone, Copy)]
pub struct Weighed<'h> {
    /// Its place among the voting members.
    pub voter: usize,
    /// Its plain weight, finite and at least 0.
    pub weight: f64,
    /// Its calibrated score, 0 to 1.
    pub score: f64,
    /// The features of the picture it looked at; `None` where it looked at none, as if that were an average one.
    pub held: Option<&'h Held>,
}

/// The greatest coefficient, and the greatest distance from the mean in standard deviations, of a sound gate.
const MOST: f64 = 1e6;

/// How far a weight may be raised or lowered: by e to the power of this.
const FARTHEST: f64 = 300.0;

impl Adaptive {
    /// Whether the numbers are in their ranges, for so many voting members.
    #[must_use]
    pub fn is_sound(&self, voters: usize) -> bool {
        let bounded = |number: f64| number.abs() <= MOST;
        let features = self.features.iter().all(|Scale { mean, spread, least, greatest, .. }| {
            let near = |border: f64| bounded((border - mean) / spread);
            mean.is_finite()
                && *spread > 0.0
                && spread.is_finite()
                && least <= greatest
                && near(*least)
                && near(*greatest)
        });
        let members = self.members.iter().all(|Tilt { quality, uncertainty }| {
            quality.len() == self.features.len() && quality.iter().copied().all(bounded) && bounded(*uncertainty)
        });
        let once = Feature::ALL
            .iter()
            .all(|feature| self.features.iter().filter(|scale| scale.feature == *feature).count() <= 1);
        features && members && once && self.members.len() == voters && (0.0..=1.0).contains(&self.entropy_mean)
    }

    /// The features of a picture.
    #[must_use]
    pub fn hold(&self, quality: &Quality) -> Held {
        let mut held = Held { features: Vec::new(), beyond: Vec::new() };
        for Scale { feature, mean, spread, least, greatest } in &self.features {
            let seen = feature.of(quality);
            let within = seen.max(*least).min(*greatest);
            held.features.push((within - mean) / spread);
            // A computation that was written out and read again may differ in the last bit.
            if (seen - within).abs() > 1e-9 * (1.0 + within.abs()) {
                held.beyond.push(*feature);
            }
        }
        held
    }

    /// The weights of these members for this part: at least 0, with sum 1. As they are where no member has a plain weight.
    #[must_use]
    pub fn weights(&self, members: &[Weighed<'_>]) -> Vec<f64> {
        let tilts: Vec<f64> = members.iter().map(|member| self.tilt(member)).collect();
        let counts = members.iter().zip(&tilts).filter(|(member, _)| member.weight > 0.0);
        let most = counts.map(|(_, tilt)| *tilt).fold(f64::NEG_INFINITY, f64::max);
        let raised = members.iter().zip(&tilts).map(|(member, tilt)| member.weight * (tilt - most).min(0.0).exp());
        let raised: Vec<f64> = raised.collect();
        let sum: f64 = raised.iter().sum();
        if sum > 0.0 { raised.iter().map(|weight| weight / sum).collect() } else { raised }
    }

    fn tilt(&self, member: &Weighed<'_>) -> f64 {
        let Some(Tilt { quality, uncertainty }) = self.members.get(member.voter) else { return 0.0 };
        let features = member.held.map_or(&[][..], |held| &held.features);
        let moved: f64 = quality.iter().zip(features).map(|(by, feature)| by * feature).sum();
        (moved + uncertainty * (entropy(member.score) - self.entropy_mean)).clamp(-FARTHEST, FARTHEST)
    }
}

/// The entropy of a chance, in bits: 0 of a certainty, 1 of one half.
#[must_use]
pub fn entropy(chance: f64) -> f64 {
    let term = |chance: f64| if chance > 0.0 { -chance * chance.log2() } else { 0.0 };
    term(chance) + term(1.0 - chance)
}

#[cfg(test)]
mod tests;
