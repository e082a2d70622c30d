//! How far one sample lies from another: Kolmogorov and Smirnov's distance with its exact p value, the population stability
//! index, and Holm's correction for several tests. Samples are finite numbers, the least first. Pure.

/// The distance of two samples and the chance of one as great.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KolmogorovSmirnov {
    /// The greatest distance of the two cumulative distributions, 0 to 1.
    pub distance: f64,
    /// The chance of such a distance or a greater one where both samples come from one continuous distribution; an upper bound
    /// of it where values are tied. 0 to 1.
    pub p: f64,
}

/// The two-sample test of Kolmogorov and Smirnov, two-sided; a distance of 0 with p 1 where a sample is empty.
///
/// The p value is exact: with g(i, j) the chance that the path to i values of the one and j of the other sample has been at
/// least the seen distance off, g(i, j) = i / (i + j) g(i - 1, j) + j / (i + j) g(i, j - 1) and g = 1 where it is off (J. Hodges,
/// "The significance probability of the Smirnov two-sample test", Arkiv för Matematik 3, 1958; summed over what is off and
/// not over what is inside, so that small p values keep their digits). Ties only make a distance less likely (G. Noether, 1963).
/// Takes time as the product of the counts and the distance.
#[must_use]
pub fn kolmogorov_smirnov(one: &[f64], other: &[f64]) -> KolmogorovSmirnov {
    let (m, n) = (one.len(), other.len());
    let greatest = one
        .iter()
        .chain(other)
        .map(|at| {
            let below = |sample: &[f64]| sample.partition_point(|value| value <= at);
            off(below(one), below(other), m, n)
        })
        .max()
        .unwrap_or_default();
    if greatest == 0 || m == 0 || n == 0 {
        return KolmogorovSmirnov { distance: 0.0, p: 1.0 };
    }
    // All that is off is 1, and so is whatever has not been reached yet.
    let (mut row, mut first) = (vec![1.0; n + 1], 0);
    for i in 0..=m {
        while first <= n && off(i, first, m, n) >= greatest && first * m < i * n {
            row[first] = 1.0;
            first += 1;
        }
        for j in (first..=n).take_while(|&j| off(i, j, m, n) < greatest) {
            // Where i or j is 0 the other step was the only one.
            let before = if j == 0 { 0.0 } else { row[j - 1] };
            row[j] = if i + j == 0 { 0.0 } else { share(i, i + j) * row[j] + share(j, i + j) * before };
        }
    }
    KolmogorovSmirnov { distance: share(greatest, m * n), p: row[n].min(1.0) }
}

/// How far i of m and j of n are apart, times m n.
const fn off(i: usize, j: usize, m: usize, n: usize) -> usize {
    (i * n).abs_diff(j * m)
}

/// From this index on a change is one to look at, and from the next one on great: N. Siddiqi, "Credit risk scorecards"
/// (2006), whose thresholds are a custom and no test.
pub const MODERATE: f64 = 0.1;
/// See [`MODERATE`].
pub const GREAT: f64 = 0.25;

/// The population stability index of a sample against a reference, at least 0: the sum over bins of
/// (share now - share then) ln(share now / share then), which is Jeffreys' divergence. 0 where a sample is empty.
///
/// The bins are the tenths of the reference, fewer where its values are tied, and one each for what lies below and above all
/// of it. Half a part is added to every bin of both (Jeffreys' prior), so that an empty one is no infinity. Of two samples of
/// one distribution it is about (bins - 1) (1 / parts now + 1 / parts then) (B. Yurdakul and J. Naranjo, "Statistical
/// properties of the population stability index", Journal of Risk Model Validation 14, 2020): small samples look unstable.
#[must_use]
pub fn population_stability_index(now: &[f64], reference: &[f64]) -> f64 {
    const TENTHS: usize = 10;
    let (Some(&least), Some(&greatest)) = (reference.first(), reference.last()) else { return 0.0 };
    if now.is_empty() {
        return 0.0;
    }
    let tenth = |tenth: usize| reference.get((tenth * reference.len()).div_ceil(TENTHS).max(1) - 1).copied();
    // The upper borders, which belong to their bins; the lowest bin is what lies below all.
    let mut borders: Vec<f64> = (1..TENTHS).filter_map(tenth).chain([greatest]).collect();
    borders.dedup_by(|later, earlier| *later <= *earlier);
    let counts = |sample: &[f64]| -> Vec<usize> {
        let below = sample.partition_point(|value| *value < least);
        let ends = borders.iter().map(|border| sample.partition_point(|value| value <= border));
        let ends: Vec<usize> = [0, below].into_iter().chain(ends).chain([sample.len()]).collect();
        ends.windows(2).map(|pair| pair[1] - pair[0]).collect()
    };
    let shares = |sample: &[f64]| -> Vec<f64> {
        let counts = counts(sample);
        let whole = share(2 * sample.len() + counts.len(), 2);
        counts.iter().map(|&count| share(2 * count + 1, 2) / whole).collect()
    };
    shares(now).iter().zip(shares(reference)).map(|(now, then)| (now - then) * (now / then).ln()).sum()
}

