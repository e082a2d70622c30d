//! Fusion of dense maps: what several members say of each pixel becomes one map.
//!
//! For anomaly maps, maps of class probabilities and masks, all of one size: the maps of another size are refused, since
//! only the caller knows how they are to be resized. Pure; the rules are those of [`Rule`].
//!
//! **Order.** Sorting the votes of every pixel would be too slow. The members are summed in the order of their names
//! instead, which are unlike: the result does not depend on the order of the layers, to the last bit.

use super::Rule;
use crate::name::Name;

/// How many pixels are summed at a time, so that the sums stay in the cache.
const STRETCH: usize = 1024;

/// What one member says of every pixel, row by row from the top left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pixels<'a> {
    /// A number each: an anomaly score in any one unit, or a probability.
    Values(&'a [f32]),
    /// Whether the pixel belongs to a thing; counts as 1 or 0.
    Bits(&'a [bool]),
}

/// The map of one member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer<'a> {
    /// The member's name: no two layers have the same.
    pub member: &'a Name,
    /// The member's weight: finite and above 0; only the ratio to the others' matters.
    pub weight: f64,
    /// The width of the map in pixels.
    pub width: usize,
    /// The height of the map in pixels.
    pub height: usize,
    /// What it says; width times height pixels.
    pub pixels: Pixels<'a>,
}

/// Why maps were not fused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MapError {
    /// There is nothing to fuse.
    #[error("no map was given: want one or more")]
    Empty,
    /// Two layers of one member.
    #[error("member {member} gave two maps: want one")]
    Twice {
        /// The member.
        member: Name,
    },
    /// A weight out of its range.
    #[error("member {member} has weight {seen}: want a finite number above 0")]
    Weight {
        /// The member.
        member: Name,
        /// Its weight.
        seen: f64,
    },
    /// The pixels are not as many as the size says.
    #[error(
        "the map of member {member} is {width} x {height} and has {seen} pixels: want width times height, 1 or more"
    )]
    Length {
        /// The member.
        member: Name,
        /// The width said.
        width: usize,
        /// The height said.
        height: usize,
        /// How many pixels there are.
        seen: usize,
    },
    /// Two maps of different sizes.
    #[error(
        "the map of member {member} is {width} x {height}, that of {other} {wanted_width} x {wanted_height}: want one size, resize one"
    )]
    Size {
        /// The member.
        member: Name,
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
        /// The member it is compared with, the first by name.
        other: Name,
        /// That member's width.
        wanted_width: usize,
        /// That member's height.
        wanted_height: usize,
    },
    /// A pixel that is not a finite number.
    #[error("the map of member {member} says {seen} at column {column}, row {row}: want finite numbers")]
    NotFinite {
        /// The member.
        member: Name,
        /// What stands there.
        seen: f32,
        /// Where, from the left, counted from 0.
        column: usize,
        /// Where, from the top, counted from 0.
        row: usize,
    },
}

impl Pixels<'_> {
    fn count(self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Bits(bits) => bits.len(),
        }
    }

    /// Hands the pixels from `start` on to `take`, as many as there are sums; sums are numbers of 64 bits.
    fn each(self, start: usize, sums: &mut [f64], take: impl Fn(&mut f64, f64)) {
        match self {
            Self::Values(values) => {
                sums.iter_mut().zip(values.iter().skip(start)).for_each(|(sum, &value)| take(sum, f64::from(value)));
            }
            Self::Bits(bits) => {
                sums.iter_mut()
                    .zip(bits.iter().skip(start))
                    .for_each(|(sum, &bit)| take(sum, f64::from(u8::from(bit))));
            }
        }
    }
}

