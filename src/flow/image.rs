//! A picture as the road knows it: pixels in a buffer that goes back to its pool.
//!
//! Promises that the buffer's length is what size and format want, so that whoever reads pixels need not ask again.

use super::pool::Pooled;

/// How the pixels of an [`Image`] are stored: interleaved rows without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    /// One byte of luminance.
    Grey8,
    /// One 16-bit word of luminance.
    Grey16,
    /// Three bytes: red, green, blue.
    Rgb8,
    /// Three 16-bit words: red, green, blue.
    Rgb16,
}

impl PixelFormat {
    /// The number of channels.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Grey8 | Self::Grey16 => 1,
            Self::Rgb8 | Self::Rgb16 => 3,
        }
    }

    /// Bytes of one channel of one pixel.
    #[must_use]
    pub const fn bytes_per_channel(self) -> usize {
        match self {
            Self::Grey8 | Self::Rgb8 => 1,
            Self::Grey16 | Self::Rgb16 => 2,
        }
    }
}

/// Pixels in a pooled buffer: `height` rows of `width` pixels, 16-bit words in the machine's byte order.
#[derive(Debug)]
pub struct Image {
    width: u32,
    height: u32,
    format: PixelFormat,
    pixels: Pooled,
}

impl Image {
    /// Joins a buffer with its geometry.
    ///
    /// # Errors
    /// A sentence with both sizes when the buffer's length is not `width * height * channels * bytes`, or a side is zero.
    pub fn new(width: u32, height: u32, format: PixelFormat, pixels: Pooled) -> Result<Self, String> {
        let want = (width as usize)
            .checked_mul(height as usize)
            .and_then(|n| n.checked_mul(format.channels() * format.bytes_per_channel()));
        if width == 0 || height == 0 || want != Some(pixels.len()) {
            return Err(format!(
                "a {width}x{height} {format:?} image wants {want:?} bytes, the buffer has {}",
                pixels.len()
            ));
        }
        Ok(Self { width, height, format, pixels })
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// The format of the pixels.
    #[must_use]
    pub const fn format(&self) -> PixelFormat {
        self.format
    }

    /// The raw bytes, aligned for 16-bit words.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.pixels.bytes()
    }
}
