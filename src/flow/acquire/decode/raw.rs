//! Raw frames, as a camera's driver hands them out, into pooled buffers: one conversion, no further copy.
//!
//! Colour differences become colours by [`yuv`], samples behind a colour filter by [`bayer`]; grey and colour stay what they
//! are. Samples of more than 8 bits become 16-bit words, shifted up so that white is white. Lines may be longer than their
//! pixels; what lies between them is never read. The crate `yuv` would do a part of it, at the price of two minutes of
//! building for a few loops.

pub mod bayer;
pub mod yuv;

pub use yuv::yuyv_to_rgb;

use super::{MAX_BYTES, MAX_SIDE};
use crate::config::{FrameFormat, Makeup, Raw};
use crate::flow::pool::Pool;
use crate::flow::{Image, PixelFormat};

/// How a raw frame lies in its bytes, checked against what the road takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    raw: Raw,
    stride: usize,
    lines: usize,
    /// Bytes of the last line, behind which nothing needs to follow.
    last: usize,
    output: PixelFormat,
}

impl Layout {
    /// The layout of frames of this form and size.
    ///
    /// # Errors
    /// One sentence when a side is 0 or more than [`MAX_SIDE`], the image would have more than [`MAX_BYTES`], lines are shorter
    /// than their pixels, a colour filter has no 2x2 pixels, or the format is compressed.
    pub fn of(raw: Raw) -> Result<Self, String> {
        let Raw { format, width, height, .. } = raw;
        let output = output(format).ok_or_else(|| format!("{format} is no raw format"))?;
        let pixel = (output.channels() * output.bytes_per_channel()) as u64;
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&width)
            || !sides.contains(&height)
            || u64::from(width) * u64::from(height) * pixel > MAX_BYTES
        {
            return Err(format!(
                "a {width}x{height} frame of {format} is not taken: want sides of 1 to {MAX_SIDE} pixels and at most {MAX_BYTES} bytes"
            ));
        }
        if matches!(format.makeup(), Makeup::Bayer(..)) && width.min(height) < 2 {
            return Err(format!("a {width}x{height} frame of {format} has no colours: want at least 2x2 pixels"));
        }
        let least = format.line_bytes(width);
        let stride = raw.stride.map_or(least, u64::from);
        if stride < least {
            return Err(format!("lines of {stride} bytes do not hold {width} pixels of {format}, which want {least}"));
        }
        let number = |count: u64| usize::try_from(count).map_err(|error| error.to_string());
        let (stride, lines, last) = (number(stride)?, number(format.lines(height))?, number(least)?);
        Ok(Self { raw, stride, lines, last, output })
    }

    /// The bytes of a whole frame, what may follow its last pixel included.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.stride * self.lines
    }

    /// The fewest bytes with all pixels.
    #[must_use]
    pub const fn least(&self) -> usize {
        self.stride * (self.lines - 1) + self.last
    }

    /// Converts one frame into a buffer of `pool`.
    ///
    /// # Errors
    /// One sentence with what is there and what is wanted when the frame is shorter or longer.
    pub fn convert(&self, bytes: &[u8], pool: &Pool) -> Result<Image, String> {
        let Raw { format, width, height, .. } = self.raw;
        let (least, whole) = (self.least(), self.bytes());
        if bytes.len() < least || bytes.len() > whole {
            let wanted = if least == whole { whole.to_string() } else { format!("{least} to {whole}") };
            return Err(format!("a {width}x{height} frame of {format} has {wanted} bytes, there are {}", bytes.len()));
        }
        let line = width as usize * self.output.channels() * self.output.bytes_per_channel();
        let mut pixels = pool.take(line * height as usize);
        self.fill(bytes, pixels.bytes_mut(), line);
        Image::new(width, height, self.output, pixels)
    }

    /// Fills the pixels, `line` bytes of them a line.
    fn fill(&self, bytes: &[u8], pixels: &mut [u8], line: usize) {
        let (format, height) = (self.raw.format, self.raw.height as usize);
        let lines = || bytes.chunks(self.stride).map(|line| &line[..self.last.min(line.len())]);
        let matrix = yuv::matrix(self.raw.yuv.unwrap_or_default());
        match format.makeup() {
            Makeup::Packed => {
                for (from, to) in lines().zip(pixels.chunks_mut(line)) {
                    yuv::packed_line(format == FrameFormat::Uyvy, from, to, matrix);
                }
            }
            Makeup::Planes => {
                for (row, (from, to)) in lines().zip(pixels.chunks_mut(line)).enumerate().take(height) {
                    let differences = &bytes[self.stride * (height + row / 2)..];
                    yuv::planes_line(from, &differences[..self.last], to, matrix);
                }
            }
            Makeup::Grey(9..) => {
                for (from, to) in lines().zip(pixels.chunks_mut(line)) {
                    shift_line(from, to, self.shift());
                }
            }
            Makeup::Bayer(filter, 9..) => {
                let read = |line: &[u8], samples: &mut [u16]| read_words(line, samples, self.shift());
                bayer::demosaic(filter, lines(), read, bytemuck::cast_slice_mut::<u8, u16>(pixels), line / 6);
            }
            Makeup::Bayer(filter, _) => bayer::demosaic(filter, lines(), read_bytes, pixels, line / 3),
            Makeup::Grey(_) | Makeup::Colour | Makeup::Jpeg => {
                for (from, to) in lines().zip(pixels.chunks_mut(line)) {
                    to.copy_from_slice(from);
                    if format == FrameFormat::Bgr24 {
                        to.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| pixel.swap(0, 2));
                    }
                }
            }
        }
    }

    /// By how many bits samples are shifted up: as told, or to the top of 16 bits.
    fn shift(&self) -> u32 {
        let (Makeup::Grey(bits) | Makeup::Bayer(_, bits)) = self.raw.format.makeup() else { return 0 };
        self.raw.sample_shift.unwrap_or(16_u8.saturating_sub(bits)).into()
    }
}

