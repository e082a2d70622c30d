//! Which part to label next: the one that heads quarrel over, then the one that the head is least sure of. Pure.
//!
//! Source: query by committee (H. Seung and others, 1992) and smallest margin (T. Scheffer and others, 2001), as B. Settles tells
//! them, *Active Learning Literature Survey* (2009), 3.1 and 3.2.

use std::cmp::Ordering;

use super::bank::Bank;
use super::{Linear, answer, chances};

/// How much there is to learn of one part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Doubt {
    /// Its place among those that were asked about.
    pub place: usize,
    /// What the head calls it: a class, or for a bank 0 for good and 1 for unusual.
    pub class: usize,
    /// How many of the other heads call it something else.
    pub against: usize,
    /// How sure the head is, 0 to 1: the chance of the likeliest class less that of the next; of a bank how far the distance lies
    /// from the threshold, as a share of the greater of the two.
    pub margin: f64,
}

/// The parts in the order in which labels of them are worth most. `others` were taught the same examples.
#[must_use]
pub fn by_heads(head: &Linear, others: &[Linear], parts: &[Vec<f64>]) -> Vec<Doubt> {
    let doubt = |(place, part): (usize, &Vec<f64>)| {
        let scores = head.scores(part);
        let class = answer(&scores);
        let mut chances = chances(&scores);
        chances.sort_by(|a, b| b.total_cmp(a));
        let margin = match chances.as_slice() {
            [first, second, ..] => first - second,
            _ => 1.0,
        };
        let against = others.iter().filter(|other| answer(&other.scores(part)) != class).count();
        Doubt { place, class, against, margin }
    };
    ordered(parts.iter().enumerate().map(doubt).collect())
}

/// The same by a memory bank: the nearer to the threshold, the more there is to learn.
#[must_use]
pub fn by_bank(bank: &Bank, threshold: f64, parts: &[Vec<f64>]) -> Vec<Doubt> {
    let doubt = |(place, part): (usize, &Vec<f64>)| {
        let distance = bank.distance(part);
        let margin = (distance - threshold).abs() / distance.max(threshold).max(f64::MIN_POSITIVE);
        Doubt { place, class: usize::from(distance >= threshold), against: 0, margin }
    };
    ordered(parts.iter().enumerate().map(doubt).collect())
}

fn ordered(mut doubts: Vec<Doubt>) -> Vec<Doubt> {
    let by = |one: &Doubt, other: &Doubt| -> Ordering {
        other.against.cmp(&one.against).then(one.margin.total_cmp(&other.margin)).then(one.place.cmp(&other.place))
    };
    doubts.sort_by(by);
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Class 1 above `at`.
    fn border(at: f64) -> Linear {
        Linear { weights: vec![vec![-1.0], vec![1.0]], biases: vec![at, -at] }
    }

    proptest! {
        #[test]
        fn what_is_quarrelled_over_comes_first_then_what_is_nearest(parts in prop::collection::vec(-5.0..5.0f64, 1..20)) {
            let vectors: Vec<Vec<f64>> = parts.iter().map(|part| vec![*part]).collect();
            let doubts = by_heads(&border(0.0), &[border(1.0), border(-0.5)], &vectors);
            let mut places: Vec<usize> = doubts.iter().map(|doubt| doubt.place).collect();
            let key = |place: usize| {
                let part = parts[place];
                (!((0.0..=1.0).contains(&part) || (-0.5..=0.0).contains(&part)), part.abs())
            };
            let keys: Vec<(bool, f64)> = places.iter().map(|&place| key(place)).collect();
            prop_assert!(keys.iter().zip(keys.iter().skip(1)).all(|(one, next)| one <= next), "{:?}", keys);
            places.sort_unstable();
            prop_assert!(places.into_iter().eq(0..parts.len()), "each part stands there once");
        }
    }

    #[test]
    fn a_bank_is_unsure_at_its_threshold() {
        let bank = Bank::of(&[vec![0.0], vec![1.0]], 9).unwrap();
        let doubts = by_bank(&bank, 1.0, &[vec![5.0], vec![1.9], vec![0.0]]);
        let told: Vec<(usize, usize)> = doubts.iter().map(|doubt| (doubt.place, doubt.class)).collect();
        assert_eq!(told, [(1, 0), (0, 1), (2, 0)]);
    }
}
