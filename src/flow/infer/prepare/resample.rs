//! Resample: a part of a picture at another size, row by row.
//!
//! Narrows first, then shortens, and rounds to whole levels after each, with weights of 22 bits: exactly Pillow's numbers
//! for 8-bit pictures. Words are weighed in binary32 and rounded likewise. For the narrowing, rows are turned eight at a
//! time so that each weight meets a whole vector of samples; it is plain code that the compiler vectorises.
//! Buffers and weights are kept: nothing is allocated while the sizes stay the same.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::needless_range_loop,
    clippy::inline_always,
    reason = "loops over places are what the compiler turns into vectors whatever else it does; weighted sums are held to their range before they are narrowed; positions lie within an axis"
)]

use super::weights::{Span, WEIGHT_BITS, Weight, Weights};
use crate::flow::vectorised::vectorised;
use crate::models::passport::Filter;

/// Samples somewhere in memory: `height` rows of `width` pixels that begin `stride` pixels apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a, S> {
    pub(super) samples: &'a [S],
    pub(super) channels: usize,
    pub(super) stride: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl<'a, S> View<'a, S> {
    /// A whole row.
    fn row(&self, row: usize) -> &'a [S] {
        &self.samples[row * self.stride * self.channels..][..self.width * self.channels]
    }
}

/// A sample of a picture, and how it is weighed.
pub(super) trait Sample: Copy + Default + Into<f32> + Into<f64> + Into<u32> {
    /// A weight, and a sum of weighed samples.
    type Sum: Weight + std::fmt::Debug;
    /// A sum of nothing, with what makes the end round to the nearest.
    const NOTHING: Self::Sum;
    /// The sum with one sample more.
    fn add(sum: Self::Sum, weight: Self::Sum, sample: Self) -> Self::Sum;
    /// The nearest sample.
    fn round(sum: Self::Sum) -> Self;
    /// The mean of four that were added up.
    fn mean(sum: u32) -> Self;
    /// The nearest sample to a number.
    fn nearest(number: f64) -> Self;
}

impl Sample for u8 {
    type Sum = i32;
    const NOTHING: i32 = 1 << (WEIGHT_BITS - 1);

    #[inline(always)]
    fn add(sum: i32, weight: i32, sample: Self) -> i32 {
        // The weights of a sample sum up to 1, and those of a cubic in magnitude to less than 2: 31 bits hold it.
        sum.wrapping_add(weight.wrapping_mul(i32::from(sample)))
    }

    #[inline(always)]
    fn round(sum: i32) -> Self {
        (sum >> WEIGHT_BITS).clamp(0, 255) as Self
    }

    #[inline(always)]
    fn mean(sum: u32) -> Self {
        ((sum + 2) >> 2) as Self
    }

    fn nearest(number: f64) -> Self {
        number.round() as Self
    }
}

impl Sample for u16 {
    type Sum = f32;
    const NOTHING: f32 = 0.5;

    #[inline(always)]
    fn add(sum: f32, weight: f32, sample: Self) -> f32 {
        sum + weight * f32::from(sample)
    }

    #[inline(always)]
    fn round(sum: f32) -> Self {
        sum as Self
    }

    #[inline(always)]
    fn mean(sum: u32) -> Self {
        ((sum + 2) >> 2) as Self
    }

    fn nearest(number: f64) -> Self {
        number.round() as Self
    }
}

/// Rows that are turned together, and the numbers of a pixel column of them for one and for three channels.
const TURNED: usize = 8;
const COLOUR: usize = 3 * TURNED;

/// What resamples pictures of one kind of sample.
#[derive(Debug)]
pub(super) struct Resampler<S: Sample> {
    across: Weights<S::Sum>,
    down: Weights<S::Sum>,
    grey_tile: Vec<[S; TURNED]>,
    colour_tile: Vec<[S; COLOUR]>,
    narrowed: Vec<S>,
    /// The place of each source row among the narrowed ones.
    places: Vec<usize>,
    columns: Vec<usize>,
    row: Vec<S>,
    way: Way,
}

/// How rows come about.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Read where they are: the first column and row.
    InPlace(usize, usize),
    /// The nearest pixel, by tables of columns; the vertical span.
    Nearest(Span),
    /// The mean of two by two pixels, so many apart.
    Mean(usize, usize),
    /// Narrowed rows are weighed; or those of the picture, from this column on.
    Down(Option<usize>),
    /// Narrowed rows as they are, from this row on.
    Across,
}

impl<S: Sample> Resampler<S> {
    pub(super) fn new() -> Self {
        Self {
            across: Weights::new(),
            down: Weights::new(),
            grey_tile: Vec::new(),
            colour_tile: Vec::new(),
            narrowed: Vec::new(),
            places: Vec::new(),
            columns: Vec::new(),
            row: Vec::new(),
            way: Way::InPlace(0, 0),
        }
    }

