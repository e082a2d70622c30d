//! The veil: what stands in the place of pixels that a model is not to see. The same picture far out of focus, so that cracks and
//! scratches go and dark areas run into what is around them, and no edge comes that was not there: a grey patch would look like a
//! defect of its own.
//!
//! What is hidden must leave no evidence, and what is left must look like a picture. On 24 defective ELPV cells that the models were
//! trained on, the whole picture behind a blur of a twentieth of its side was still called defective by the teacher in 11, by one of
//! a tenth in 5: the narrower one hides cracks only. Of what is wider still, as a half that is dark, the veil hides the edge.

use image::{ImageBuffer, Luma, Pixel, Rgb, imageops};

use crate::flow::pool::{Pool, Pooled};
use crate::flow::{Image, PixelFormat};
use crate::task::Map;

/// The standard deviation of the blur, as a share of the shorter side of what the model was shown.
const BLUR: f64 = 0.1;

/// The standard deviation with which an edge of what is hidden fades, as the same share.
const EDGE: f64 = 0.02;

/// A picture beside the same behind the veil.
#[derive(Debug)]
pub struct Veiled<'i> {
    image: &'i Image,
    veil: Vec<u8>,
}

impl<'i> Veiled<'i> {
    /// Makes the veil of a picture of which a model was shown an area with this shorter side, in pixels.
    ///
    /// # Errors
    /// One sentence where the pixels do not fill the picture, which [`Image`] rules out.
    pub fn new(image: &'i Image, side: f64) -> Result<Self, String> {
        let sigma = (side * BLUR).max(1.0);
        let veil = match image.format() {
            PixelFormat::Grey8 => blurred::<Luma<u8>>(image, sigma),
            PixelFormat::Grey16 => blurred::<Luma<u16>>(image, sigma),
            PixelFormat::Rgb8 => blurred::<Rgb<u8>>(image, sigma),
            PixelFormat::Rgb16 => blurred::<Rgb<u16>>(image, sigma),
        };
        veil.map(|veil| Self { image, veil }).ok_or_else(|| "the pixels do not fill the picture".into())
    }

    /// Width and height of the picture, in pixels.
    #[must_use]
    pub const fn size(&self) -> (u32, u32) {
        (self.image.width(), self.image.height())
    }

    /// The picture with a part of each pixel taken from the veil: `hidden` has a number for each pixel, row by row, 0 (as it is) to
    /// 1 (hidden).
    ///
    /// # Errors
    /// One sentence where there is another number of them.
    pub fn hide(&self, hidden: &[f32], pool: &Pool) -> Result<Image, String> {
        let (width, height, format) = (self.image.width(), self.image.height(), self.image.format());
        if hidden.len() != width as usize * height as usize {
            return Err(format!("{} numbers hide a picture of {width}x{height} pixels", hidden.len()));
        }
        let mut pixels = pool.take(self.image.bytes().len());
        pixels.bytes_mut().copy_from_slice(self.image.bytes());
        if format.bytes_per_channel() == 1 {
            mix(pixels.bytes_mut(), &self.veil, hidden, format.channels());
        } else {
            let veil: Vec<u16> = bytemuck::pod_collect_to_vec(&self.veil);
            mix(words(&mut pixels), &veil, hidden, format.channels());
        }
        Image::new(width, height, format, pixels)
    }
}

fn words(pixels: &mut Pooled) -> &mut [u16] {
    bytemuck::cast_slice_mut(pixels.bytes_mut())
}

/// Moves each channel of a pixel towards the veil by what is hidden of the pixel.
fn mix<T>(pixels: &mut [T], veil: &[T], hidden: &[f32], channels: usize)
where
    T: Copy + Into<f32> + Level,
{
    let pairs = pixels.chunks_exact_mut(channels).zip(veil.chunks_exact(channels));
    for ((to, from), &much) in pairs.zip(hidden).filter(|(_, much)| **much > 0.0) {
        for (to, from) in to.iter_mut().zip(from) {
            let (seen, behind): (f32, f32) = ((*to).into(), (*from).into());
            *to = T::nearest(seen + (behind - seen) * much.min(1.0));
        }
    }
}

