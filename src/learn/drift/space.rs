//! What a reference is made of, embeddings too: where they lie is chosen by one half of the parts, and how they lie there is told
//! by the other.
//!
//! Directions that were chosen by the very parts that stand for them fit these better than any others: later parts of the same
//! line would lie farther off, and Kolmogorov and Smirnov's test would call it drift. With halves the second one and the line's own parts are
//! alike, whatever the first half chose, so the p values stay exact (sample splitting: D. Cox, "A note on data-splitting
//! for the evaluation of significance levels", Biometrika 62, 1975). That few directions, one test each and a
//! correction over them see shifts of high-dimensional vectors is from S. Rabanser, S. Günnemann and Z. Lipton, "Failing
//! loudly: an empirical study of methods for detecting dataset shift" (`NeurIPS` 2019). Pure, and the same for the same parts.

use crate::learn::teach::{dot, mean};
use crate::models::fit::reference::space::{DIRECTIONS, EmbeddingSpace, MOST_NUMBERS, ROUNDING};
use crate::models::fit::reference::{Embedded, Reference, Seen};
use crate::name::Name;

/// The fewest parts with an embedding: below it each half says too little.
pub const FEWEST: usize = 20;

/// Rounds of orthogonal iteration: what is left of the other directions shrinks each time by the ratio of their variances.
const ROUNDS: usize = 20;

/// A share of a vector's squared length below which nothing is left of it beside others.
const NOTHING: f64 = 1e-12;

/// Where the random numbers begin: which half a part is in, and where the iteration begins.
const SEED: u64 = 1;

/// The reference of these parts as `camera` saw them. Embeddings are left out of it where fewer than [`FEWEST`] parts have one of
/// one member and one length, or where they are longer than [`MOST_NUMBERS`].
#[must_use]
pub fn reference(camera: Name, parts: &[Seen]) -> Reference {
    let plain = Reference::of(camera, parts);
    let embedded: Vec<&Embedded> = parts.iter().filter_map(|seen| seen.embedding.as_ref()).collect();
    let Some(first) = embedded.first() else { return plain };
    let (member, length) = (first.member, first.vector.len());
    let alike = |one: &&&Embedded| one.member == member && one.vector.len() == length;
    let mut embedded: Vec<&Embedded> = embedded.iter().filter(alike).copied().collect();
    if embedded.len() < FEWEST || !(1..=MOST_NUMBERS).contains(&length) {
        return plain;
    }
    let mut random = fastrand::Rng::with_seed(SEED);
    random.shuffle(&mut embedded);
    let (choosing, telling) = embedded.split_at(embedded.len() / 2);
    let space = chosen(member, choosing, &mut random);
    plain.with_embeddings(space, telling)
}

/// The mean of some vectors and the directions in which they differ most.
pub(super) fn chosen(member: usize, embedded: &[&Embedded], random: &mut fastrand::Rng) -> EmbeddingSpace {
    let vectors: Vec<Vec<f64>> =
        embedded.iter().map(|one| one.vector.iter().copied().map(f64::from).collect()).collect();
    let mean = mean(vectors.iter().map(Vec::as_slice));
    let away = |vector: &Vec<f64>| vector.iter().zip(&mean).map(|(one, middle)| one - middle).collect();
    let away: Vec<Vec<f64>> = vectors.iter().map(away).collect();
    let length = variance(&vectors, |one| dot(one, one));
    let start = |_| (0..mean.len()).map(|_| random.f64() - 0.5).collect();
    let mut directions = orthonormal((0..DIRECTIONS).map(start).collect());
    for _ in 0..ROUNDS {
        directions = orthonormal(directions.iter().map(|direction| turned(&away, direction)).collect());
    }
    let along = |direction: &Vec<f64>| variance(&away, |one| dot(one, direction).powi(2));
    let (directions, variances) = directions
        .into_iter()
        .map(|direction| {
            let variance = along(&direction);
            (direction, variance)
        })
        .filter(|(_, variance)| *variance > ROUNDING.powi(2) * length)
        .unzip();
    EmbeddingSpace { member, chosen_by: embedded.len(), mean, directions, variances }
}

