//! Shown: which numbers of a map show the frame, where they lie in it, and what they reach.
//!
//! A map has the extent of the image input, in any number of rows and columns. Numbers over the border of a letterbox
//! show nothing and are left out. Pure geometry and counting; knows no task.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rows and columns are bounded far below 2^32, and what is narrowed is held to them"
)]

use super::Map;
use super::geometry::{Geometry, Rectangle};

/// The rows and columns of a map that show the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shown {
    /// The columns of the whole map.
    stride: usize,
    left: usize,
    top: usize,
    /// Columns that show the frame; at least 1.
    pub(super) columns: usize,
    /// Rows that show the frame; at least 1.
    pub(super) rows: usize,
    /// What the shown numbers cover, in pixels of the frame.
    covers: [f64; 4],
    /// The share of the frame that the input shows: less than 1 where only a part of the frame was cut out.
    share: f64,
}

impl Shown {
    /// Which of `rows` times `columns` numbers show the frame: those whose centre does, and at least one.
    ///
    /// # Errors
    /// A sentence when there is no frame, or its geometry is none.
    pub(super) fn of(geometry: &Geometry, rows: usize, columns: usize) -> Result<Self, String> {
        let (width, height) = (f64::from(geometry.input.0), f64::from(geometry.input.1));
        let (across, down) = (columns as f64 / width, rows as f64 / height);
        let shown = geometry.shown();
        let (frame_width, frame_height) = geometry.size_to_frame(shown.width, shown.height);
        let share = frame_width * frame_height / (f64::from(geometry.frame.0) * f64::from(geometry.frame.1));
        if !across.is_finite() || !down.is_finite() || !share.is_finite() || share <= 0.0 {
            return Err("a map lies over a frame, but the model was shown none".into());
        }
        let [left, top, right, bottom] = shown.corners();
        let within = Rectangle::between([left * across, top * down, right * across, bottom * down]);
        let cells = within.pixels_of((columns as u32, rows as u32));
        let [left, top, right, bottom] = cells.corners();
        let upper = geometry.to_frame(left / across, top / down);
        let lower = geometry.to_frame(right / across, bottom / down);
        Ok(Self {
            stride: columns,
            left: left as usize,
            top: top as usize,
            columns: cells.width as usize,
            rows: cells.height as usize,
            covers: [upper.0, upper.1, lower.0, lower.1],
            share: share.min(1.0),
        })
    }

