//! Pictures that were taken badly, simulated: out of focus, wrongly exposed, noisy. Pure, and seeded: one picture, one
//! corruption and one seed give one picture.
//!
//! What it makes is no more than a stand-in: a real lens blurs no two places alike, and a real sensor clips before it is
//! scaled. Figures from such pictures are called simulated.

use std::fmt;
use std::str::FromStr;

use image::{ImageBuffer, Luma, Pixel, Rgb};

use super::plant::normal;
use crate::flow::pool::{Pool, Pooled};
use crate::flow::{Image, PixelFormat};

/// What happens to a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Corruption {
    /// Gaussian blur with this standard deviation in pixels: above 0, at most 50.
    Blur(f64),
    /// Every value changed by so many per cent and clipped: from -100 to 1000.
    Exposure(f64),
    /// Gaussian noise with this standard deviation, in levels of 0 to 255, added to every value: above 0, at most 255.
    Noise(f64),
}

impl FromStr for Corruption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || {
            format!(
                "want blur=PIXELS (to 50), exposure=PERCENT (-100 to 1000) or noise=LEVELS (of 255), it is {text:?}"
            )
        };
        let (kind, number) = text.split_once('=').ok_or_else(wanted)?;
        let number: f64 = number.parse().map_err(|_| wanted())?;
        match kind {
            "blur" if number > 0.0 && number <= 50.0 => Ok(Self::Blur(number)),
            "exposure" if (-100.0..=1000.0).contains(&number) => Ok(Self::Exposure(number)),
            "noise" if number > 0.0 && number <= 255.0 => Ok(Self::Noise(number)),
            _ => Err(wanted()),
        }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blur(pixels) => write!(f, "blur={pixels}"),
            Self::Exposure(percent) => write!(f, "exposure={percent}"),
            Self::Noise(levels) => write!(f, "noise={levels}"),
        }
    }
}

/// The picture as it would have been taken.
///
/// # Errors
/// One sentence where the pixels do not fill the picture, which [`Image`] rules out.
pub fn corrupt(image: &Image, corruption: Corruption, seed: u64, pool: &Pool) -> Result<Image, String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let pixels = match corruption {
        Corruption::Blur(sigma) => return blur(image, sigma, pool),
        Corruption::Exposure(percent) => changed(image, pool, |value| value * (1.0 + percent / 100.0)),
        Corruption::Noise(levels) => changed(image, pool, |value| value + levels / 255.0 * normal(&mut random)),
    };
    Image::new(image.width(), image.height(), image.format(), pixels)
}

/// Every value, 0 to 1, made another, which is clipped and rounded.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held in 0 to 1")]
fn changed(image: &Image, pool: &Pool, mut change: impl FnMut(f64) -> f64) -> Pooled {
    let mut pixels = pool.take(image.bytes().len());
    if image.format().bytes_per_channel() == 1 {
        for (to, from) in pixels.bytes_mut().iter_mut().zip(image.bytes()) {
            *to = (255.0 * change(f64::from(*from) / 255.0).clamp(0.0, 1.0)).round() as u8;
        }
    } else {
        let words: &mut [u16] = bytemuck::cast_slice_mut(pixels.bytes_mut());
        for (to, from) in words.iter_mut().zip(bytemuck::cast_slice::<u8, u16>(image.bytes())) {
            *to = (65535.0 * change(f64::from(*from) / 65535.0).clamp(0.0, 1.0)).round() as u16;
        }
    }
    pixels
}

fn blur(image: &Image, sigma: f64, pool: &Pool) -> Result<Image, String> {
    match image.format() {
        PixelFormat::Grey8 => blurred::<Luma<u8>>(image, sigma, pool),
        PixelFormat::Grey16 => blurred::<Luma<u16>>(image, sigma, pool),
        PixelFormat::Rgb8 => blurred::<Rgb<u8>>(image, sigma, pool),
        PixelFormat::Rgb16 => blurred::<Rgb<u16>>(image, sigma, pool),
    }
}

fn blurred<P>(image: &Image, sigma: f64, pool: &Pool) -> Result<Image, String>
where
    P: Pixel + 'static,
    P::Subpixel: bytemuck::Pod,
{
    let (width, height) = (image.width(), image.height());
    let values = bytemuck::cast_slice::<u8, P::Subpixel>(image.bytes()).to_vec();
    let buffer = ImageBuffer::<P, _>::from_raw(width, height, values).ok_or("the pixels do not fill the picture")?;
    #[expect(clippy::cast_possible_truncation, reason = "the library wants no more digits")]
    let blurred = image::imageops::blur(&buffer, sigma as f32).into_raw();
    let mut pixels = pool.take(image.bytes().len());
    pixels.bytes_mut().copy_from_slice(bytemuck::cast_slice(&blurred));
    Image::new(width, height, image.format(), pixels)
}

#[cfg(test)]
mod tests;
