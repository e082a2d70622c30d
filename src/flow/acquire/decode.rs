//! Picture files into pooled buffers, in the pixel formats the road knows.
//!
//! PNG, JPEG, BMP and TIFF, told apart by their first bytes. Grey and colour of 8 and 16 bits are decoded straight into
//! the pooled buffer. Palettes, fewer bits than 8 and CMYK are expanded by the decoder; an alpha channel is left out, not
//! blended; floating point is refused, for its range is not known. What a file says of the camera's orientation (EXIF)
//! is not applied.

mod jpeg;
pub mod raw;

use std::io::Cursor;
use std::path::Path;

use image::{ColorType, ImageDecoder, ImageReader, Limits};

use crate::config::JpegScale;
use crate::flow::pool::{Pool, Pooled};
use crate::flow::{Image, PixelFormat};

/// The longest side of a picture, in pixels: beyond every area camera and line-scan frame in use.
pub const MAX_SIDE: u32 = 32_768;

/// The most bytes of one decoded picture, and of a decoder's own memory beside it: 256 MiB, 44 megapixels of 16-bit
/// colour. A small file that claims more is a mistake or a bomb.
pub const MAX_BYTES: u64 = 256 << 20;

/// Reads the file at `path` into a buffer of `pool`, at `scale`.
///
/// # Errors
/// One sentence on why the file is no picture the road takes: not there, of another format, broken, larger than
/// [`MAX_SIDE`] or [`MAX_BYTES`], of floating point pixels, or to be decoded at a smaller scale and no JPEG.
pub fn read_image(path: &Path, scale: JpegScale, pool: &Pool) -> Result<Image, String> {
    decode_image(std::fs::read(path).map_err(|error| error.to_string())?, scale, pool)
}

/// Decodes a JPEG picture of one or three channels, as a camera hands it out, into a buffer of `pool`.
///
/// # Errors
/// One sentence on why it is none: it does not begin as one, is broken, ends early, is too large or has four channels.
pub fn decode_jpeg(bytes: &[u8], scale: JpegScale, pool: &Pool) -> Result<Image, String> {
    if !bytes.starts_with(&jpeg::SIGNATURE) {
        let seen = bytes.first_chunk::<3>().map_or_else(|| bytes.to_vec(), |first| first.to_vec());
        return Err(format!("{} bytes that begin with {seen:02x?}, want a JPEG picture: [ff, d8, ff]", bytes.len()));
    }
    jpeg::decode(bytes, scale, pool)?.ok_or_else(|| "a JPEG picture of four channels, want one or three".into())
}

fn decode_image(file: Vec<u8>, scale: JpegScale, pool: &Pool) -> Result<Image, String> {
    if file.starts_with(&jpeg::SIGNATURE)
        && let Some(image) = jpeg::decode(&file, scale, pool)?
    {
        return Ok(image);
    }
    if scale != JpegScale::Whole {
        return Err(
            "it is no JPEG of one or three channels, and only these are decoded smaller: leave `jpeg_scale` out".into(),
        );
    }
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(|error| error.to_string())?;
    reader.limits(limits());
    let decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions();
    let seen = decoder.total_bytes();
    let bytes = usize::try_from(seen).ok().filter(|_| seen <= MAX_BYTES).ok_or_else(|| {
        format!(
            "{width}x{height} pixels of {:?} are {seen} bytes, more than the {MAX_BYTES} allowed",
            decoder.color_type()
        )
    })?;
    let (format, alpha) = pixel_format(decoder.color_type())?;
    let mut pixels = pool.take(bytes);
    decoder.read_image(pixels.bytes_mut()).map_err(|error| error.to_string())?;
    let pixels = if alpha { without_alpha(&pixels, format, pool) } else { pixels };
    Image::new(width, height, format, pixels)
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    limits
}

/// The road's format for what the decoder gives, and whether an alpha channel must go.
fn pixel_format(seen: ColorType) -> Result<(PixelFormat, bool), String> {
    Ok(match seen {
        ColorType::L8 => (PixelFormat::Grey8, false),
        ColorType::La8 => (PixelFormat::Grey8, true),
        ColorType::L16 => (PixelFormat::Grey16, false),
        ColorType::La16 => (PixelFormat::Grey16, true),
        ColorType::Rgb8 => (PixelFormat::Rgb8, false),
        ColorType::Rgba8 => (PixelFormat::Rgb8, true),
        ColorType::Rgb16 => (PixelFormat::Rgb16, false),
        ColorType::Rgba16 => (PixelFormat::Rgb16, true),
        other => return Err(format!("its pixels are {other:?}, want grey or colour of 8 or 16 bits")),
    })
}

/// Copies all channels of each pixel but the last.
fn without_alpha(pixels: &Pooled, format: PixelFormat, pool: &Pool) -> Pooled {
    let kept = format.channels() * format.bytes_per_channel();
    let whole = kept + format.bytes_per_channel();
    let mut opaque = pool.take(pixels.len() / whole * kept);
    for (to, from) in opaque.bytes_mut().chunks_exact_mut(kept).zip(pixels.bytes().chunks_exact(whole)) {
        to.copy_from_slice(&from[..kept]);
    }
    opaque
}

#[cfg(test)]
mod tests;
