//! JPEG by libjpeg-turbo's descendant `mozjpeg`: the fastest decoder that is well kept, and pixel for pixel what Pillow and
//! `OpenCV` decode, which the models were trained with.
//!
//! Decodes straight into the pooled buffer. A file that ends before its last row is refused. The library tells errors by
//! unwinding through its C frames, which are built for it; it stops here. Bits that were changed inside a whole file may
//! pass as odd pixels, as with every JPEG decoder. Four-channel files (CMYK) are left to the general decoder.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use mozjpeg::{ColorSpace, Decompress};

use super::{MAX_BYTES, MAX_SIDE};
use crate::config::JpegScale;
use crate::flow::pool::Pool;
use crate::flow::{Image, PixelFormat};

/// The most scans of one file: a file of a few bytes can ask for a pass over all of its pixels with each of them.
const MAX_SCANS: usize = 64;

/// The first bytes of a JPEG file.
pub(super) const SIGNATURE: [u8; 3] = [0xff, 0xd8, 0xff];

/// Decodes a JPEG file at `scale`; `None` where it has four channels.
///
/// # Errors
/// One sentence: the file is broken, ends early, is too large or has too many scans.
pub(super) fn decode(file: &[u8], scale: JpegScale, pool: &Pool) -> Result<Option<Image>, String> {
    let scans = memchr::memchr_iter(0xff, file).filter(|at| file.get(at + 1) == Some(&0xda)).count();
    if scans > MAX_SCANS {
        return Err(format!("it has {scans} scans, more than the {MAX_SCANS} allowed"));
    }
    let early = Cell::new(false);
    let source = Whole { rest: file, early: &early };
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_from(source, scans, scale, pool)));
    match decoded {
        _ if early.get() => Err("it ends in the middle of the picture".into()),
        Ok(decoded) => decoded,
        Err(told) => Err(match told.downcast::<String>() {
            Ok(told) => told.trim_start_matches("libjpeg fatal error: ").to_owned(),
            Err(_) => "the decoder gave up".into(),
        }),
    }
}

fn decode_from(source: Whole<'_>, scans: usize, scale: JpegScale, pool: &Pool) -> Result<Option<Image>, String> {
    let told = |error: io::Error| error.to_string();
    let mut header = Decompress::builder().from_reader(source).map_err(told)?;
    let (width, height) = header.size();
    let (format, space) = match header.components().len() {
        1 => (PixelFormat::Grey8, ColorSpace::JCS_GRAYSCALE),
        4 => return Ok(None),
        _ => (PixelFormat::Rgb8, ColorSpace::JCS_RGB),
    };
    let bytes = width.saturating_mul(height).saturating_mul(format.channels());
    // Of several scans the decoder keeps a word for each sample until the last.
    let held = if scans > 1 { bytes.saturating_mul(2) } else { bytes } as u64;
    if width.max(height) > MAX_SIDE as usize || held > MAX_BYTES {
        let limit = format!("more than the {MAX_BYTES} bytes or the {MAX_SIDE} pixels a side allowed");
        return Err(format!("{width}x{height} pixels want {held} bytes to decode, {limit}"));
    }
    header.scale(scale.eighths());
    let [width, height] = [width, height].map(|side| (side * usize::from(scale.eighths())).div_ceil(8));
    let mut pixels = pool.take(width * height * format.channels());
    let mut started = header.to_colorspace(space).map_err(told)?;
    started.read_scanlines_into(pixels.bytes_mut()).map_err(told)?;
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    Image::new(side(width), side(height), format, pixels).map(Some)
}

/// A file in memory that tells when more was wanted than there is.
struct Whole<'f> {
    rest: &'f [u8],
    early: &'f Cell<bool>,
}

impl Read for Whole<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.rest.read(into)
    }
}

impl BufRead for Whole<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() {
            self.early.set(true);
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(self.rest)
    }

    fn consume(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }
}
