//! RISE: where a model looks, found by hiding many places of the picture at once, at random, and asking which of them mattered
//! (Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation of black-box models", 2018).
//!
//! A defect that shows at several places is not found by hiding one place after another, for the others still speak: half of the
//! picture goes at once. Masks are coarse, middling and fine in turns, without edges, and drawn from fixed seeds, so that the same
//! question has the same answer. What is watched are the log-odds of a defect, for the score itself hardly moves where a model is
//! sure. RISE takes the mean of the masks by their scores, in which a place gets part of what its neighbours say; here a ridge
//! regression shares the scores out among the places (as LIME does: Ribeiro, Singh and Guestrin, "Why should I trust you?", 2016).

use super::veil::spread;
use crate::fusion::calibrator::logit;
use crate::learn::newton::cholesky;
use crate::task::Map;
use crate::task::geometry::Rectangle;

/// Random spots along the longer side of what the model was shown, of one mask after another.
const SPOTS: [u32; 3] = [4, 7, 10];

/// How many masks there are.
pub const MASKS: usize = 300;

/// Cells of the map along the longer side.
const CELLS: u32 = 32;

/// The penalty of the regression, as a share of the mean square of a mask.
const RIDGE: f64 = 1.0;

/// The masks of an area of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Masks {
    size: (u32, u32),
    area: Rectangle,
    columns: u32,
    rows: u32,
}

impl Masks {
    /// The masks of an `area` of a picture of `size`, width and height in pixels; the area is held to whole pixels of it.
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

    /// What a mask hides of each pixel of the picture, row by row, 0 to 1; nothing beside the area.
    #[must_use]
    pub fn hidden(&self, mask: usize) -> Vec<f32> {
        let numbers = self.cells(mask).into_iter().map(|shown| 1.0 - shown).collect();
        spread(&self.over(numbers), self.size, 0.0)
    }

    /// The map of what the score rests on, from the scores, 0 to 1, under the masks from 0 on: for each cell, by how much the
    /// log-odds of a defect rise where it is shown, all other cells being as they are. Above 0 the cell speaks for a defect, below 0
    /// against one. The numbers are shrunk towards 0, for there are fewer masks than cells.
    ///
    /// They are the `w` with the least `|y - X w|^2 + r |w|^2`, for log-odds `y` and masks `X` less their means, which is
    /// `X' (X X' + r I)^-1 y`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a map holds binary32; a count of masks"
    )]
    pub fn map(&self, scores: &[f64]) -> Map {
        let cells = self.columns as usize * self.rows as usize;
        let odds = centred(scores.iter().map(|score| logit(*score)).collect());
        let masks: Vec<Vec<f32>> = (0..scores.len()).map(|mask| self.cells(mask)).collect();
        let level = |cell: usize| masks.iter().map(|mask| mask[cell]).sum::<f32>() / masks.len() as f32;
        let levels: Vec<f32> = (0..cells).map(level).collect();
        let masks: Vec<Vec<f32>> =
            masks.iter().map(|mask| mask.iter().zip(&levels).map(|(one, mean)| one - mean).collect()).collect();
        let product =
            |one: &[f32], other: &[f32]| f64::from(one.iter().zip(other).map(|(one, other)| one * other).sum::<f32>());
        let mut products: Vec<Vec<f64>> =
            masks.iter().map(|one| masks.iter().map(|other| product(one, other)).collect()).collect();
        let square = (0..masks.len()).map(|place| products[place][place]).sum::<f64>() / count(scores).max(1.0);
        (0..masks.len()).for_each(|place| products[place][place] += RIDGE * square);
        let shares = cholesky(products, &odds).unwrap_or_else(|| vec![0.0; masks.len()]);
        let number = |cell: usize| {
            masks.iter().zip(&shares).map(|(mask, share)| f64::from(mask[cell]) * share).sum::<f64>() as f32
        };
        self.over((0..cells).map(number).collect())
    }

    fn over(&self, numbers: Vec<f32>) -> Map {
        let (width, height) = (self.columns as usize, self.rows as usize);
        Map { width, height, covers: self.area.corners(), numbers }
    }

    /// What a mask shows of each cell, row by row, 0 to 1: spots that are shown or hidden with even chances, on a lattice that lies
    /// anywhere, and straight lines between them.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the count of spots")]
    fn cells(&self, mask: usize) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(mask as u64);
        let spots = SPOTS[mask % SPOTS.len()];
        let pitch = f64::from(self.columns.max(self.rows)) / f64::from(spots);
        let (right, down) = (random.f64(), random.f64());
        let across = spots as usize + 2;
        let lattice: Vec<f32> = (0..across * across).map(|_| f32::from(u8::from(random.bool()))).collect();
        let between = |cell: u32, shift: f64| {
            let at = (f64::from(cell) + 0.5) / pitch + shift;
            (at as usize, (at - at.floor()) as f32)
        };
        let spot = |x: usize, y: usize| lattice.get(y * across + x).copied().unwrap_or_default();
        let row = |cell: u32| {
            let (y, lower) = between(cell, down);
            (0..self.columns).map(move |cell| {
                let (x, further) = between(cell, right);
                let line = |y: usize| spot(x, y) * (1.0 - further) + spot(x + 1, y) * further;
                line(y) * (1.0 - lower) + line(y + 1) * lower
            })
        };
        (0..self.rows).flat_map(row).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of masks")]
