//! Maps: a number for each point of a rectangle of the frame.

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