    /// Makes ready to give the rows of `view`, of which the two spans are meant.
    pub(super) fn begin(&mut self, view: &View<'_, S>, filter: Filter, across: Span, down: Span) {
        self.row.resize(across.target * view.channels, S::default());
        self.way = match (across.in_place(), down.in_place()) {
            (Some(left), Some(top)) => Way::InPlace(left, top),
            _ if filter == Filter::Nearest => {
                self.columns.clear();
                self.columns.extend(nearest(across));
                Way::Nearest(down)
            }
            (left, top) => match (across.halves(), down.halves()) {
                (Some(wide), Some(high)) if filter == Filter::Linear => Way::Mean(wide, high),
                _ => {
                    self.down.work_out(filter, down);
                    if left.is_none() {
                        self.across.work_out(filter, across);
                        self.narrow(view, across.target, top);
                    }
                    if top.is_some() { Way::Across } else { Way::Down(left) }
                }
            },
        };
    }

    /// Narrows the rows that are needed: all that `down` takes part of, or so many from `top` on.
    fn narrow(&mut self, view: &View<'_, S>, width: usize, top: Option<usize>) {
        self.places.clear();
        self.places.resize(view.height, usize::MAX);
        let mut needed = 0;
        for (place, taps) in self.down.taps().iter().enumerate() {
            let rows = top.map_or(taps.first..taps.first + taps.count, |top| top + place..top + place + 1);
            for row in rows {
                if self.places[row] == usize::MAX {
                    self.places[row] = needed;
                    needed += 1;
                }
            }
        }
        let length = width * view.channels;
        self.narrowed.resize(needed * length, S::default());
        let mut rows = [&[][..]; TURNED];
        let mut held = 0;
        let mut into = self.narrowed.chunks_mut(length * TURNED);
        for row in (0..view.height).filter(|row| self.places[*row] != usize::MAX) {
            rows[held] = view.row(row);
            held += 1;
            if held == TURNED {
                held = 0;
                into.next().into_iter().for_each(|into| {
                    narrow_tile(&rows, view.channels, &self.across, (&mut self.grey_tile, &mut self.colour_tile), into);
                });
            }
        }
        if held > 0
            && let Some(into) = into.next()
        {
            let last = rows[held - 1];
            rows[held..].fill(last);
            narrow_tile(&rows, view.channels, &self.across, (&mut self.grey_tile, &mut self.colour_tile), into);
        }
    }

    /// One row of the target; `begin` has been called with the same view.
    pub(super) fn row<'r>(&'r mut self, view: &View<'r, S>, row: usize) -> &'r [S] {
        let length = self.row.len();
        match self.way {
            Way::InPlace(left, top) => &view.row(top + row)[left * view.channels..][..length],
            Way::Across => &self.narrowed[row * length..][..length],
            Way::Nearest(down) => {
                let source = view.row(nearest(down).nth(row).unwrap_or_default());
                let pixels = self.row.chunks_exact_mut(view.channels);
                for (pixel, column) in pixels.zip(&self.columns) {
                    pixel.copy_from_slice(&source[column * view.channels..][..view.channels]);
                }
                &self.row
            }
            Way::Mean(wide, high) => {
                let upper = row * high + high / 2 - 1;
                let rows = (view.row(upper), view.row(upper + 1));
                if view.channels == 1 {
                    mean::<S, 1>(rows.0, rows.1, wide, self.row.as_chunks_mut().0);
                } else {
                    mean::<S, 3>(rows.0, rows.1, wide, self.row.as_chunks_mut().0);
                }
                &self.row
            }
            Way::Down(left) => {
                let (taps, weights) = self.down.of(row);
                match left {
                    Some(left) => {
                        let source = &view.samples[(taps.first * view.stride + left) * view.channels..];
                        shorten(source, view.stride * view.channels, weights, &mut self.row);
                    }
                    None => shorten(&self.narrowed[self.places[taps.first] * length..], length, weights, &mut self.row),
                }
                &self.row
            }
        }
    }
}

/// The nearest source sample of each target sample, found as Pillow finds it: by adding up steps.
fn nearest(span: Span) -> impl Iterator<Item = usize> {
    let step = (span.to - span.from) / span.target as f64;
    let last = span.source - 1;
    (0..span.target).scan(span.from + step * 0.5, move |at, _| {
        let place = (*at as usize).min(last);
        *at += step;
        Some(place)
    })
}

