//! Maps: a number for each point of a rectangle of the frame.

use super::geometry::Geometry;
use super::shown::Shown;

/// A dense map over a rectangle of the frame: rows of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// Numbers in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Left, top, right and bottom of the rectangle it covers, in pixels of the frame; beyond the frame's edges by less
    /// than a number's side.
    pub covers: [f64; 4],
    /// The numbers, `width * height` of them.
    pub numbers: Vec<f32>,
}

impl Map {
    /// The map of what of the frame is shown by numbers over the whole image input, so many rows and columns of them: those over
    /// the border of a letterbox are left out.
    ///
    /// # Errors
    /// One sentence where there is another number of them, or no frame was shown.
    pub fn of_input(numbers: &[f32], (rows, columns): (usize, usize), geometry: &Geometry) -> Result<Self, String> {
        if rows.checked_mul(columns) != Some(numbers.len()) {
            return Err(format!("{} numbers are no {rows} rows of {columns}", numbers.len()));
        }
        let shown = Shown::of(geometry, rows, columns)?;
        Ok(shown.map(shown.cut(numbers).copied().collect()))
    }

    /// The numbers at another size, both sides at least 1: bilinear between the centres of the old ones, the edges held.
    ///
    /// The centre of new column `x` lies at old column `(x + 0.5) * old width / width - 0.5`, and rows likewise.
    #[must_use]
    pub fn resized(&self, width: usize, height: usize) -> Vec<f32> {
        if (width, height) == (self.width, self.height) {
            return self.numbers.clone();
        }
        let (columns, rows) = (places(self.width, width), places(self.height, height));
        let at = |row: usize, column: usize| self.numbers.get(row * self.width + column).copied().unwrap_or_default();
        let mut numbers = Vec::with_capacity(width * height);
        for &(top, bottom, down) in &rows {
            numbers.extend(columns.iter().map(|&(left, right, across)| {
                let upper = at(top, left) * (1.0 - across) + at(top, right) * across;
                let lower = at(bottom, left) * (1.0 - across) + at(bottom, right) * across;
                upper * (1.0 - down) + lower * down
            }));
        }
        numbers
    }

    /// The middle of the cell with the greatest number, x and y in pixels of the frame, and that number; `None` of an empty map.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a map has far fewer than 2^53 cells a side")]
    pub fn peak(&self) -> Option<([f64; 2], f32)> {
        let greatest = self.numbers.iter().enumerate().reduce(|most, next| if next.1 > most.1 { next } else { most });
        let (place, number) = greatest?;
        let [left, top, right, bottom] = self.covers;
        let middle =
            |from: f64, to: f64, at: usize, cells: usize| from + (to - from) * (at as f64 + 0.5) / cells as f64;
        let x = middle(left, right, place % self.width.max(1), self.width);
        let y = middle(top, bottom, place / self.width.max(1), self.height);
        Some(([x, y], *number))
    }
}

/// For each new place the two old ones it lies between, and how far it lies towards the second, 0 to 1.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides of maps are far below 2^24, and places are held to them"
)]
fn places(old: usize, new: usize) -> Vec<(usize, usize, f32)> {
    let last = old.saturating_sub(1);
    (0..new)
        .map(|place| {
            let at = ((place as f32 + 0.5) * old as f32 / new as f32 - 0.5).clamp(0.0, last as f32);
            let first = (at as usize).min(last);
            (first, (first + 1).min(last), at - first as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(width: usize, height: usize, numbers: Vec<f32>) -> Map {
        Map { width, height, covers: [0.0, 0.0, 1.0, 1.0], numbers }
    }

    #[test]
    fn twice_the_size_by_hand() {
        let seen = map(2, 1, vec![0.0, 1.0]).resized(4, 2);
        assert_eq!(seen, [0.0, 0.25, 0.75, 1.0, 0.0, 0.25, 0.75, 1.0]);
        assert_eq!(map(1, 1, vec![0.5]).resized(3, 1), [0.5; 3]);
    }

    #[test]
    fn the_peak_lies_in_the_middle_of_its_cell() {
        let numbers = vec![0.0, 0.0, -1.0, 0.5, 0.5, 0.0];
        let seen = Map { width: 3, height: 2, covers: [10.0, 0.0, 40.0, 8.0], numbers }.peak();
        assert_eq!(seen, Some(([15.0, 6.0], 0.5)), "the first of equals");
        assert_eq!(map(0, 0, Vec::new()).peak(), None);
    }

    proptest! {
        #[test]
        fn nothing_leaves_the_hull(numbers in prop::collection::vec(0.0_f32..1.0, 12), width in 1_usize..20, height in 1_usize..20) {
            let (least, most) = numbers.iter().fold((1.0_f32, 0.0_f32), |(least, most), &n| (least.min(n), most.max(n)));
            let seen = map(4, 3, numbers).resized(width, height);
            prop_assert_eq!(seen.len(), width * height);
            prop_assert!(seen.iter().all(|n| (least - 1e-6..=most + 1e-6).contains(n)));
        }
    }
}