const fn count(numbers: &[f64]) -> f64 {
    numbers.len() as f64
}

/// Numbers less their mean.
fn centred(numbers: Vec<f64>) -> Vec<f64> {
    let mean = numbers.iter().sum::<f64>() / count(&numbers).max(1.0);
    numbers.into_iter().map(|number| number - mean).collect()
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
    use crate::fusion::calibrator::logistic;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        /// Of log-odds that rise where one cell is shown, the map is hot at that cell and nowhere much hotter, whatever part of the
        /// picture was shown; of log-odds that fall there, cold.
        #[test]
        fn the_map_is_hot_at_what_the_score_rests_on(
            size in (1_u32..24, 1_u32..24), corners in prop::array::uniform4(0.0..24.0_f64), at in 0.0..1.0_f64, turned in any::<bool>()
        ) {
            let [x, y, other_x, other_y] = corners;
            let area = Rectangle::between([x.min(other_x), y.min(other_y), x.max(other_x), y.max(other_y)]);
            let masks = Masks::new(area, size);
            let cells = masks.columns as usize * masks.rows as usize;
            let place = ((at * cells as f64) as usize).min(cells - 1);
            let sign = if turned { -1.0 } else { 1.0 };
            let scores: Vec<f64> =
                (0..120).map(|mask| logistic(1.0 + sign * f64::from(masks.cells(mask)[place]))).collect();
            let map = masks.map(&scores);
            prop_assert_eq!(map.numbers.len(), cells);
            let hot: Vec<f64> = map.numbers.iter().map(|number| sign * f64::from(*number)).collect();
            let most = hot.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(hot[place] > 0.0 && hot[place] >= 0.6 * most, "{} of {}", hot[place], most);
            let mean = hot.iter().sum::<f64>() / cells as f64;
            prop_assert!(cells < 100 || hot[place] > 4.0 * mean, "{} over {}", hot[place], mean);
        }

        /// A mask hides within the area only, about half of it over all masks, and is the same each time.
        #[test]
        fn masks_hide_half_of_the_area(size in (20_u32..48, 20_u32..48), left in 0.0..10.0_f64, top in 0.0..10.0_f64) {
            let (width, height) = size;
            let area = Rectangle::between([left, top, f64::from(width), f64::from(height)]);
            let (masks, held) = (Masks::new(area, size), area.pixels_of(size));
            let mut sum = 0.0;
            for mask in 0..MASKS {
                let hidden = masks.hidden(mask);
                prop_assert_eq!(hidden.len(), (width * height) as usize);
                for (place, &much) in hidden.iter().enumerate() {
                    let (x, y) = (place as u32 % width, place as u32 / width);
                    let inside = f64::from(x) >= held.left && f64::from(y) >= held.top;
                    prop_assert!((0.0..=1.0).contains(&much) && (inside || much == 0.0), "{} at {} {}", much, x, y);
                    sum += f64::from(much);
                }
            }
            let share = sum / MASKS as f64 / (held.width * held.height);
            prop_assert!((share - 0.5).abs() < 0.05, "{}", share);
            prop_assert_eq!(masks.hidden(5), masks.hidden(5));
            prop_assert_ne!(masks.hidden(5), masks.hidden(8));
        }
    }

    #[test]
    fn scores_that_do_not_move_leave_the_map_level() {
        let masks = Masks::new(Rectangle::whole((8, 8)), (8, 8));
        assert!(masks.map(&[]).numbers.iter().chain(&masks.map(&[0.5; 9]).numbers).all(|number| number.abs() < 1e-6));
    }
}