/// The covariance of vectors around 0, times `direction` and their count: a step of orthogonal iteration (G. Golub and C. Van Loan,
/// "Matrix computations", 4th edition, section 8.2.4).
fn turned(away: &[Vec<f64>], direction: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; direction.len()];
    for one in away {
        let along = dot(one, direction);
        sum.iter_mut().zip(one).for_each(|(sum, number)| *sum += along * number);
    }
    sum
}

/// Gram and Schmidt, each direction freed of the earlier ones twice; what has no length left is left out.
fn orthonormal(vectors: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for mut one in vectors {
        let before = dot(&one, &one);
        for _ in 0..2 {
            for direction in &basis {
                let along = dot(&one, direction);
                one.iter_mut().zip(direction).for_each(|(number, part)| *number -= along * part);
            }
        }
        let squares = dot(&one, &one);
        if squares > NOTHING * before && squares > 0.0 {
            for number in &mut one {
                *number /= squares.sqrt();
            }
            basis.push(one);
        }
    }
    basis
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn variance(away: &[Vec<f64>], squares: impl Fn(&Vec<f64>) -> f64) -> f64 {
    away.iter().map(squares).sum::<f64>() / away.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::fit::reference::Statistic;

    /// A number that is nearly normal with the variance 1: the sum of twelve uniform ones.
    fn normal(random: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
    }

    /// Parts whose vectors differ by these deviations along their axes.
    fn parts(count: usize, seed: u64, deviations: &[f64]) -> Vec<Seen> {
        let mut random = fastrand::Rng::with_seed(seed);
        let one = |_| {
            #[expect(clippy::cast_possible_truncation, reason = "numbers of a test")]
            let vector = deviations.iter().map(|deviation| (deviation * normal(&mut random)) as f32).collect();
            Seen { score: Some(0.5), quality: None, embedding: Some(Embedded { member: 1, vector }) }
        };
        (0..count).map(one).collect()
    }

    fn top() -> Name {
        Name::new("top").unwrap()
    }

    #[test]
    fn the_directions_are_those_in_which_the_vectors_differ_most() {
        let reference = reference(top(), &parts(2000, 3, &[1.0, 5.0, 0.5, 10.0, 0.5, 2.5]));
        let space = reference.embedding.as_ref().unwrap();
        assert_eq!((space.member, space.chosen_by, reference.check()), (1, 1000, Ok(())));
        for ((direction, variance), (axis, deviation)) in
            space.directions.iter().zip(&space.variances).zip([(3, 10.0_f64), (1, 5.0), (5, 2.5)])
        {
            assert!(direction[axis].abs() > 0.99, "{direction:?}");
            // The variance of 1,000 normal numbers has a relative standard error of 0.045.
            assert!((variance / deviation.powi(2) - 1.0).abs() < 0.2, "{variance}");
        }
        let watched: Vec<Statistic> = reference.distributions.iter().map(|one| one.statistic).collect();
        assert_eq!(watched[0], Statistic::Score);
        assert_eq!(watched[1..], Statistic::OF_EMBEDDINGS);
        assert!(reference.distributions[1..].iter().all(|one| one.values.len() == 500), "1,000 parts, thinned");
    }

    #[test]
    fn vectors_that_do_not_differ_have_no_direction_and_few_are_not_watched() {
        let flat = reference(top(), &parts(40, 3, &[0.0, 0.0]));
        let space = flat.embedding.as_ref().unwrap();
        assert!(space.directions.is_empty() && flat.check().is_ok());
        assert_eq!(flat.distributions.last().unwrap().statistic, Statistic::EmbeddingBeyond);
        let line = reference(top(), &parts(40, 3, &[2.0, 0.0]));
        assert_eq!(line.embedding.as_ref().unwrap().directions.len(), 1);
        assert_eq!(reference(top(), &parts(FEWEST - 1, 3, &[1.0; 4])).embedding, None);
        assert!(reference(top(), &parts(FEWEST, 3, &[1.0; 4])).embedding.is_some());
        assert_eq!(reference(top(), &parts(40, 3, &[])).embedding, None, "no number is no vector");
    }
}
