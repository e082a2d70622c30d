//! Occlusion: where a model looks, found by hiding one place of the picture after another and watching its score (Zeiler and
//! Fergus, "Visualizing and understanding convolutional networks", 2014).
//!
//! A place is round and has no edge, so that it looks like no defect of its own; places overlap and cover all that the model was
//! shown. What is watched are the log-odds of a defect, for the score itself hardly moves where a model is sure.

use crate::fusion::calibrator::logit;
use crate::task::Map;
use crate::task::geometry::Rectangle;

/// Places along the longer side of what the model was shown; each is the middle of a cell of the map.
const CELLS: u32 = 12;

/// The standard deviation of the bell by which a place fades, in cells.
const SPREAD: f64 = 1.2;

/// What the bell is raised by and then held to 1: all of the cell itself is hidden.
const RAISED: f64 = 1.5;

/// Where a place ends, in standard deviations: a hundredth is hidden there.
const END: f64 = 3.2;

/// The places that are hidden one after another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Places {
    size: (u32, u32),
    area: Rectangle,
    columns: u32,
    rows: u32,
}

impl Places {
    /// The places of an `area` of a picture of `size`, width and height in pixels; the area is held to whole pixels of it.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held to 1 to the number of cells")]
    pub fn new(area: Rectangle, size: (u32, u32)) -> Self {
        let area = area.pixels_of(size);
        let longer = area.width.max(area.height);
        let cells = |side: f64| {
            let even = (side / longer * f64::from(CELLS)).round().clamp(1.0, f64::from(CELLS));
            even.min(side) as u32
        };
        Self { size, area, columns: cells(area.width), rows: cells(area.height) }
    }

    /// How many places there are, from 1 to 144.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.columns as usize * self.rows as usize
    }

    /// What is hidden of each pixel of the picture, row by row, 0 to 1, at a place below [`count`](Self::count).
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a share, of which a few digits are enough")]
    pub fn hidden(&self, place: usize) -> Vec<f32> {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let Rectangle { left, top, width, height } = self.area;
        let side = (width / f64::from(self.columns)).max(height / f64::from(self.rows));
        let across = bell(self.size.0, (left, width), (place % self.columns, self.columns), side);
        let down = bell(self.size.1, (top, height), (place / self.columns, self.rows), side);
        let mixed = |(y, x): (&f64, &f64)| {
            let hidden = (RAISED * x * y).min(1.0);
            if hidden < 0.01 { 0.0 } else { hidden as f32 }
        };
        down.iter().flat_map(|y| across.iter().map(move |x| mixed((y, x)))).collect()
    }

    /// The map of what the score rests on: for each cell, by how much the log-odds of a defect fell where its place was hidden. Above
    /// 0 the place speaks for a defect, below 0 against one. `whole` is the score, 0 to 1, of the picture as it is, `hidden` those
    /// with each place hidden.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a map holds binary32: the nearest one is meant")]
    pub fn map(&self, whole: f64, hidden: &[f64]) -> Map {
        let fell = hidden.iter().map(|score| (logit(whole) - logit(*score)) as f32);
        let (width, height) = (self.columns as usize, self.rows as usize);
        Map { width, height, covers: self.area.corners(), numbers: fell.take(self.count()).collect() }
    }
}

/// The bell of a cell along one axis of a picture with `pixels`: of the area that begins at `from` and has a `length`, the cell of so
/// many. 0 outside the area and beyond the place's end.
fn bell(pixels: u32, (from, length): (f64, f64), (cell, cells): (u32, u32), side: f64) -> Vec<f64> {
    let middle = from + length * (f64::from(cell) + 0.5) / f64::from(cells);
    (0..pixels)
        .map(|pixel| f64::from(pixel) + 0.5)
        .map(|at| {
            let away = (at - middle) / (SPREAD * side);
            let within = at > from && at < from + length && away.abs() < END;
            if within { (-away * away / 2.0).exp() } else { 0.0 }
        })
        .collect()
}

#[cfg(test)]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixels and cells of small pictures"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Of a score that falls where one point is hidden, the map is hottest at the cell of that point, whatever part of the picture
        /// was shown; every pixel of that part is hidden by some place, and none beside it.
        #[test]
        fn the_map_is_hottest_at_what_the_score_rests_on(
            width in 1_u32..70, height in 1_u32..70, corners in prop::array::uniform4(0.0..70.0_f64), at in (0.0..1.0_f64, 0.0..1.0_f64)
        ) {
            let [x, y, other_x, other_y] = corners;
            let area = Rectangle::between([x.min(other_x), y.min(other_y), x.max(other_x), y.max(other_y)]);
            let places = Places::new(area, (width, height));
            let held = area.pixels_of((width, height));
            let point = ((held.left + at.0 * held.width).floor(), (held.top + at.1 * held.height).floor());
            let [left, top, right, bottom] = held.corners();
            let index = |x: f64, y: f64| (y * f64::from(width) + x) as usize;
            let mut ever = vec![0.0_f32; (width * height) as usize];
            let scores: Vec<f64> = (0..places.count()).map(|place| {
                let hidden = places.hidden(place);
                ever.iter_mut().zip(&hidden).for_each(|(ever, hidden)| *ever += hidden);
                0.9 - 0.5 * f64::from(hidden[index(point.0, point.1)])
            }).collect();
            for y in 0..height {
                for x in 0..width {
                    let (x, y) = (f64::from(x), f64::from(y));
                    let inside = (left..right).contains(&x) && (top..bottom).contains(&y);
                    prop_assert_eq!(ever[index(x, y)] > 0.0, inside);
                }
            }
            let map = places.map(0.9, &scores);
            let cell = |at: f64, from: f64, length: f64, cells: usize| (((at + 0.5 - from) / length * cells as f64) as usize).min(cells - 1);
            let (column, row) = (cell(point.0, left, held.width, map.width), cell(point.1, top, held.height, map.height));
            let most = map.numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let here = map.numbers[row * map.width + column];
            prop_assert!(here > 0.0 && here >= most - 1e-6, "{} of {}", here, most);
        }
    }
}