/// Fuses the layers pixel by pixel; the result has their size and lies, at every pixel, between the least and the
/// greatest vote.
///
/// Means are summed in 64 bits and rounded to 32 at the end. [`Rule::Mean`] does not use the weights, nor does
/// [`Rule::Maximum`].
///
/// # Errors
/// [`MapError`] when there is no layer, two are of one member or of different sizes, or a weight or a pixel is not in
/// its range.
pub fn fuse(rule: Rule, layers: &[Layer<'_>]) -> Result<Vec<f32>, MapError> {
    let mut layers: Vec<&Layer<'_>> = layers.iter().collect();
    layers.sort_by_key(|layer| layer.member);
    let pixels = check(&layers)?;
    let weight = |layer: &Layer<'_>| if rule == Rule::WeightedMean { layer.weight } else { 1.0 };
    let greatest = layers.iter().map(|layer| weight(layer)).fold(0.0, f64::max);
    let total: f64 = layers.iter().map(|layer| weight(layer) / greatest).sum();
    let mut fused = vec![0.0f32; pixels];
    let mut sums = [0.0f64; STRETCH];
    for (stretch, out) in fused.chunks_mut(STRETCH).enumerate() {
        let start = stretch * STRETCH;
        let nothing = if rule == Rule::Maximum { f64::NEG_INFINITY } else { 0.0 };
        sums.fill(nothing);
        for layer in &layers {
            let share = weight(layer) / greatest / total;
            if rule == Rule::Maximum {
                layer.pixels.each(start, &mut sums, |most, value| *most = if value > *most { value } else { *most });
            } else {
                layer.pixels.each(start, &mut sums, |sum, value| *sum += value * share);
            }
        }
        out.iter_mut().zip(&sums).for_each(|(out, &sum)| *out = narrow(sum));
    }
    Ok(fused)
}

/// The mask of a fused map: the pixels at or above `from`.
#[must_use]
pub fn mask(map: &[f32], from: f32) -> Vec<bool> {
    map.iter().map(|&value| value >= from).collect()
}

/// Checks layers in the order of their members; how many pixels each has.
fn check(layers: &[&Layer<'_>]) -> Result<usize, MapError> {
    let Some(first) = layers.first() else { return Err(MapError::Empty) };
    if let Some([layer, _]) = layers.array_windows().find(|[a, b]| a.member == b.member) {
        return Err(MapError::Twice { member: layer.member.clone() });
    }
    for layer in layers {
        let &&Layer { member, weight, width, height, pixels } = layer;
        let member = || member.clone();
        if !(weight.is_finite() && weight > 0.0) {
            return Err(MapError::Weight { member: member(), seen: weight });
        }
        if (width, height) != (first.width, first.height) {
            let (wanted_width, wanted_height) = (first.width, first.height);
            let other = first.member.clone();
            return Err(MapError::Size { member: member(), width, height, other, wanted_width, wanted_height });
        }
        let seen = pixels.count();
        if seen == 0 || width.checked_mul(height) != Some(seen) {
            return Err(MapError::Length { member: member(), width, height, seen });
        }
        let Pixels::Values(values) = pixels else { continue };
        if let Some((at, &seen)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(MapError::NotFinite { member: member(), seen, column: at % width, row: at / width });
        }
    }
    Ok(first.pixels.count())
}

/// Rounds to the nearest number of 32 bits. Rounding keeps the order, so a mean stays between its votes.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what is wanted")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn layer<'a>(member: &'a Name, weight: f64, width: usize, pixels: Pixels<'a>) -> Layer<'a> {
        Layer { member, weight, width, height: pixels.count() / width.max(1), pixels }
    }

    #[test]
    fn the_rules_by_hand() {
        let (a, b) = (name("a"), name("b"));
        let (first, second) = ([0.0f32, 1.0, 0.5, 2.0], [1.0f32, 0.0, 0.5, 4.0]);
        let layers = [layer(&a, 1.0, 2, Pixels::Values(&first)), layer(&b, 3.0, 2, Pixels::Values(&second))];
        assert_eq!(fuse(Rule::Mean, &layers).unwrap(), [0.5, 0.5, 0.5, 3.0]);
        assert_eq!(fuse(Rule::WeightedMean, &layers).unwrap(), [0.75, 0.25, 0.5, 3.5]);
        assert_eq!(fuse(Rule::Maximum, &layers).unwrap(), [1.0, 1.0, 0.5, 4.0]);
        let negative = [-3.0f32, -1.0];
        assert_eq!(fuse(Rule::Maximum, &[layer(&a, 1.0, 2, Pixels::Values(&negative))]).unwrap(), negative);
    }

    #[test]
    fn masks_are_voted_on_by_weight() {
        let (a, b, c) = (name("a"), name("b"), name("c"));
        let (first, second, third) = ([true, true, false], [true, false, false], [0.9f32, 0.2, 0.4]);
        let layers = [
            layer(&a, 1.0, 3, Pixels::Bits(&first)),
            layer(&b, 1.0, 3, Pixels::Bits(&second)),
            layer(&c, 2.0, 3, Pixels::Values(&third)),
        ];
        assert_eq!(mask(&fuse(Rule::WeightedMean, &layers).unwrap(), 0.5), [true, false, false]);
        assert_eq!(mask(&fuse(Rule::WeightedMean, &layers).unwrap(), 0.25), [true, true, false]);
        assert_eq!(mask(&fuse(Rule::Maximum, &layers).unwrap(), 0.5), [true, true, false]);
        assert_eq!(mask(&[0.5], 0.5), [true]);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let (a, b) = (name("first"), name("second"));
        let four = [0.0f32; 4];
        let good = layer(&a, 1.0, 2, Pixels::Values(&four));
        let refusal = |layers: &[Layer<'_>]| fuse(Rule::Mean, layers).unwrap_err().to_string();
        assert_eq!(refusal(&[]), "no map was given: want one or more");
        assert_eq!(refusal(&[good, good]), "member first gave two maps: want one");
        let wide = layer(&b, 1.0, 4, Pixels::Values(&four));
        assert_eq!(
            refusal(&[wide, good]),
            "the map of member second is 4 x 1, that of first 2 x 2: want one size, resize one"
        );
        let short = Layer { pixels: Pixels::Bits(&[true; 3]), member: &b, ..good };
        assert!(refusal(&[good, short]).contains("2 x 2 and has 3 pixels"));
        let vast = Layer { width: usize::MAX, height: usize::MAX, ..good };
        assert!(refusal(&[vast]).contains("has 4 pixels"));
        let empty = Layer { width: 0, height: 0, pixels: Pixels::Values(&[]), ..good };
        assert!(refusal(&[empty]).contains("has 0 pixels"));
        for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(refusal(&[Layer { weight, ..good }]).contains("finite number above 0"));
        }
        let holed = [0.0, 1.0, f32::NAN, 0.0];
        assert!(refusal(&[layer(&b, 1.0, 2, Pixels::Values(&holed))]).contains("says NaN at column 0, row 1"));
    }

    proptest! {
        #[test]
        fn maps_are_fused_in_any_order_within_their_hull(
            columns in proptest::collection::vec((0.01..100.0f64, proptest::collection::vec(-1e6..1e6f32, 1500)), 1..5),
            turn in 0usize..5,
        ) {
            let names = ["b", "c", "a", "e", "d"].map(name);
            let mut layers: Vec<_> =
                columns.iter().zip(&names).map(|((weight, values), name)| layer(name, *weight, 3, Pixels::Values(values))).collect();
            for rule in [Rule::Mean, Rule::WeightedMean, Rule::Maximum] {
                let straight = fuse(rule, &layers).unwrap();
                let places = layers.len();
                layers.rotate_left(turn % places);
                let turned = fuse(rule, &layers).unwrap();
                prop_assert!(straight.iter().zip(&turned).all(|(a, b)| a.to_bits() == b.to_bits()));
                for (pixel, &seen) in straight.iter().enumerate() {
                    let votes = || columns.iter().map(|(_, values)| values[pixel]);
                    let (least, most) = (votes().fold(f32::INFINITY, f32::min), votes().fold(f32::NEG_INFINITY, f32::max));
                    prop_assert!((least..=most).contains(&seen));
                    prop_assert!(rule != Rule::Maximum || seen.to_bits() == most.to_bits());
                }
                let alike: Vec<_> = layers.iter().map(|l| Layer { pixels: layers[0].pixels, ..*l }).collect();
                let Pixels::Values(votes) = layers[0].pixels else { unreachable!() };
                prop_assert_eq!(fuse(rule, &alike).unwrap(), votes);
            }
        }
    }
}