    /// The shown numbers of one plane of the whole map, row by row.
    pub(super) fn cut<'m, T>(&self, plane: &'m [T]) -> impl Iterator<Item = &'m T> + use<'m, T> {
        let &Self { stride, left, top, columns, rows, .. } = self;
        plane.chunks(stride.max(1)).skip(top).take(rows).flat_map(move |row| row.iter().skip(left).take(columns))
    }

    /// How many numbers are shown.
    pub(super) const fn cells(&self) -> usize {
        self.rows * self.columns
    }

    /// The shown numbers as a map of the frame.
    pub(super) const fn map(&self, numbers: Vec<f32>) -> Map {
        Map { width: self.columns, height: self.rows, covers: self.covers, numbers }
    }

    /// The share of the frame, 0 to 1, that this many of the shown numbers cover.
    pub(super) fn share_of(&self, cells: usize) -> f64 {
        cells as f64 / self.cells() as f64 * self.share
    }

    /// The middle of the shown number at `place`, in pixels of the frame.
    pub(super) fn middle(&self, place: usize, geometry: &Geometry) -> [f64; 2] {
        let [left, top, right, bottom] = self.covers;
        let (row, column) = (place / self.columns, place % self.columns);
        let x = left + (right - left) * (column as f64 + 0.5) / self.columns as f64;
        let y = top + (bottom - top) * (row as f64 + 0.5) / self.rows as f64;
        [x.clamp(0.0, geometry.frame.0.into()), y.clamp(0.0, geometry.frame.1.into())]
    }

    /// The greatest number that an area of at least `area` (a share of the frame, 0 to 1) reaches: the k-th greatest,
    /// where k numbers are the fewest that cover the area, and at least one. 0 where not even all of them cover it.
    pub(super) fn reached(&self, numbers: &[f32], area: f64) -> f32 {
        // A part of a number in a billion is rounding: 0.1 of 10 numbers is one number.
        let wanted = (area * self.cells() as f64 / self.share * (1.0 - 1e-9)).ceil().max(1.0) as usize;
        match wanted {
            1 => numbers.iter().copied().fold(0.0, f32::max),
            _ if wanted > numbers.len() => 0.0,
            _ => *numbers.to_vec().select_nth_unstable_by(wanted - 1, |a, b| b.total_cmp(a)).1,
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the numbers are chosen to be exact in binary")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letterbox() -> Geometry {
        let window = Rectangle { left: 0.0, top: 8.0, width: 32.0, height: 16.0 };
        Geometry::new((64, 32), Rectangle::whole((64, 32)), (32, 32), window)
    }

    #[test]
    fn the_border_of_a_letterbox_is_not_shown() {
        let shown = Shown::of(&letterbox(), 8, 8).unwrap();
        assert_eq!((shown.left, shown.top, shown.columns, shown.rows), (0, 2, 8, 4));
        assert_eq!(shown.covers, [0.0, 0.0, 64.0, 32.0]);
        let plane: Vec<usize> = (0..64).collect();
        assert!(shown.cut(&plane).copied().eq(16..48));
        assert_eq!(shown.middle(0, &letterbox()), [4.0, 4.0]);
        assert_eq!(shown.middle(31, &letterbox()), [60.0, 28.0]);
        assert!((shown.share_of(8) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn a_part_that_was_cut_out_covers_its_share_only() {
        let region = Rectangle { left: 16.0, top: 0.0, width: 32.0, height: 32.0 };
        let geometry = Geometry::new((64, 32), region, (16, 16), Rectangle::whole((16, 16)));
        let shown = Shown::of(&geometry, 4, 4).unwrap();
        assert_eq!(shown.covers, [16.0, 0.0, 48.0, 32.0]);
        assert!((shown.share_of(16) - 0.5).abs() < 1e-12);
        let numbers: Vec<f32> = (1_u8..=16).map(|number| f32::from(number) / 16.0).collect();
        assert_eq!(shown.reached(&numbers, 0.0), 1.0);
        assert_eq!(shown.reached(&numbers, 0.125), 13.0 / 16.0, "4 of 16 numbers are an eighth of the frame");
        assert_eq!(shown.reached(&numbers, 0.5), 1.0 / 16.0);
        assert_eq!(shown.reached(&numbers, 0.6), 0.0, "more than is shown");
    }

    #[test]
    fn without_a_frame_there_is_no_map() {
        let refusal = Shown::of(&Geometry::identity(0, 0), 4, 4).unwrap_err();
        assert_eq!(refusal, "a map lies over a frame, but the model was shown none");
    }

    proptest! {
        #[test]
        fn at_least_one_number_is_shown_and_none_outside(
            frame in (1_u32..3000, 1_u32..3000),
            input in (1_u32..700, 1_u32..700),
            (rows, columns) in (1_usize..90, 1_usize..90),
            (left, top, wide, high) in (0.0..1.0, 0.0..1.0, 0.01..1.0, 0.01..1.0),
        ) {
            let size = (f64::from(input.0), f64::from(input.1));
            let window = Rectangle { left: left * size.0 * (1.0 - wide), top: top * size.1 * (1.0 - high), width: size.0 * wide, height: size.1 * high };
            let geometry = Geometry::new(frame, Rectangle::whole(frame), input, window);
            let shown = Shown::of(&geometry, rows, columns).unwrap();
            prop_assert!(shown.columns >= 1 && shown.left + shown.columns <= columns);
            prop_assert!(shown.rows >= 1 && shown.top + shown.rows <= rows);
            prop_assert_eq!(shown.cut(&vec![0_u8; rows * columns]).count(), shown.cells());
            prop_assert!((shown.share_of(shown.cells()) - 1.0).abs() < 1e-6);
        }

        #[test]
        fn what_is_reached_is_covered(numbers in prop::collection::vec(0.0_f32..1.0, 64), area in 0.0..=1.0_f64) {
            let shown = Shown::of(&Geometry::identity(64, 64), 8, 8).unwrap();
            let reached = shown.reached(&numbers, area);
            let covered = |level: f32| shown.share_of(numbers.iter().filter(|number| **number >= level).count());
            prop_assert!(covered(reached) >= area - 1e-9);
            let above = numbers.iter().copied().filter(|number| *number > reached).fold(f32::INFINITY, f32::min);
            prop_assert!(!above.is_finite() || covered(above) < area, "a greater one would do");
        }
    }
}
