//! Luminance: colour frames for models that see grey.

#![expect(clippy::cast_possible_truncation, reason = "a weighted mean is no larger than what it is the mean of")]

use crate::flow::vectorised::vectorised;
use crate::flow::{Image, PixelFormat};

/// The format of an image's luminance.
pub(super) const fn luminance_format(format: PixelFormat) -> PixelFormat {
    match format {
        PixelFormat::Grey8 | PixelFormat::Rgb8 => PixelFormat::Grey8,
        PixelFormat::Grey16 | PixelFormat::Rgb16 => PixelFormat::Grey16,
    }
}

/// Luminance of a colour image with the weights of ITU-R BT.601 in 16-bit fixed point, rounded as Pillow's `L`.
pub(super) fn luminance(image: &Image, buffer: &mut Vec<u16>) {
    let count = image.width() as usize * image.height() as usize;
    if image.format() == PixelFormat::Rgb16 {
        buffer.resize(count, 0);
        let words: &[u16] = bytemuck::cast_slice(image.bytes());
        for (grey, [red, green, blue]) in buffer.iter_mut().zip(words.as_chunks().0) {
            *grey = weigh((*red).into(), (*green).into(), (*blue).into()) as u16;
        }
    } else {
        buffer.resize(count.div_ceil(2), 0);
        weigh_levels(image.bytes().as_chunks().0, bytemuck::cast_slice_mut(buffer));
    }
}

/// 65535 times 65536 and a half fit in 32 bits.
#[inline]
const fn weigh(red: u32, green: u32, blue: u32) -> u32 {
    (19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >> 16
}

vectorised! {
    /// The luminance of levels.
    fn weigh_levels[](pixels: &[[u8; 3]], greys: &mut [u8]) {
        for (grey, [red, green, blue]) in greys.iter_mut().zip(pixels) {
            *grey = weigh((*red).into(), (*green).into(), (*blue).into()) as u8;
        }
    }
}
