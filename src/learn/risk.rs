//! Whether a risk lies above a bound: p values that hold for every number of parts. Pure.
//!
//! Testing candidates one after the other, the safest first, and stopping at the first that cannot be cleared keeps the
//! chance that any cleared one breaks the bound below the level of one test: fixed-sequence testing as in A. Angelopoulos,
//! S. Bates, E. Candès, M. Jordan and L. Lei, "Learn then test" (2021), section 3.

use statrs::distribution::{Beta, Binomial, ContinuousCDF as _, DiscreteCDF as _};

/// The chance of at most `events` among `parts`, where each has the chance `rate`, 0 to 1: the p value of "the rate is
/// `rate` or more".
#[must_use]
pub fn at_most(events: u64, parts: u64, rate: f64) -> f64 {
    Binomial::new(rate.clamp(0.0, 1.0), parts).map_or(1.0, |binomial| binomial.cdf(events))
}

/// The exact interval of C. Clopper and E. Pearson (1934) for a share, where `events` of `parts` were seen, at `confidence`
/// between 0 and 1, ends excluded. `None` without parts, or with more events than parts.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
pub fn clopper_pearson(events: u64, parts: u64, confidence: f64) -> Option<(f64, f64)> {
    let rest = parts.checked_sub(events)?;
    let (tail, seen, others) = ((1.0 - confidence) / 2.0, events as f64, rest as f64);
    let at = |a: f64, b: f64, share: f64| Beta::new(a, b).ok().map(|beta| beta.inverse_cdf(share));
    let low = if events == 0 { Some(0.0) } else { at(seen, others + 1.0, tail) };
    let high = if rest == 0 { Some(1.0) } else { at(seen + 1.0, others, 1.0 - tail) };
    if parts == 0 { None } else { low.zip(high) }
}

/// The least number of parts with which a test at `confidence` can clear a rate of `bound`: none of them shows the event, and
/// (1 - bound)^n is at most 1 - confidence. Both lie between 0 and 1, ends excluded.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number, cut at the greatest u64"
)]
pub fn parts_wanted(bound: f64, confidence: f64) -> u64 {
    ((1.0 - confidence).ln() / (-bound).ln_1p()).ceil() as u64
}

/// The p value of "the mean loss is `bound` or more" by the mean `seen` of `parts` losses, each 0 to 1.
///
/// Hoeffding's bound exp(-n h(min(seen, bound), bound)), with h the divergence of two coins, or Bentkus' e times the binomial
/// chance of at most ceil(n seen), whichever is less (S. Bates and others, "Distribution-free, risk-controlling prediction
/// sets", 2021, proposition 5).
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "counts of parts"
)]
pub fn mean_at_most(seen: f64, parts: usize, bound: f64) -> f64 {
    if parts == 0 || bound <= 0.0 {
        return 1.0;
    }
    if bound >= 1.0 {
        return 0.0;
    }
    let (count, below) = (parts as f64, seen.min(bound));
    let part = |share: f64, of: f64| if share > 0.0 { share * (share / of).ln() } else { 0.0 };
    let hoeffding = (-count * (part(below, bound) + part(1.0 - below, 1.0 - bound))).exp();
    // A sum that is a whole number but for its last bits is that number.
    let events = (count * seen - 1e-9).ceil().max(0.0) as u64;
    let bentkus = std::f64::consts::E * at_most(events, parts as u64, bound);
    hoeffding.min(bentkus).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_least_numbers_of_defects() {
        assert_eq!(parts_wanted(0.01, 0.95), 299);
        assert_eq!(parts_wanted(0.05, 0.95), 59);
        assert_eq!(parts_wanted(0.02, 0.95), 149);
        assert_eq!(parts_wanted(0.01, 0.99), 459);
        assert!(at_most(0, 299, 0.01) <= 0.05 && at_most(0, 298, 0.01) > 0.05);
    }

    #[test]
    fn an_exact_interval_ends_where_the_binomial_leaves_its_tails() {
        assert_eq!(clopper_pearson(0, 0, 0.95), None);
        assert_eq!(clopper_pearson(3, 2, 0.95), None);
        assert!(clopper_pearson(0, 10, 0.95).unwrap().0.abs() < 1e-12);
        assert!((clopper_pearson(10, 10, 0.95).unwrap().1 - 1.0).abs() < 1e-12);
        for (events, parts) in [(1, 10), (5, 10), (9, 10), (18, 20), (3, 500)] {
            let (low, high) = clopper_pearson(events, parts, 0.95).unwrap();
            assert!((at_most(events, parts, high) - 0.025).abs() < 1e-6, "{events} of {parts}: {high}");
            assert!((1.0 - at_most(events - 1, parts, low) - 0.025).abs() < 1e-6, "{events} of {parts}: {low}");
        }
    }

    proptest! {
        #[test]
        fn the_binomial_is_its_sum(parts in 1_u64..30, events in 0_u64..30, rate in 0.01..0.99f64) {
            let (mut sum, mut ways) = (0.0, 1.0);
            for k in 0..=events.min(parts) {
                let (k_, n_) = (i32::try_from(k).unwrap(), i32::try_from(parts).unwrap());
                sum += ways * rate.powi(k_) * (1.0 - rate).powi(n_ - k_);
                ways *= f64::from(n_ - k_) / f64::from(k_ + 1);
            }
            prop_assert!((at_most(events, parts, rate) - sum).abs() < 1e-9);
        }

        #[test]
        fn a_lower_mean_and_more_parts_speak_louder(seen in 0.0..1.0f64, parts in 1_usize..400, bound in 0.001..0.999f64) {
            let p = mean_at_most(seen, parts, bound);
            prop_assert!((0.0..=1.0).contains(&p));
            prop_assert!(mean_at_most(seen / 2.0, parts, bound) <= p + 1e-12);
            prop_assert!(seen < bound || p > 0.3, "a mean at the bound clears nothing: {}", p);
        }
    }
}
