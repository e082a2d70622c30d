//! Parts that were not drawn alike: what each counts for, so that figures are those of all parts and not of those that somebody
//! looked at. Pure.
//!
//! An operator looks at every reject and at few passes. A part that was put up for review with the chance p stands for 1 / p
//! parts (D. Horvitz and D. Thompson, "A generalization of sampling without replacement from a finite universe", JASA 47, 1952).
//! These weights enter the log loss, and with it calibration, the weights of a mean and stacking; the areas under both curves
//! and their bootstrap; DeLong's test; and the thresholds by what mistakes cost. They do not enter tests that count parts: a
//! bound on escapes or on a student's mistakes holds for parts that were drawn alike, and for others it is refused.

/// The weight of each part from the chance, above 0 and at most 1, with which it was drawn; 1 for each, to the last bit, where
/// all chances are 1.
///
/// The weights sum to the effective number of parts, (sum of 1/p)^2 / (sum of 1/p^2) (L. Kish, *Survey Sampling*, 1965, 11.7):
/// a penalty, or the targets of Platt's scaling, then weigh against what the parts are worth, and not against how many parts
/// they stand for.
#[must_use]
pub fn weights(chances: &[f64]) -> Vec<f64> {
    let raw: Vec<f64> = chances.iter().map(|chance| 1.0 / chance).collect();
    let scale = effective(&raw) / raw.iter().sum::<f64>();
    raw.iter().map(|weight| weight * scale).collect()
}

/// How many parts that count alike know as much as parts with these weights; 0 of none.
#[must_use]
pub fn effective(weights: &[f64]) -> f64 {
    let (sum, squares): (f64, f64) =
        weights.iter().fold((0.0, 0.0), |(sum, squares), weight| (sum + weight, squares + weight * weight));
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

/// Whether every weight is 1.
#[must_use]
pub fn alike(weights: &[f64]) -> bool {
    weights.iter().all(|weight| weight.to_bits() == 1_f64.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_that_were_all_looked_at_count_once() {
        for count in [1, 2, 3, 7, 656, 10_007] {
            assert!(alike(&weights(&vec![1.0; count])), "{count}");
        }
        assert!(weights(&[]).is_empty());
        // Two rejects and one pass in fifty: (2 + 50)^2 / (2 + 2500) = 1.0807.
        let seen = weights(&[1.0, 1.0, 0.02]);
        assert!((seen.iter().sum::<f64>() - 1.080_735).abs() < 1e-6, "{seen:?}");
        assert!((seen[2] / seen[0] - 50.0).abs() < 1e-9 && !alike(&seen));
    }

    proptest! {
        #[test]
        fn weights_stand_as_one_over_the_chances(chances in prop::collection::vec(0.001..=1.0f64, 1..60)) {
            let seen = weights(&chances);
            let sum: f64 = seen.iter().sum();
            prop_assert!(sum <= f64::from(u32::try_from(chances.len()).unwrap()) + 1e-9 && sum >= 1.0 - 1e-9);
            for (weight, chance) in seen.iter().zip(&chances) {
                prop_assert!((weight * chance / (seen[0] * chances[0]) - 1.0).abs() < 1e-9);
            }
        }

        /// Parts are rejected, and looked at, where their score is high; passes are looked at with a chance of their own. The
        /// weighted share of defective parts is that of all parts, the plain one is not.
        #[test]
        fn the_share_of_all_parts_is_found_again(seed in any::<u64>()) {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut chances, mut defective, mut all) = (Vec::new(), Vec::new(), 0.0);
            for _ in 0..20_000 {
                let score = random.f64();
                let is = random.f64() < score * score;
                let chance = if score > 0.8 { 1.0 } else { 0.1 };
                all += f64::from(u8::from(is)) / 20_000.0;
                if random.f64() < chance {
                    chances.push(chance);
                    defective.push(f64::from(u8::from(is)));
                }
            }
            let counts = weights(&chances);
            let weighted = counts.iter().zip(&defective).map(|(weight, is)| weight * is).sum::<f64>() / counts.iter().sum::<f64>();
            let parts = f64::from(u32::try_from(defective.len()).unwrap());
            let plain = defective.iter().sum::<f64>() / parts;
            // One standard error is about 0.01; what the rejects alone add is 0.3.
            prop_assert!((weighted - all).abs() < 0.06, "{} against {}", weighted, all);
            prop_assert!(plain - all > 0.15, "{} against {}", plain, all);
        }
    }
}
