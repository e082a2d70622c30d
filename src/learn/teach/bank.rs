//! The memory bank: good parts only, of which a part's distance to the nearest says how unusual it is. Pure.
//!
//! Source: K. Roth and others, "Towards total recall in industrial anomaly detection" (`PatchCore`, 2022), with one vector a
//! picture where the paper has one a patch: a score, and no map. The coreset is their greedy one, which is T. Gonzalez' (1985):
//! it covers within twice the least radius that so many centres can have.

use super::{distance, mean, number};

/// The share of good parts beyond the threshold that is aimed at.
const FALSE_REJECTS: f64 = 0.05;

/// Some good vectors, and the distance at which a part is unusual.
#[derive(Debug, Clone, PartialEq)]
pub struct Bank {
    /// What is kept of the examples.
    pub centres: Vec<Vec<f64>>,
    /// The greatest distance of an example to the nearest that is kept.
    pub radius: f64,
    /// The distance that divides good from unusual; `None` of a single example, which tells of no distance.
    pub threshold: Option<Threshold>,
}

/// Where good ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// The distance from which a part is rejected, above 0.
    pub distance: f64,
    /// The share of good parts that is expected beyond it, 0 to 1.
    pub false_rejects: f64,
}

impl Bank {
    /// Keeps at most `size` of at least one vector and finds the threshold: of the distances of n examples to a bank of the
    /// others, in order, the one of rank (n + 1) 0.95, rounded up, or the greatest where n is below 19. A further good part
    /// drawn alike lies beyond it with a chance of 1 - rank / (n + 1), but that a bank of n is denser (split-conformal
    /// prediction, V. Vovk and others, 2005; left out one by one: R. Barber and others, 2021).
    ///
    /// # Errors
    /// One sentence: no examples, or all of them alike.
    pub fn of(examples: &[Vec<f64>], size: usize) -> Result<Self, String> {
        if examples.is_empty() {
            return Err("there is no good example, want at least one".into());
        }
        let (kept, radius) = k_centre(examples, size);
        let centres = kept.iter().map(|&place| examples[place].clone()).collect();
        if examples.len() == 1 {
            return Ok(Self { centres, radius, threshold: None });
        }
        let mut distances = left_out(examples, size);
        distances.sort_by(f64::total_cmp);
        let all = examples.len();
        let rank = all.min(rank(all));
        let distance = distances.get(rank - 1).copied().unwrap_or_default();
        if distance <= 0.0 {
            return Err(format!(
                "the {all} good examples lie {distance} apart as the embedding sees them, want pictures that differ"
            ));
        }
        let false_rejects = number(all + 1 - rank) / number(all + 1);
        Ok(Self { centres, radius, threshold: Some(Threshold { distance, false_rejects }) })
    }

    /// The distance to the nearest that is kept.
    #[must_use]
    pub fn distance(&self, vector: &[f64]) -> f64 {
        nearest(&self.centres, vector)
    }
}

/// The rank of the threshold among the distances of `all` examples; beyond `all` where they are too few.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
fn rank(all: usize) -> usize {
    // 19 of 20 is whole, whatever its last bits say.
    ((1.0 - FALSE_REJECTS) * number(all + 1) - 1e-9).ceil() as usize
}

/// The distance of each example to a bank of the others.
#[must_use]
pub fn left_out(examples: &[Vec<f64>], size: usize) -> Vec<f64> {
    let of = |place: usize| {
        let others: Vec<Vec<f64>> =
            examples.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, one)| one.clone()).collect();
        let kept: Vec<Vec<f64>> = k_centre(&others, size).0.into_iter().map(|other| others[other].clone()).collect();
        nearest(&kept, &examples[place])
    };
    (0..examples.len()).map(of).collect()
}

fn nearest(centres: &[Vec<f64>], vector: &[f64]) -> f64 {
    centres.iter().map(|centre| distance(centre, vector)).fold(f64::INFINITY, f64::min)
}

