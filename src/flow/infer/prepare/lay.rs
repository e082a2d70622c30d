//! Lay: one row of pixels is normalised and laid out in a tensor, in one pass.
//!
//! Numbers of 32 bits are worked out, `level * factor + offset`; those of 8 and 16 bits are looked up. Writes nothing but
//! the row it is given a place for.

use half::f16;

use super::resample::Sample;
use crate::flow::vectorised::vectorised;

/// The normalisation of one channel: `level * factor + offset`, level in 0 to 255.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affine {
    pub(super) factor: f64,
    pub(super) offset: f64,
}

impl Affine {
    /// A level of 8 bits, or a part of one.
    pub(super) fn level(self, level: f64) -> f32 {
        narrow(level * self.factor + self.offset)
    }
}

/// What a channel's samples become.
pub(super) trait Converter<S, T>: Copy {
    /// The number of a tensor that a sample stands for.
    fn convert(&self, sample: S) -> T;
}

/// A factor and an offset for samples as they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    factor: f32,
    offset: f32,
}

impl Line {
    /// `most` is the sample that stands for 255.
    pub(super) fn new(affine: Affine, most: f64) -> Self {
        Self { factor: narrow(affine.factor * 255.0 / most), offset: narrow(affine.offset) }
    }
}

impl<S: Sample> Converter<S, f32> for Line {
    #[inline]
    fn convert(&self, sample: S) -> f32 {
        let sample: f32 = sample.into();
        sample * self.factor + self.offset
    }
}

impl Converter<u16, u8> for Line {
    #[inline]
    fn convert(&self, sample: u16) -> u8 {
        byte_of(<Self as Converter<u16, f32>>::convert(self, sample))
    }
}

impl Converter<u16, f16> for Line {
    #[inline]
    fn convert(&self, sample: u16) -> f16 {
        f16::from_f32(<Self as Converter<u16, f32>>::convert(self, sample))
    }
}

impl<T: Copy> Converter<u8, T> for &[T; 256] {
    #[inline]
    fn convert(&self, sample: u8) -> T {
        self[usize::from(sample)]
    }
}

/// The number of each of the 256 levels.
pub(super) fn table<T>(affine: Affine, into: impl Fn(f32) -> T) -> [T; 256] {
    std::array::from_fn(|level| into(affine.level(u8::try_from(level).map_or(0.0, f64::from))))
}

/// The nearest binary32.
#[expect(clippy::cast_possible_truncation, reason = "means to")]
pub(super) const fn narrow(number: f64) -> f32 {
    number as f32
}

/// The nearest whole number from 0 to 255.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float is cast to the nearest in range")]
pub(super) fn byte_of(number: f32) -> u8 {
    number.round() as u8
}

vectorised! {
    /// Pixels of three channels into three planes, each with the sample of its `order`.
    pub(super) fn colour_to_planes[S: Sample, T: Copy, C: Converter<S, T>](
        pixels: &[[S; 3]],
        order: [usize; 3],
        converters: [C; 3],
        planes: [&mut [T]; 3],
    ) {
        let [first, second, third] = planes;
        let [one, two, three] = converters;
        if order == [0, 1, 2] {
            for (((pixel, first), second), third) in pixels.iter().zip(first).zip(second).zip(third) {
                (*first, *second, *third) = (one.convert(pixel[0]), two.convert(pixel[1]), three.convert(pixel[2]));
            }
        } else {
            for (((pixel, first), second), third) in pixels.iter().zip(first).zip(second).zip(third) {
                (*first, *second, *third) = (one.convert(pixel[2]), two.convert(pixel[1]), three.convert(pixel[0]));
            }
        }
    }
}

vectorised! {
    /// Pixels of one channel into a plane.
    pub(super) fn grey_to_plane[S: Sample, T: Copy, C: Converter<S, T>](pixels: &[S], converter: C, plane: &mut [T]) {
        for (number, sample) in plane.iter_mut().zip(pixels) {
            *number = converter.convert(*sample);
        }
    }
}

vectorised! {
    /// Pixels of three channels into pixels of three numbers, in the same or the opposite order.
    pub(super) fn colour_to_pixels[S: Sample, T: Copy, C: Converter<S, T>](
        pixels: &[[S; 3]],
        order: [usize; 3],
        converters: [C; 3],
        into: &mut [[T; 3]],
    ) {
        let [one, two, three] = converters;
        let [first, second, third] = order;
        for (numbers, pixel) in into.iter_mut().zip(pixels) {
            *numbers = [one.convert(pixel[first]), two.convert(pixel[second]), three.convert(pixel[third])];
        }
    }
}

vectorised! {
    /// Pixels of one channel into pixels of three numbers.
    pub(super) fn grey_to_pixels[S: Sample, T: Copy, C: Converter<S, T>](
        pixels: &[S],
        converters: [C; 3],
        into: &mut [[T; 3]],
    ) {
        let [one, two, three] = converters;
        for (numbers, sample) in into.iter_mut().zip(pixels) {
            *numbers = [one.convert(*sample), two.convert(*sample), three.convert(*sample)];
        }
    }
}
