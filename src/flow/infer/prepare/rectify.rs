//! Rectify: a quadrilateral of a frame becomes an upright picture, by perspective.
//!
//! The map of the unit square to a quadrilateral is Heckbert's (Fundamentals of Texture Mapping and Image Warping, 1989,
//! 2.2.3). Pixels come from the two by two nearest, the frame's edge goes on outside of it. The picture is as large as the
//! quadrilateral's longest sides.

#![expect(clippy::many_single_char_names, reason = "the names of the source")]

use super::Frame;
use super::resample::Sample;

/// What rectifies, with its buffers.
#[derive(Debug, Default)]
pub(super) struct Rectifier {
    map: [f64; 8],
    size: (u32, u32),
    levels: Vec<u8>,
    words: Vec<u16>,
}

impl Rectifier {
    /// Takes aim at four corners (top left, top right, bottom right, bottom left); gives the size of the picture.
    ///
    /// # Errors
    /// One sentence when the corners are no convex quadrilateral, or one much larger than the frame.
    pub(super) fn aim(&mut self, corners: [[f64; 2]; 4], frame: (u32, u32)) -> Result<(u32, u32), String> {
        let told = |what: &str| format!("the corners {corners:?} are {what}");
        if corners.iter().flatten().any(|number| !number.is_finite()) {
            return Err(told("not all numbers"));
        }
        let [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = corners;
        let length = |[ax, ay]: [f64; 2], [bx, by]: [f64; 2]| (ax - bx).hypot(ay - by);
        let [first, second, third, fourth] = corners;
        let width = length(first, second).max(length(third, fourth)).round().max(1.0);
        let height = length(first, fourth).max(length(second, third)).round().max(1.0);
        if width * height > 4.0 * f64::from(frame.0) * f64::from(frame.1) {
            return Err(told("much larger than the frame"));
        }
        let (dx1, dx2, sx) = (x1 - x2, x3 - x2, x0 - x1 + x2 - x3);
        let (dy1, dy2, sy) = (y1 - y2, y3 - y2, y0 - y1 + y2 - y3);
        let area = dx1 * dy2 - dx2 * dy1;
        let (g, h) = ((sx * dy2 - dx2 * sy) / area, (dx1 * sy - sx * dy1) / area);
        let convex = [1.0 + g, 1.0 + h, 1.0 + g + h].iter().all(|depth| *depth > 0.0);
        if area == 0.0 || !convex {
            return Err(told("no convex quadrilateral"));
        }
        let (right, down) = ([x1 - x0 + g * x1, y1 - y0 + g * y1, g], [x3 - x0 + h * x3, y3 - y0 + h * y3, h]);
        let [a, d, g] = right.map(|number| number / width);
        let [b, e, h] = down.map(|number| number / height);
        self.map = [a, b, x0, d, e, y0, g, h];
        self.size = (side(width), side(height));
        Ok(self.size)
    }

    /// The picture of a frame of levels.
    pub(super) fn levels(&mut self, frame: &Frame<'_, u8>) -> Frame<'_, u8> {
        rectify(self.map, self.size, frame, &mut self.levels);
        Frame { samples: &self.levels, channels: frame.channels, size: self.size }
    }

    /// The picture of a frame of words.
    pub(super) fn words(&mut self, frame: &Frame<'_, u16>) -> Frame<'_, u16> {
        rectify(self.map, self.size, frame, &mut self.words);
        Frame { samples: &self.words, channels: frame.channels, size: self.size }
    }
}

/// Reads `size` pixels through a map of their places.
fn rectify<S: Sample>(map: [f64; 8], size: (u32, u32), frame: &Frame<'_, S>, into: &mut Vec<S>) {
    let [a, b, c, d, e, f, g, h] = map;
    into.clear();
    for row in 0..size.1 {
        for column in 0..size.0 {
            let (u, v) = (f64::from(column) + 0.5, f64::from(row) + 0.5);
            let depth = g * u + h * v + 1.0;
            let (x, y) = ((a * u + b * v + c) / depth - 0.5, (d * u + e * v + f) / depth - 0.5);
            let (left, right, across) = between(x, frame.size.0);
            let (top, bottom, down) = between(y, frame.size.1);
            for channel in 0..frame.channels {
                let at = |column: u32, row: u32| -> f64 {
                    let pixel = row as usize * frame.size.0 as usize + column as usize;
                    frame.samples[pixel * frame.channels + channel].into()
                };
                let upper = at(left, top) * (1.0 - across) + at(right, top) * across;
                let lower = at(left, bottom) * (1.0 - across) + at(right, bottom) * across;
                into.push(S::nearest(upper * (1.0 - down) + lower * down));
            }
        }
    }
}

/// The two pixels around a place on an axis, and how far it lies towards the second.
fn between(at: f64, length: u32) -> (u32, u32, f64) {
    let at = at.clamp(0.0, f64::from(length - 1));
    let first = side(at.floor());
    (first, (first + 1).min(length - 1), at.fract())
}

/// A whole number above 0 that is held to sides of a picture.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float is cast to the nearest in range")]
const fn side(number: f64) -> u32 {
    number as u32
}
