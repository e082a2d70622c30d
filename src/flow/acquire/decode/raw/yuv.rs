//! Luminance and colour differences to red, green and blue, a line at a time. Two neighbours that share their colour
//! differences get the same: nothing is interpolated, as `OpenCV` and most cameras' own converters do it.

#![expect(clippy::cast_sign_loss, reason = "levels are held to 0 to 255 before they become bytes")]

use crate::config::YuvEncoding;
use crate::flow::vectorised::vectorised;

/// Fractions of the factors below, in bits.
const BITS: i32 = 13;

/// What luminance (less `black`) and the colour differences (less 128) are worth, times 2^13.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix {
    black: i32,
    light: i32,
    red_of_red: i32,
    green_of_blue: i32,
    green_of_red: i32,
    blue_of_blue: i32,
}

impl Matrix {
    /// From the weights of red and blue in luminance: R = Y + 2 (1 - Kr) Cr, B = Y + 2 (1 - Kb) Cb, and G from
    /// Y = Kr R + (1 - Kr - Kb) G + Kb B, where in limited range luminance has 219 and colour differences 224 of 255 levels
    /// (ITU-R BT.601-7, sections 2.5.1 to 2.5.3; ITU-R BT.709-6, section 3).
    const fn of(red: f64, blue: f64, full: bool) -> Self {
        let (light, colour) = if full { (1.0, 1.0) } else { (255.0 / 219.0, 255.0 / 224.0) };
        let green = 1.0 - red - blue;
        Self {
            black: if full { 0 } else { 16 },
            light: fixed(light),
            red_of_red: fixed(2.0 * (1.0 - red) * colour),
            green_of_blue: fixed(-2.0 * blue * (1.0 - blue) / green * colour),
            green_of_red: fixed(-2.0 * red * (1.0 - red) / green * colour),
            blue_of_blue: fixed(2.0 * (1.0 - blue) * colour),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "factors stay below 4, times 2^13")]
const fn fixed(factor: f64) -> i32 {
    (factor * (1 << BITS) as f64).round() as i32
}

const BT601: Matrix = Matrix::of(0.299, 0.114, false);
const BT601_FULL: Matrix = Matrix::of(0.299, 0.114, true);
const BT709: Matrix = Matrix::of(0.2126, 0.0722, false);
const BT709_FULL: Matrix = Matrix::of(0.2126, 0.0722, true);

/// The factors of an encoding.
#[must_use]
pub const fn matrix(encoding: YuvEncoding) -> &'static Matrix {
    match encoding {
        YuvEncoding::Bt601 => &BT601,
        YuvEncoding::Bt601Full => &BT601_FULL,
        YuvEncoding::Bt709 => &BT709,
        YuvEncoding::Bt709Full => &BT709_FULL,
    }
}

/// The order of luminance and colour differences in four bytes.
trait Order: Copy {
    /// Luminance of the first and the second pixel, blue difference, red difference.
    fn sorted(bytes: [u8; 4]) -> [u8; 4];
}

#[derive(Clone, Copy)]
struct Yuyv;

impl Order for Yuyv {
    #[allow(clippy::inline_always, reason = "a part of the vectorised loop")]
    #[inline(always)]
    fn sorted([first, blue, second, red]: [u8; 4]) -> [u8; 4] {
        [first, second, blue, red]
    }
}

#[derive(Clone, Copy)]
struct Uyvy;

impl Order for Uyvy {
    #[allow(clippy::inline_always, reason = "a part of the vectorised loop")]
    #[inline(always)]
    fn sorted([blue, first, red, second]: [u8; 4]) -> [u8; 4] {
        [first, second, blue, red]
    }
}

/// Two pixels of red, green and blue.
#[allow(clippy::inline_always, reason = "a part of the vectorised loops")]
#[inline(always)]
fn pair([first, second, blue, red]: [u8; 4], matrix: &Matrix) -> [u8; 6] {
    let half = 1 << (BITS - 1);
    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    let offsets =
        [matrix.red_of_red * red, matrix.green_of_blue * blue + matrix.green_of_red * red, matrix.blue_of_blue * blue];
    let light = |level: u8| matrix.light * (i32::from(level) - matrix.black) + half;
    let lights = [light(first), light(second)];
    let mut levels = [0; 6];
    for pixel in 0..2 {
        for channel in 0..3 {
            let level = (lights[pixel] + offsets[channel]) >> BITS;
            levels[pixel * 3 + channel] = level.clamp(0, 255) as u8;
        }
    }
    levels
}

vectorised! {
    /// Two pixels of four bytes become two of red, green and blue. What has no whole four or six bytes is left.
    fn packed_pairs [O: Order](_order: O, packed: &[u8], rgb: &mut [u8], matrix: &Matrix) {
        let (from, to) = (packed.as_chunks::<4>().0, rgb.as_chunks_mut::<6>().0);
        // By places: iterators in here are not always made part of the vectorised function, and then cost six times as much.
        for place in 0..from.len().min(to.len()) {
            to[place] = pair(O::sorted(from[place]), matrix);
        }
    }
}

vectorised! {
    /// As [`packed_pairs`], with luminance and colour differences from a line each.
    fn plane_pairs [](light: &[u8], differences: &[u8], rgb: &mut [u8], matrix: &Matrix) {
        let (light, differences, to) = (light.as_chunks::<2>().0, differences.as_chunks::<2>().0, rgb.as_chunks_mut::<6>().0);
        for place in 0..light.len().min(differences.len()).min(to.len()) {
            let ([first, second], [blue, red]) = (light[place], differences[place]);
            to[place] = pair([first, second, blue, red], matrix);
        }
    }
}

/// Converts YUYV of even width, encoded as BT.601 with limited range.
pub fn yuyv_to_rgb(yuyv: &[u8], rgb: &mut [u8]) {
    packed_pairs(Yuyv, yuyv, rgb, &BT601);
}

/// Converts a line of YUYV, or of UYVY; an odd last pixel takes the first half of the last four bytes.
pub(super) fn packed_line(differences_first: bool, line: &[u8], rgb: &mut [u8], matrix: &Matrix) {
    let convert = |from: &[u8], to: &mut [u8]| {
        if differences_first { packed_pairs(Uyvy, from, to, matrix) } else { packed_pairs(Yuyv, from, to, matrix) }
    };
    convert(line, rgb);
    if let ([odd @ .., _, _, _], Some(four)) = (rgb.as_chunks_mut::<6>().1, line.last_chunk::<4>())
        && odd.is_empty()
    {
        let mut two = [0; 6];
        convert(four, &mut two);
        let at = rgb.len() - 3;
        rgb[at..].copy_from_slice(&two[..3]);
    }
}

/// Converts a line of a plane of luminance with its line of the plane of colour differences; an odd last pixel has the last
/// two of these for itself.
pub(super) fn planes_line(light: &[u8], differences: &[u8], rgb: &mut [u8], matrix: &Matrix) {
    plane_pairs(light, differences, rgb, matrix);
    let width = rgb.len() / 3;
    if let (1, Some(&[blue, red])) = (width % 2, differences.last_chunk::<2>()) {
        let two = pair([light[width - 1], 0, blue, red], matrix);
        rgb[(width - 1) * 3..].copy_from_slice(&two[..3]);
    }
}
