//! The deletion curve: what becomes of a model's score while the picture is hidden step by step, the hottest pixels of a map
//! first (Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation of black-box models", 2018). The smaller the
//! area under it, the better the map tells what the score rests on. A figure by itself says little: it is held against maps with
//! the same numbers in random places.

use super::veil::spread;
use crate::task::Map;

/// Steps from the whole picture to one that is hidden altogether.
pub const STEPS: usize = 25;

/// The pixels of a picture that a map covers, the hottest first; those of one number in the order of the rows.
#[must_use]
pub fn order(map: &Map, size: (u32, u32)) -> Vec<usize> {
    let numbers = spread(map, size, f32::NAN);
    let mut order: Vec<usize> = (0..numbers.len()).filter(|&place| !numbers[place].is_nan()).collect();
    order.sort_by(|&one, &other| numbers[other].total_cmp(&numbers[one]));
    order
}

/// What is hidden of each pixel of a picture of `size` after `step` of [`STEPS`] steps: 0 or 1.
#[must_use]
pub fn hidden(order: &[usize], size: (u32, u32), step: usize) -> Vec<f32> {
    let mut hidden = vec![0.0; size.0 as usize * size.1 as usize];
    for &place in order.iter().take(order.len() * step / STEPS) {
        hidden[place] = 1.0;
    }
    hidden
}

/// The area under a curve of scores at even distances from 0 to 1, by straight lines between them; their mean where there are
/// fewer than two.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a count of steps")]
pub fn area(curve: &[f64]) -> f64 {
    match curve {
        [] => 0.0,
        [only] => *only,
        _ => {
            let pairs = curve.iter().zip(curve.iter().skip(1)).map(|(one, next)| f64::midpoint(*one, *next));
            pairs.sum::<f64>() / (curve.len() - 1) as f64
        }
    }
}

/// A map with the same numbers in random places: what a map is held against.
#[must_use]
pub fn shuffled(map: &Map, seed: u64) -> Map {
    let mut map = map.clone();
    fastrand::Rng::with_seed(seed).shuffle(&mut map.numbers);
    map
}

/// The same map at a random place: mirrored or not along each axis, shifted round by at least one cell where there are several.
/// It hides as much in one piece as the map does, only elsewhere.
#[must_use]
pub fn misplaced(map: &Map, seed: u64) -> Map {
    let mut random = fastrand::Rng::with_seed(seed);
    let (width, height) = (map.width.max(1), map.height.max(1));
    let shift = random.usize(1..(width * height).max(2));
    let (mirrored, turned) = (random.bool(), random.bool());
    let from = |place: usize| {
        let place = (place + shift) % (width * height);
        let (x, y) = (place % width, place / width);
        let x = if mirrored { width - 1 - x } else { x };
        let y = if turned { height - 1 - y } else { y };
        map.numbers.get(y * width + x).copied().unwrap_or_default()
    };
    Map { numbers: (0..map.numbers.len()).map(from).collect(), ..map.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        assert!((area(&[1.0, 0.5, 0.0]) - 0.5).abs() < 1e-12);
        assert!((area(&[1.0, 0.0, 0.0]) - 0.25).abs() < 1e-12);
        let map = Map { width: 2, height: 1, covers: [1.0, 0.0, 3.0, 1.0], numbers: vec![0.0, 1.0] };
        assert_eq!(order(&map, (4, 1)), [2, 1], "only what is covered, the hottest first");
        assert_eq!(hidden(&[2, 1], (4, 1), STEPS / 2 + 1), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(hidden(&[2, 1], (4, 1), STEPS), [0.0, 1.0, 1.0, 0.0]);
    }

    proptest! {
        #[test]
        fn every_covered_pixel_goes_once_and_none_before_a_hotter_one(
            numbers in prop::collection::vec(-1.0_f32..1.0, 12), width in 4_u32..20, height in 4_u32..20, seed in any::<u64>()
        ) {
            let covers = [1.0, 0.0, f64::from(width), f64::from(height - 1)];
            let map = Map { width: 4, height: 3, covers, numbers };
            let seen = order(&map, (width, height));
            prop_assert_eq!(seen.len(), ((width - 1) * (height - 1)) as usize);
            let heat = spread(&map, (width, height), f32::NAN);
            prop_assert!(seen.windows(2).all(|two| heat[two[0]] >= heat[two[1]]));
            let sorted = |map: &Map| {
                let mut numbers = map.numbers.clone();
                numbers.sort_by(f32::total_cmp);
                numbers
            };
            prop_assert_eq!(sorted(&shuffled(&map, seed)), sorted(&map));
            prop_assert_eq!(sorted(&misplaced(&map, seed)), sorted(&map));
        }
    }
}
