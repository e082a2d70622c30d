//! Deletion and insertion curves: what becomes of a model's score while the picture is hidden step by step, the hottest pixels of
//! a map first, and while it is shown step by step (Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation of
//! black-box models", 2018). The better a map tells what the score rests on, the smaller the area under the first and the greater
//! that under the second. A figure by itself says little: it is held against the same numbers in random places, and against the
//! same map elsewhere.
//!
//! What is hidden fades in without an edge. A sharp border between what is shown and what is out of focus is a thing that no model
//! was trained on, and moves its score by itself (Hooker, Erhan, Kindermans and Kim, "A benchmark for interpretability methods in
//! deep neural networks", 2019); it would favour the map with most borders, which is the scattered one.

use super::veil::{softened, spread};
use crate::task::Map;

/// Steps from the one end to the other.
pub const STEPS: usize = 20;

/// Which way a curve goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the whole picture to the hidden one.
    Deletion,
    /// From the hidden picture to the whole one.
    Insertion,
}

/// The pixels of a picture that a map covers, the hottest first; those of one number in the order of the rows.
#[must_use]
pub fn order(map: &Map, size: (u32, u32)) -> Vec<usize> {
    let numbers = spread(map, size, f32::NAN);
    let mut order: Vec<usize> = (0..numbers.len()).filter(|&place| !numbers[place].is_nan()).collect();
    order.sort_by(|&one, &other| numbers[other].total_cmp(&numbers[one]));
    order
}

/// What is hidden of each pixel of a picture of `size` after `step` of [`STEPS`] steps, 0 to 1: along the deletion curve the pixels
/// that come first in `order`, along the insertion curve all of those but the first. `side` is the shorter side of what the model
/// was shown, in pixels.
#[must_use]
pub fn hidden(way: Way, order: &[usize], size: (u32, u32), side: f64, step: usize) -> Vec<f32> {
    let (first, rest) = order.split_at((order.len() * step / STEPS).min(order.len()));
    let places = match way {
        Way::Deletion => first,
        Way::Insertion => rest,
    };
    let mut hidden = vec![0.0; size.0 as usize * size.1 as usize];
    for &place in places {
        if let Some(hidden) = hidden.get_mut(place) {
            *hidden = 1.0;
        }
    }
    softened(hidden, size, side)
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
    }

    proptest! {
        /// Both curves hide together what there is, from nothing to all, more with each step the one and less the other.
        #[test]
        fn what_the_one_hides_the_other_shows(side in 12_u32..40, seed in any::<u64>(), step in 0..STEPS) {
            let size = (side, side + 3);
            let mut order: Vec<usize> = (0..(side * (side + 3)) as usize).collect();
            fastrand::Rng::with_seed(seed).shuffle(&mut order);
            let at = |way, step| hidden(way, &order, size, f64::from(side), step);
            let near = |one: f32, other: f32| (one - other).abs() < 1e-3;
            for (gone, left) in at(Way::Deletion, step).iter().zip(at(Way::Insertion, step)) {
                prop_assert!(near(gone + left, 1.0), "{} {}", gone, left);
            }
            for (now, next) in at(Way::Deletion, step).iter().zip(at(Way::Deletion, step + 1)) {
                prop_assert!(next - now > -1e-3);
            }
            prop_assert!(at(Way::Deletion, 0).iter().all(|hidden| near(*hidden, 0.0)));
            prop_assert!(at(Way::Deletion, STEPS).iter().all(|hidden| near(*hidden, 1.0)));
        }

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