/// Narrows eight rows, given in order, into as many rows of `into` as it holds.
fn narrow_tile<S: Sample>(
    rows: &[&[S]; TURNED],
    channels: usize,
    weights: &Weights<S::Sum>,
    (grey, colour): (&mut Vec<[S; TURNED]>, &mut Vec<[S; COLOUR]>),
    into: &mut [S],
) {
    if channels == 1 {
        grey.resize(rows[0].len(), [S::default(); TURNED]);
        turn::<S, 1, TURNED>(rows, grey);
        weigh::<S, 1, TURNED>(grey, weights, in_rows(into, weights.taps().len()));
    } else {
        colour.resize(rows[0].len() / 3, [S::default(); COLOUR]);
        turn::<S, 3, COLOUR>(rows, colour);
        weigh::<S, 3, COLOUR>(colour, weights, in_rows(into, weights.taps().len()));
    }
}

/// Rows of `width` pixels; empty ones where there is no room.
fn in_rows<S, const CHANNELS: usize>(into: &mut [S], width: usize) -> [&mut [[S; CHANNELS]]; TURNED] {
    let mut rows = into.chunks_exact_mut(width * CHANNELS);
    std::array::from_fn(|_| rows.next().map_or(&mut [][..], |row| row.as_chunks_mut().0))
}

/// Eight rows become columns of eight pixels.
fn turn<S: Sample, const CHANNELS: usize, const NUMBERS: usize>(rows: &[&[S]; TURNED], tile: &mut [[S; NUMBERS]]) {
    let pixels: [&[[S; CHANNELS]]; TURNED] = rows.map(|row| row.as_chunks().0);
    for place in 0..tile.len() {
        let into = tile[place].as_chunks_mut::<CHANNELS>().0;
        for row in 0..TURNED {
            into[row] = pixels[row][place];
        }
    }
}

vectorised! {
    /// Weighs columns of eight pixels, and turns the sums back into rows.
    fn weigh[S: Sample, const CHANNELS: usize, const NUMBERS: usize](
        tile: &[[S; NUMBERS]],
        weights: &Weights<S::Sum>,
        into: [&mut [[S; CHANNELS]]; TURNED],
    ) {
        for place in 0..weights.taps().len() {
            let (taps, weights) = weights.of(place);
            let columns = &tile[taps.first..][..taps.count];
            let mut sums = [S::NOTHING; NUMBERS];
            for tap in 0..taps.count {
                for number in 0..NUMBERS {
                    sums[number] = S::add(sums[number], weights[tap], columns[tap][number]);
                }
            }
            let mut samples = [S::default(); NUMBERS];
            for number in 0..NUMBERS {
                samples[number] = S::round(sums[number]);
            }
            let pixels = samples.as_chunks().0;
            for row in 0..TURNED {
                if let Some(into) = into[row].get_mut(place) {
                    *into = pixels[row];
                }
            }
        }
    }
}

vectorised! {
    /// Weighs rows that begin `stride` samples apart into one.
    fn shorten[S: Sample](source: &[S], stride: usize, weights: &[S::Sum], into: &mut [S]) {
        const WIDE: usize = 32;
        let (chunks, rest) = into.as_chunks_mut::<WIDE>();
        let done = chunks.len() * WIDE;
        for place in 0..chunks.len() {
            let mut sums = [S::NOTHING; WIDE];
            for row in 0..weights.len() {
                if let Some(samples) = source[row * stride + place * WIDE..].first_chunk::<WIDE>() {
                    for number in 0..WIDE {
                        sums[number] = S::add(sums[number], weights[row], samples[number]);
                    }
                }
            }
            for number in 0..WIDE {
                chunks[place][number] = S::round(sums[number]);
            }
        }
        for place in 0..rest.len() {
            let mut sum = S::NOTHING;
            for row in 0..weights.len() {
                sum = S::add(sum, weights[row], source[row * stride + done + place]);
            }
            rest[place] = S::round(sum);
        }
    }
}

vectorised! {
    /// The mean of the two by two pixels in the middle of each square of `step` pixels.
    fn mean[S: Sample, const CHANNELS: usize](
        upper: &[S],
        lower: &[S],
        step: usize,
        into: &mut [[S; CHANNELS]],
    ) {
        let (upper, lower) = (upper.as_chunks::<CHANNELS>().0, lower.as_chunks::<CHANNELS>().0);
        let squares = (upper.len() / step).min(lower.len() / step).min(into.len());
        for place in 0..squares {
            let (left, right) = (place * step + step / 2 - 1, place * step + step / 2);
            for channel in 0..CHANNELS {
                let (one, two): (u32, u32) = (upper[left][channel].into(), upper[right][channel].into());
                let (three, four): (u32, u32) = (lower[left][channel].into(), lower[right][channel].into());
                into[place][channel] = S::mean(one + two + three + four);
            }
        }
    }
}
