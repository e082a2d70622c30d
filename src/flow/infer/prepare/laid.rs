//! The two kinds of samples that are laid out: levels of 8 bits and words of 16.

use half::f16;

use super::PreparedInput;
use super::fit::Window;
use super::lay::Line;
use super::resample::{Resampler, Sample, View};

/// A sample that can be laid out, and how it becomes numbers of 8 and of 16 bits.
pub(super) trait Laid: Sample {
    /// The sample that stands for 255.
    const MOST: f64;
    /// The sample of a level.
    fn of_level(level: u8) -> Self;
    /// The resampler of such samples.
    fn resampler(input: &mut PreparedInput) -> &mut Resampler<Self>;
    /// Lays out numbers of 8 bits.
    fn lay_bytes(
        input: &mut PreparedInput,
        view: &View<'_, Self>,
        window: Window,
        fresh: bool,
        lines: [Line; 3],
        numbers: &mut [u8],
    );
    /// Lays out numbers of 16 bits.
    fn lay_halves(
        input: &mut PreparedInput,
        view: &View<'_, Self>,
        window: Window,
        fresh: bool,
        lines: [Line; 3],
        numbers: &mut [f16],
    );
}

impl Laid for u8 {
    const MOST: f64 = 255.0;

    fn of_level(level: u8) -> Self {
        level
    }

    fn resampler(input: &mut PreparedInput) -> &mut Resampler<Self> {
        &mut input.levels
    }

    fn lay_bytes(
        input: &mut PreparedInput,
        view: &View<'_, Self>,
        window: Window,
        fresh: bool,
        _: [Line; 3],
        numbers: &mut [u8],
    ) {
        let tables = std::mem::take(&mut input.bytes);
        if let [one, two, three] = tables.as_slice() {
            input.lay(view, window, fresh, [one, two, three], numbers);
        }
        input.bytes = tables;
    }

    fn lay_halves(
        input: &mut PreparedInput,
        view: &View<'_, Self>,
        window: Window,
        fresh: bool,
        _: [Line; 3],
        numbers: &mut [f16],
    ) {
        let tables = std::mem::take(&mut input.halves);
        if let [one, two, three] = tables.as_slice() {
            input.lay(view, window, fresh, [one, two, three], numbers);
        }
        input.halves = tables;
    }
}

impl Laid for u16 {
    const MOST: f64 = 65_535.0;

    fn of_level(level: u8) -> Self {
        Self::from(level) * 257
    }

    fn resampler(input: &mut PreparedInput) -> &mut Resampler<Self> {
        &mut input.words
    }

    fn lay_bytes(
        input: &mut PreparedInput,
        view: &View<'_, Self>,
        window: Window,
        fresh: bool,
        lines: [Line; 3],
        numbers: &mut [u8],
    ) {
        input.lay(view, window, fresh, lines, numbers);
    }

    fn lay_halves(
        input: &mut PreparedInput,
        view: &View<'_, Self>,
        window: Window,
        fresh: bool,
        lines: [Line; 3],
        numbers: &mut [f16],
    ) {
        input.lay(view, window, fresh, lines, numbers);
    }
}
