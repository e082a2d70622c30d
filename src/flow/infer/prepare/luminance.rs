//! Luminance: colour frames for models that see grey.

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
    let weigh = |red: u32, green: u32, blue: u32| (19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >> 16;
    let count = image.width() as usize * image.height() as usize;
    if image.format() == PixelFormat::Rgb16 {
        buffer.resize(count, 0);
        let words: &[u16] = bytemuck::cast_slice(image.bytes());
        for (grey, rgb) in buffer.iter_mut().zip(words.chunks_exact(3)) {
            *grey = weigh(rgb[0].into(), rgb[1].into(), rgb[2].into()) as u16;
        }
    } else {
        buffer.resize(count.div_ceil(2), 0);
        let greys: &mut [u8] = bytemuck::cast_slice_mut(buffer);
        for (grey, rgb) in greys.iter_mut().zip(image.bytes().chunks_exact(3)) {
            *grey = weigh(rgb[0].into(), rgb[1].into(), rgb[2].into()) as u8;
        }
    }
}
