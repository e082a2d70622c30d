//! Stacking: a logistic regression with an L2 penalty over the log-odds of the members. Pure.
//!
//! The penalty is 1 on half the squared weights against the sum of the log losses, scikit-learn's default of `C = 1`; the
//! intercept is free. Members are taken as they are: the regression calibrates.

use super::newton::{Problem, solve};
use crate::fusion::calibrator::logit;
use crate::fusion::stacking::Stacking;

/// The regression over `members`, each with a score, 0 to 1, for each part; `parts` says how much each part counts.
///
/// # Errors
/// One sentence for a set without good or without defective parts, to which the free intercept has no end.
pub fn stack(members: &[&[f64]], defective: &[bool], parts: &[f64]) -> Result<Stacking, String> {
    let bad = defective.iter().filter(|is| **is).count();
    if bad == 0 || bad == defective.len() {
        let good = defective.len() - bad;
        return Err(format!("there are {good} good and {bad} defective parts, want some of both"));
    }
    let row = |place: usize| std::iter::once(1.0).chain(members.iter().map(|member| logit(member[place]))).collect();
    let rows: Vec<Vec<f64>> = (0..defective.len()).map(row).collect();
    let targets: Vec<f64> = defective.iter().map(|is| f64::from(u8::from(*is))).collect();
    let penalties: Vec<f64> = std::iter::once(0.0).chain(members.iter().map(|_| 1.0)).collect();
    let at = solve(&Problem { rows: &rows, targets: &targets, weights: parts, penalties: &penalties })?;
    let (intercept, weights) = at.split_first().ok_or("nothing was fitted")?;
    Ok(Stacking { intercept: *intercept, weights: weights.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_of_one_kind_are_refused() {
        let told = stack(&[&[0.1, 0.2]], &[true, true], &[1.0; 2]).unwrap_err();
        assert_eq!(told, "there are 0 good and 2 defective parts, want some of both");
    }

    proptest! {
        #[test]
        fn the_order_of_members_does_not_matter(
            mut parts in prop::collection::vec((any::<bool>(), 0.0..=1.0f64, 0.0..=1.0f64), 2..40)
        ) {
            (parts[0].0, parts[1].0) = (false, true);
            let defective: Vec<bool> = parts.iter().map(|part| part.0).collect();
            let (one, two): (Vec<f64>, Vec<f64>) = parts.iter().map(|part| (part.1, part.2)).unzip();
            let counts = vec![1.0; defective.len()];
            let straight = stack(&[&one, &two], &defective, &counts).unwrap();
            let turned = stack(&[&two, &one], &defective, &counts).unwrap();
            for (one, two) in one.iter().zip(&two) {
                let (straight, turned) = (straight.apply(&[*one, *two]).unwrap(), turned.apply(&[*two, *one]).unwrap());
                prop_assert!((straight - turned).abs() < 1e-7);
            }
        }
    }
}
