//! Raw frames, as a camera's driver hands them out, into pooled buffers: one conversion, no further copy.
//!
//! YUYV is ITU-R BT.601 with limited range (16 to 235), as V4L2 cameras give it by default. The crate `yuv` would do it too,
//! at the price of two minutes of building for this one loop.

#![expect(clippy::cast_sign_loss, reason = "levels are held to 0 to 255 before they become bytes")]

use super::{MAX_BYTES, MAX_SIDE};
use crate::config::{Raw, RawFormat};
use crate::flow::pool::Pool;
use crate::flow::vectorised::vectorised;
use crate::flow::{Image, PixelFormat};

/// Converts one raw frame into a buffer of `pool`.
///
/// # Errors
/// One sentence when the frame has another size than `raw` says, an odd width, or is larger than the road takes.
pub fn convert(bytes: &[u8], raw: Raw, pool: &Pool) -> Result<Image, String> {
    let Raw { format: RawFormat::Yuyv, width, height } = raw;
    let pixels = u64::from(width) * u64::from(height);
    if width > MAX_SIDE || height > MAX_SIDE || pixels * 3 > MAX_BYTES {
        return Err(format!("a {width}x{height} frame is larger than the road takes"));
    }
    if width % 2 != 0 || bytes.len() as u64 != pixels * 2 {
        let wanted = pixels * 2;
        return Err(format!(
            "a {width}x{height} YUYV frame has an even width and {wanted} bytes, there are {}",
            bytes.len()
        ));
    }
    let mut rgb = pool.take(usize::try_from(pixels * 3).map_err(|error| error.to_string())?);
    yuyv_to_rgb(bytes, rgb.bytes_mut());
    Image::new(width, height, PixelFormat::Rgb8, rgb)
}

/// Fractions of the sums below, in bits.
const BITS: i32 = 13;

vectorised! {
    /// Two pixels of four bytes (Y, Cb, Y, Cr) become two of red, green and blue: with Y less 16 and Cb, Cr less 128,
    /// R = 1.164383 Y + 1.596027 Cr, G = 1.164383 Y - 0.391762 Cb - 0.812968 Cr, B = 1.164383 Y + 2.017232 Cb (ITU-R
    /// BT.601), rounded and held to 0 to 255. What has no whole four or six bytes is left.
    pub fn yuyv_to_rgb [](yuyv: &[u8], rgb: &mut [u8]) {
        let (from, to) = (yuyv.as_chunks::<4>().0, rgb.as_chunks_mut::<6>().0);
        let half = 1 << (BITS - 1);
        // By places: iterators in here are not always made part of the vectorised function, and then cost six times as much.
        for place in 0..from.len().min(to.len()) {
            let [first, blue, second, red] = from[place];
            let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
            let offsets = [13_075 * red, -3_209 * blue - 6_660 * red, 16_525 * blue];
            let lights = [9_539 * (i32::from(first) - 16) + half, 9_539 * (i32::from(second) - 16) + half];
            for pixel in 0..2 {
                for channel in 0..3 {
                    let level = (lights[pixel] + offsets[channel]) >> BITS;
                    to[place][pixel * 3 + channel] = level.clamp(0, 255) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Raw = Raw { format: RawFormat::Yuyv, width: 2, height: 1 };

    #[test]
    fn the_colours_of_bt_601() {
        // Luminance twice, blue and red difference between: black, white, and the red of ITU-R BT.601 (81, 90, 240).
        for (yuyv, wanted) in
            [([16, 128, 16, 128], [0, 0, 0]), ([235, 128, 235, 128], [255, 255, 255]), ([81, 90, 81, 240], [255, 0, 0])]
        {
            let image = convert(&yuyv, TWO, &Pool::new(1)).unwrap();
            for (seen, wanted) in image.bytes().iter().zip(wanted.iter().cycle()) {
                assert!(seen.abs_diff(*wanted) <= 2, "{yuyv:?}: {:?}", image.bytes());
            }
        }
    }

    #[test]
    fn a_frame_of_another_size_is_told_with_both() {
        let told = convert(&[0; 5], TWO, &Pool::new(1)).unwrap_err();
        assert_eq!(told, "a 2x1 YUYV frame has an even width and 4 bytes, there are 5");
        assert!(convert(&[], Raw { width: u32::MAX, ..TWO }, &Pool::new(1)).is_err());
        assert!(convert(&[0; 6], Raw { width: 3, ..TWO }, &Pool::new(1)).is_err());
    }
}