/// Converts one raw frame into a buffer of `pool`.
///
/// # Errors
/// As [`Layout::of`] and [`Layout::convert`].
pub fn convert(bytes: &[u8], raw: Raw, pool: &Pool) -> Result<Image, String> {
    Layout::of(raw)?.convert(bytes, pool)
}

/// What a format becomes on the road; `None` where it is compressed.
const fn output(format: FrameFormat) -> Option<PixelFormat> {
    Some(match format.makeup() {
        Makeup::Grey(9..) => PixelFormat::Grey16,
        Makeup::Grey(_) => PixelFormat::Grey8,
        Makeup::Bayer(_, 9..) => PixelFormat::Rgb16,
        Makeup::Packed | Makeup::Planes | Makeup::Colour | Makeup::Bayer(..) => PixelFormat::Rgb8,
        Makeup::Jpeg => return None,
    })
}

/// A sample shifted up; what has no room is white.
fn shifted(bytes: [u8; 2], shift: u32) -> u16 {
    let wide = u32::from(u16::from_le_bytes(bytes)) << shift;
    u16::try_from(wide).unwrap_or(u16::MAX)
}

fn shift_line(from: &[u8], to: &mut [u8], shift: u32) {
    for (from, to) in from.as_chunks::<2>().0.iter().zip(to.as_chunks_mut::<2>().0) {
        *to = shifted(*from, shift).to_ne_bytes();
    }
}

fn read_words(line: &[u8], samples: &mut [u16], shift: u32) {
    for (from, to) in line.as_chunks::<2>().0.iter().zip(samples) {
        *to = shifted(*from, shift);
    }
}

fn read_bytes(line: &[u8], samples: &mut [u16]) {
    for (from, to) in line.iter().zip(samples) {
        *to = u16::from(*from);
    }
}

#[cfg(test)]
mod tests;