/// The p values of several tests, corrected so that the chance of any false finding is kept: S. Holm, "A simple sequentially
/// rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&one, &other| p[one].total_cmp(&p[other]));
    let (mut corrected, mut greatest) = (vec![1.0; p.len()], 0.0_f64);
    for (place, &test) in order.iter().enumerate() {
        greatest = greatest.max(share(p.len() - place, 1) * p[test]).min(1.0);
        corrected[test] = greatest;
    }
    corrected
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    /// One case of `tests/fixtures/drift`, whose figures come from scipy.
    #[derive(Deserialize)]
    struct Case {
        one: Vec<f64>,
        other: Vec<f64>,
        distance: f64,
        p: f64,
    }

    #[test]
    fn distance_and_p_are_those_of_scipy_ties_and_tails_included() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/fixtures/drift/cases.json")).unwrap();
        assert!(cases.len() >= 20 && cases.iter().any(|case| case.p < 1e-12) && cases.iter().any(|case| case.p > 0.9));
        for Case { one, other, distance, p } in cases {
            let seen = kolmogorov_smirnov(&one, &other);
            assert!((seen.distance - distance).abs() < 1e-12, "{} is not {distance}", seen.distance);
            assert!((seen.p / p - 1.0).abs() < 1e-6, "{} is not {p}", seen.p);
        }
    }

    #[test]
    fn small_samples_by_hand() {
        // Of the C(4, 2) = 6 orders of two and two, the two that keep them apart have the distance 1.
        let apart = kolmogorov_smirnov(&[1.0, 2.0], &[3.0, 4.0]);
        assert!((apart.distance - 1.0).abs() < 1e-15);
        assert!((apart.p - 1.0 / 3.0).abs() < 1e-15);
        let constant = kolmogorov_smirnov(&[0.0; 9], &[0.0; 7]);
        assert_eq!(constant, KolmogorovSmirnov { distance: 0.0, p: 1.0 });
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), constant);
        // Against a constant: everything lies above it.
        assert!((kolmogorov_smirnov(&[0.5; 9], &[0.0; 7]).distance - 1.0).abs() < 1e-15);
    }

    #[test]
    fn the_index_by_hand_and_on_constants() {
        // Tenths of 1 to 10 are its values; now all are 10: 12 bins, shares (0.5 or 1.5) / 16 then, 0.5 or 10.5 of 16 now.
        let then: Vec<f64> = (1..=10).map(f64::from).collect();
        let wanted = 9.0 * (1.0 / 16.0) * 3.0_f64.ln() + (9.0 / 16.0) * 7.0_f64.ln();
        assert!((population_stability_index(&[10.0; 10], &then) - wanted).abs() < 1e-12);
        assert_eq!(population_stability_index(&[0.0; 50], &[0.0; 30]).total_cmp(&GREAT), std::cmp::Ordering::Less);
        for moved in [-1.0, 1.0] {
            assert!(population_stability_index(&[moved; 50], &[0.0; 30]) > GREAT, "a constant that moved to {moved}");
        }
        assert_eq!((population_stability_index(&[], &[1.0]), population_stability_index(&[1.0], &[])), (0.0, 0.0));
    }

    #[test]
    fn holm_by_hand() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.5]);
        for (seen, wanted) in corrected.iter().zip([0.04, 0.09, 0.09, 0.5]) {
            assert!((seen - wanted).abs() < 1e-15, "{corrected:?}");
        }
        assert_eq!(holm(&[0.4, 0.9]), [0.8, 0.9]);
        assert!(holm(&[]).is_empty());
    }

    fn sorted(values: &[u8]) -> Vec<f64> {
        let mut values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    proptest! {
        #[test]
        fn both_are_bounded_and_blind_to_what_only_stretches(
            one in proptest::collection::vec(any::<u8>(), 1..60), other in proptest::collection::vec(any::<u8>(), 1..60)
        ) {
            let (one, other) = (sorted(&one), sorted(&other));
            let seen = kolmogorov_smirnov(&one, &other);
            prop_assert!((0.0..=1.0).contains(&seen.distance) && (0.0..=1.0).contains(&seen.p) && seen.p > 0.0);
            let turned = kolmogorov_smirnov(&other, &one);
            prop_assert!((seen.distance - turned.distance).abs() < 1e-15);
            prop_assert!((seen.p - turned.p).abs() < 1e-9);
            let stretch = |sample: &[f64]| sample.iter().map(|value| (value / 9.0).exp()).collect::<Vec<f64>>();
            prop_assert_eq!(kolmogorov_smirnov(&stretch(&one), &stretch(&other)), seen);
            let index = population_stability_index(&one, &other);
            prop_assert!(index >= 0.0 && index.is_finite());
            let stretched = population_stability_index(&stretch(&one), &stretch(&other));
            prop_assert!((stretched - index).abs() < 1e-12);
            prop_assert!(kolmogorov_smirnov(&one, &one).distance < 1e-15);
        }

        #[test]
        fn holm_is_no_bolder_than_each_test_and_no_shyer_than_bonferroni(p in proptest::collection::vec(0.0..=1.0f64, 1..9)) {
            for (seen, p_alone) in holm(&p).iter().zip(&p) {
                let all = share(p.len(), 1);
                prop_assert!(*seen >= *p_alone && *seen <= (all * p_alone).min(1.0) + 1e-15);
            }
        }
    }
}