/// A whole number that a channel holds.
trait Level {
    /// The level nearest to a number.
    fn nearest(number: f32) -> Self;
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two levels; `as` saturates")]
impl Level for u8 {
    fn nearest(number: f32) -> Self {
        number.round() as Self
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two levels; `as` saturates")]
impl Level for u16 {
    fn nearest(number: f32) -> Self {
        number.round() as Self
    }
}

fn blurred<P>(image: &Image, sigma: f64) -> Option<Vec<u8>>
where
    P: Pixel + 'static,
    P::Subpixel: bytemuck::Pod,
{
    let values = bytemuck::cast_slice::<u8, P::Subpixel>(image.bytes()).to_vec();
    let buffer = ImageBuffer::<P, _>::from_raw(image.width(), image.height(), values)?;
    #[expect(clippy::cast_possible_truncation, reason = "the library wants no more digits")]
    let blurred = imageops::fast_blur(&buffer, sigma as f32).into_raw();
    Some(bytemuck::cast_slice(&blurred).to_vec())
}

/// What is hidden of each pixel of a picture, 0 to 1, without sharp edges; `side` is the shorter side of what the model was shown, in
/// pixels. Numbers that do not fill a picture of `size` stay as they are.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the library wants no more digits")]
pub fn softened(hidden: Vec<f32>, (width, height): (u32, u32), side: f64) -> Vec<f32> {
    if hidden.is_empty() || hidden.len() != width as usize * height as usize {
        return hidden;
    }
    let sigma = (side * EDGE).max(1.0) as f32;
    let buffer = ImageBuffer::<Luma<f32>, _>::from_raw(width, height, hidden);
    buffer.map_or_else(Vec::new, |buffer| imageops::fast_blur(&buffer, sigma).into_raw())
}

/// The number of a map at each pixel of a picture, row by row: between the centres of its cells on straight lines; `outside` for
/// pixels that the map does not cover.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels of a picture, held to it")]
pub fn spread(map: &Map, (width, height): (u32, u32), outside: f32) -> Vec<f32> {
    let [left, top, right, bottom] = map.covers;
    let edge = |at: f64, side: u32| at.round().clamp(0.0, f64::from(side)) as usize;
    let (from, to) = (edge(left, width), edge(right, width));
    let (first, last) = (edge(top, height), edge(bottom, height));
    let mut spread = vec![outside; width as usize * height as usize];
    if from >= to || first >= last {
        return spread;
    }
    let fine = map.resized(to - from, last - first);
    let rows = spread.chunks_exact_mut(width as usize).skip(first);
    for (row, numbers) in rows.zip(fine.chunks_exact(to - from)) {
        row[from..to].copy_from_slice(numbers);
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture(format: PixelFormat, seed: u64) -> Image {
        let (width, height) = (9_u32, 7_u32);
        let mut pixels = Pool::new(0).take(63 * format.channels() * format.bytes_per_channel());
        let mut random = fastrand::Rng::with_seed(seed);
        pixels.bytes_mut().fill_with(|| random.u8(..));
        Image::new(width, height, format, pixels).unwrap()
    }

    proptest! {
        /// What is not hidden stays to the last bit, what is hidden is the veil's, and what is half hidden lies between.
        #[test]
        fn only_what_is_hidden_changes(seed in any::<u64>(), kind in 0_usize..4) {
            let formats = [PixelFormat::Grey8, PixelFormat::Grey16, PixelFormat::Rgb8, PixelFormat::Rgb16];
            let image = picture(formats[kind], seed);
            let (veiled, pool) = (Veiled::new(&image, 7.0).unwrap(), Pool::new(1));
            let bytes_of = |hidden: [f32; 63]| veiled.hide(&hidden, &pool).unwrap().bytes().to_vec();
            prop_assert_eq!(bytes_of([0.0; 63]), image.bytes());
            prop_assert_eq!(bytes_of([1.0; 63]), veiled.veil.clone());
            prop_assert_ne!(image.bytes(), veiled.veil.as_slice());
            let mut one = [0.0; 63];
            one[20] = 1.0;
            let seen = veiled.hide(&one, &pool).unwrap();
            let bytes = image.format().channels() * image.format().bytes_per_channel();
            for (place, (seen, was)) in seen.bytes().chunks(bytes).zip(image.bytes().chunks(bytes)).enumerate() {
                let wanted = if place == 20 { &veiled.veil[20 * bytes..21 * bytes] } else { was };
                prop_assert_eq!(seen, wanted, "pixel {}", place);
            }
            let half = veiled.hide(&[0.5; 63], &pool).unwrap();
            if image.format().bytes_per_channel() == 1 {
                for ((half, was), veil) in half.bytes().iter().zip(image.bytes()).zip(&veiled.veil) {
                    prop_assert!((was.min(veil)..=was.max(veil)).contains(&half));
                }
            }
        }
    }

    #[test]
    fn a_map_covers_its_part_of_a_picture_and_nothing_else() {
        let map = Map { width: 2, height: 1, covers: [1.0, 1.0, 3.0, 2.0], numbers: vec![0.25, 0.75] };
        assert_eq!(
            spread(&map, (4, 3), -1.0),
            [-1.0, -1.0, -1.0, -1.0, -1.0, 0.25, 0.75, -1.0, -1.0, -1.0, -1.0, -1.0]
        );
        let nowhere = Map { covers: [9.0, 9.0, 9.0, 9.0], ..map };
        assert_eq!(spread(&nowhere, (2, 1), -1.0), [-1.0, -1.0]);
        let image = picture(PixelFormat::Grey8, 1);
        let told = Veiled::new(&image, 7.0).unwrap().hide(&[0.0], &Pool::new(0)).unwrap_err();
        assert_eq!(told, "1 numbers hide a picture of 9x7 pixels");
    }
}
