//! Statistics of a picture, for rules and for weights that move with its quality: how bright, how sharp, how much of it is
//! clipped, how noisy. Pure; every one is a finite number for every picture.
//!
//! Luminance is `0.299 R + 0.587 G + 0.114 B` (ITU-R BT.601), scaled to 0 to 255 whatever the depth.

use crate::flow::{Image, PixelFormat};
use crate::fusion::adaptive::Quality;

/// The mean luminance, 0 (black) to 1 (white).
pub(super) fn brightness(image: &Image) -> f64 {
    let mut row = vec![0.0; side(image.width())];
    let mut sum = 0.0;
    for y in 0..side(image.height()) {
        luminance(image, y, &mut row);
        sum += row.iter().sum::<f64>();
    }
    (sum / (f64::from(image.width()) * f64::from(image.height())) / 255.0).clamp(0.0, 1.0)
}

/// The variance of the Laplacian of the luminance in 0 to 255; low when the picture is out of focus.
///
/// The Laplacian is `up + down + left + right - 4 * centre`, taken where all four neighbours exist; a picture of fewer
/// than 3 rows or columns has none, and 0. Source: Pech-Pacheco, Cristobal, Chamorro-Martinez and Fernandez-Valdivia,
/// "Diatom autofocusing in brightfield microscopy: a comparative study", ICPR 2000.
pub(super) fn sharpness(image: &Image) -> f64 {
    let (mut sum, mut squares) = (0.0, 0.0);
    let count = inside(image, |[above, here, below]| {
        let laplacian = above[1] + below[1] + here[0] + here[2] - 4.0 * here[1];
        sum += laplacian;
        squares += laplacian * laplacian;
    });
    let mean = sum / count;
    (squares / count - mean * mean).max(0.0)
}

/// The standard deviation of the noise, in levels of 0 to 255; fine texture counts as noise too.
///
/// `sqrt(pi / 2)` times a sixth of the mean absolute answer of the kernel `1 -2 1, -2 4 -2, 1 -2 1`, which is blind to planes
/// and edges, where all eight neighbours exist; 0 for a picture of fewer than 3 rows or columns. Source: J. Immerkaer, "Fast
/// noise variance estimation", Computer Vision and Image Understanding 64 (1996).
fn noise(image: &Image) -> f64 {
    let across = |row: &[f64]| row[0] - 2.0 * row[1] + row[2];
    let mut sum = 0.0;
    let count = inside(image, |[above, here, below]| {
        sum += (across(above) - 2.0 * across(here) + across(below)).abs();
    });
    std::f64::consts::FRAC_PI_2.sqrt() * sum / (6.0 * count)
}

/// The share of the pixels whose luminance is 0 or 255 within half a level: there the exposure has lost what there was.
fn clipped(image: &Image) -> f64 {
    let mut row = vec![0.0; side(image.width())];
    let mut count = 0_u32;
    for y in 0..side(image.height()) {
        luminance(image, y, &mut row);
        for level in &row {
            count += u32::from(*level < 0.5 || *level > 254.5);
        }
    }
    f64::from(count) / (f64::from(image.width()) * f64::from(image.height()))
}

/// How well a picture was taken.
#[must_use]
pub fn quality(image: &Image) -> Quality {
    Quality { sharpness: sharpness(image), brightness: brightness(image), clipped: clipped(image), noise: noise(image) }
}

/// Shows the 3 by 3 neighbourhood of every pixel that has all eight neighbours, rows of luminance from the top; how many there
/// are, 1 where there are none.
fn inside(image: &Image, mut look: impl FnMut([&[f64]; 3])) -> f64 {
    let (width, height) = (side(image.width()), side(image.height()));
    if width < 3 || height < 3 {
        return 1.0;
    }
    let mut rows = [vec![0.0; width], vec![0.0; width], vec![0.0; width]];
    luminance(image, 0, &mut rows[1]);
    luminance(image, 1, &mut rows[2]);
    for y in 1..height - 1 {
        rows.rotate_left(1);
        luminance(image, y + 1, &mut rows[2]);
        let [above, here, below] = &rows;
        for ((above, here), below) in above.windows(3).zip(here.windows(3)).zip(below.windows(3)) {
            look([above, here, below]);
        }
    }
    f64::from(image.width() - 2) * f64::from(image.height() - 2)
}

const fn side(pixels: u32) -> usize {
    pixels as usize
}

/// Writes the luminance of row `y`, 0 to 255, into `row`.
fn luminance(image: &Image, y: usize, row: &mut [f64]) {
    /// 65,535 is 255 times this.
    const WORDS_PER_BYTE: f64 = 257.0;
    let format = image.format();
    let stride = side(image.width()) * format.channels() * format.bytes_per_channel();
    let bytes = &image.bytes()[y * stride..(y + 1) * stride];
    let grey = |&[grey]: &[u16; 1]| f64::from(grey) / WORDS_PER_BYTE;
    let colour = |&[red, green, blue]: &[u16; 3]| weigh(red.into(), green.into(), blue.into()) / WORDS_PER_BYTE;
    match format {
        PixelFormat::Grey8 => fill(row, bytes, |&[grey]| f64::from(grey)),
        PixelFormat::Grey16 => fill(row, words(bytes), grey),
        PixelFormat::Rgb8 => fill(row, bytes, |&[red, green, blue]| weigh(red.into(), green.into(), blue.into())),
        PixelFormat::Rgb16 => fill(row, words(bytes), colour),
    }
}

fn fill<T, const CHANNELS: usize>(row: &mut [f64], channels: &[T], luminance: impl Fn(&[T; CHANNELS]) -> f64) {
    let (pixels, _) = channels.as_chunks::<CHANNELS>();
    for (to, pixel) in row.iter_mut().zip(pixels) {
        *to = luminance(pixel);
    }
}

/// A row as 16-bit words: rows start on word borders, for a pixel of these formats is a whole number of words.
fn words(bytes: &[u8]) -> &[u16] {
    bytemuck::cast_slice(bytes)
}

fn weigh(red: f64, green: f64, blue: f64) -> f64 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

#[cfg(test)]
mod tests;