/// The places of at most `size` examples, at least one, and the greatest distance of any example to the nearest of them: first
/// the one nearest to the mean, then again and again the one that is farthest from those.
#[must_use]
pub fn k_centre(examples: &[Vec<f64>], size: usize) -> (Vec<usize>, f64) {
    if examples.is_empty() {
        return (Vec::new(), 0.0);
    }
    let middle = mean(examples.iter().map(Vec::as_slice));
    let mut next = least(&examples.iter().map(|one| distance(one, &middle)).collect::<Vec<f64>>());
    let mut kept = Vec::new();
    let mut away = vec![f64::INFINITY; examples.len()];
    loop {
        kept.push(next);
        let centre = &examples[next];
        away.iter_mut().zip(examples).for_each(|(away, one)| *away = away.min(distance(one, centre)));
        next = least(&away.iter().map(|away| -away).collect::<Vec<f64>>());
        let radius = away[next];
        if kept.len() >= size || radius <= 0.0 {
            return (kept, radius);
        }
    }
}

/// The place of the least number; of equals the first.
fn least(numbers: &[f64]) -> usize {
    (0..numbers.len()).reduce(|best, place| if numbers[place] < numbers[best] { place } else { best }).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(from: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
        prop::collection::vec(prop::collection::vec(-5.0..5.0f64, 2), from..9)
    }

    /// The least radius that `size` of the examples can have, by trying all of them.
    fn best_radius(examples: &[Vec<f64>], size: usize) -> f64 {
        let sets = (1_u32..1 << examples.len()).filter(|set| set.count_ones() as usize == size.min(examples.len()));
        let radius = |set: u32| {
            let kept: Vec<Vec<f64>> = (0..examples.len())
                .filter(|place| set >> place & 1 == 1)
                .map(|place| examples[place].clone())
                .collect();
            examples.iter().map(|one| nearest(&kept, one)).fold(0.0, f64::max)
        };
        sets.map(radius).fold(f64::INFINITY, f64::min)
    }

    proptest! {
        #[test]
        fn the_coreset_covers_within_twice_the_least_radius(examples in points(1), size in 1_usize..9) {
            let (kept, radius) = k_centre(&examples, size);
            prop_assert!(!kept.is_empty() && kept.len() <= size);
            let centres: Vec<Vec<f64>> = kept.iter().map(|&place| examples[place].clone()).collect();
            let farthest = examples.iter().map(|one| nearest(&centres, one)).fold(0.0, f64::max);
            prop_assert!((farthest - radius).abs() < 1e-12);
            prop_assert!(radius <= 2.0 * best_radius(&examples, size) + 1e-9);
            prop_assert!(k_centre(&examples, size + 1).1 <= radius);
        }

        #[test]
        fn the_threshold_is_the_distance_of_one_left_out(examples in points(2)) {
            let Ok(bank) = Bank::of(&examples, 99) else { return Ok(()) };
            // Every other example is kept, so the nearest other one is the distance.
            let nearest_other = |place: usize| {
                let others = examples.iter().enumerate().filter(|(other, _)| *other != place);
                others.map(|(_, other)| distance(other, &examples[place])).fold(f64::INFINITY, f64::min)
            };
            let greatest = (0..examples.len()).map(nearest_other).fold(0.0, f64::max);
            let threshold = bank.threshold.unwrap();
            prop_assert!((threshold.distance - greatest).abs() < 1e-12, "{} {}", threshold.distance, greatest);
            prop_assert!((threshold.false_rejects - 1.0 / number(examples.len() + 1)).abs() < 1e-12);
            prop_assert!(examples.iter().all(|one| bank.distance(one) <= bank.radius));
        }
    }

    #[test]
    fn of_a_hundred_examples_the_threshold_leaves_the_share_that_is_aimed_at() {
        // Gaps that grow: the distance of each to its nearest other is the gap below it.
        let examples: Vec<Vec<f64>> = (0..99).map(|place| vec![f64::from(place * (place + 1)) / 2.0]).collect();
        let threshold = Bank::of(&examples, 200).unwrap().threshold.unwrap();
        assert_eq!((threshold.distance, threshold.false_rejects), (94.0, 0.05));
        assert_eq!((rank(19), rank(18), rank(39)), (19, 19, 38));
    }

    #[test]
    fn what_tells_of_no_distance_is_refused() {
        assert!(Bank::of(&[], 5).unwrap_err().starts_with("there is no good example"));
        assert_eq!(Bank::of(&[vec![1.0]], 5).unwrap().threshold, None);
        assert!(Bank::of(&[vec![1.0], vec![1.0]], 5).unwrap_err().contains("want pictures that differ"));
    }
}
