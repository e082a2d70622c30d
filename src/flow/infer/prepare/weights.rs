//! Weights: which samples of an axis each sample of a resized axis is made of, and how much each counts.
//!
//! Pure numbers. Those of the antialiased filters are Pillow's (`Resample.c`: the support grows with the reduction, weights
//! are brought to a sum of 1); "linear" is the same triangle whose support does not grow, as `OpenCV`'s `INTER_LINEAR`.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "positions lie within an axis, whose length is far below 2^53"
)]

use crate::models::passport::Filter;

/// Bits behind the point of a whole-number weight: with 8 bits of a level and 2 bits of headroom they fill 32, as in
/// Pillow.
pub(super) const WEIGHT_BITS: u32 = 22;

/// The length of a source axis, the stretch of it that is meant, and the length it becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) source: usize,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) target: usize,
}

impl Span {
    /// The first sample, where every sample is taken as it is.
    #[expect(clippy::float_cmp, reason = "whole numbers are held exactly")]
    pub(super) fn in_place(&self) -> Option<usize> {
        let same = self.to - self.from == self.target as f64 && self.from.fract() == 0.0;
        same.then_some(self.from as usize)
    }

    /// Samples of the source for one of the target.
    fn scale(&self) -> f64 {
        (self.to - self.from) / self.target as f64
    }

    /// The whole, even number of samples that become one, where `linear` takes the mean of the two in the middle.
    pub(super) fn halves(&self) -> Option<usize> {
        let scale = self.scale();
        let even = scale.fract() == 0.0 && scale >= 2.0 && (scale as usize).is_multiple_of(2);
        (even && self.from == 0.0 && self.to <= self.source as f64).then_some(scale as usize)
    }
}

/// Where a target sample's weights begin and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taps {
    pub(super) first: usize,
    pub(super) count: usize,
}

/// The weights of one axis, kept until another span is asked for.
#[derive(Debug)]
pub(super) struct Weights<W> {
    span: Option<(Filter, Span)>,
    taps: Vec<Taps>,
    numbers: Vec<W>,
    room: usize,
    exact: Vec<f64>,
}

/// A number that weighs samples.
pub(super) trait Weight: Copy {
    /// From an exact weight.
    fn of(weight: f64) -> Self;
}

impl Weight for i32 {
    fn of(weight: f64) -> Self {
        (weight * f64::from(1_u32 << WEIGHT_BITS)).round() as Self
    }
}

impl Weight for f32 {
    fn of(weight: f64) -> Self {
        weight as Self
    }
}

impl<W: Weight> Weights<W> {
    pub(super) const fn new() -> Self {
        Self { span: None, taps: Vec::new(), numbers: Vec::new(), room: 0, exact: Vec::new() }
    }

    /// Works the weights out, unless they are those of last time.
    pub(super) fn work_out(&mut self, filter: Filter, span: Span) {
        if self.span == Some((filter, span)) {
            return;
        }
        let scale = span.scale();
        let growth = if filter == Filter::Linear { 1.0 } else { scale.max(1.0) };
        let (support, shrink) = (radius(filter) * growth, 1.0 / growth);
        self.room = support.ceil() as usize * 2 + 1;
        self.taps.clear();
        self.numbers.clear();
        for place in 0..span.target {
            let centre = span.from + (place as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(span.source);
            let first = first.min(span.source - 1);
            let count = end.saturating_sub(first).clamp(1, self.room);
            self.exact.clear();
            self.exact.extend((first..first + count).map(|at| curve(filter, (at as f64 - centre + 0.5) * shrink)));
            let sum: f64 = self.exact.iter().sum();
            let whole = if sum == 0.0 { 1.0 } else { sum };
            self.taps.push(Taps { first, count });
            self.numbers.extend(self.exact.iter().map(|weight| W::of(weight / whole)));
            self.numbers.resize(self.taps.len() * self.room, W::of(0.0));
        }
        self.span = Some((filter, span));
    }

    /// What the sample `place` of the target is made of.
    #[inline]
    pub(super) fn of(&self, place: usize) -> (Taps, &[W]) {
        let taps = self.taps[place];
        (taps, &self.numbers[place * self.room..][..taps.count])
    }

    /// All taps, in the order of the target.
    #[inline]
    pub(super) fn taps(&self) -> &[Taps] {
        &self.taps
    }
}

/// How far a filter reaches to each side, in samples of the target.
const fn radius(filter: Filter) -> f64 {
    match filter {
        Filter::Bilinear | Filter::Linear => 1.0,
        Filter::Bicubic => 2.0,
        Filter::Area | Filter::Nearest => 0.5,
    }
}

/// A filter's curve; the cubic is Keys' (1981) with a = -0.5.
fn curve(filter: Filter, at: f64) -> f64 {
    let distance = at.abs();
    match filter {
        Filter::Bilinear | Filter::Linear => (1.0 - distance).max(0.0),
        Filter::Bicubic if distance < 1.0 => (1.5 * distance - 2.5) * distance * distance + 1.0,
        Filter::Bicubic if distance < 2.0 => ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0,
        Filter::Bicubic => 0.0,
        Filter::Area | Filter::Nearest => f64::from(u8::from(at > -0.5 && at <= 0.5)),
    }
}
