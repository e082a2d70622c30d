//! Curves of one score over labelled parts, for pictures. Pure.

/// The ROC curve: for each score from the highest down the shares of good and of defective parts that reach it, from (0, 0) to
/// (1, 1). Parts of one score are one step. Empty without good or without defective parts.
#[must_use]
pub fn roc(scores: &[f64], defective: &[bool]) -> Vec<(f64, f64)> {
    let mut parts: Vec<(f64, bool)> = scores.iter().copied().zip(defective.iter().copied()).collect();
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = kinds(&parts);
    if all[0] == 0 || all[1] == 0 {
        return Vec::new();
    }
    let mut above = [0, 0];
    let mut curve = vec![(0.0, 0.0)];
    for tied in parts.chunk_by(|a, b| a.0 <= b.0) {
        let here = kinds(tied);
        above = [above[0] + here[0], above[1] + here[1]];
        curve.push((share(above[0], all[0]), share(above[1], all[1])));
    }
    curve
}

/// Reliability: the parts in the order of their scores in `bins` of equal size, for each bin the mean score and the share that is
/// defective. A calibrated score has both alike (A. Niculescu-Mizil and R. Caruana, "Predicting good probabilities with
/// supervised learning", 2005).
#[must_use]
pub fn reliability(scores: &[f64], defective: &[bool], bins: usize) -> Vec<(f64, f64)> {
    let mut parts: Vec<(f64, bool)> = scores.iter().copied().zip(defective.iter().copied()).collect();
    parts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let edge = |bin: usize| bin * parts.len() / bins.max(1);
    let bin = |bin: usize| {
        let parts = parts.get(edge(bin)..edge(bin + 1)).filter(|parts| !parts.is_empty())?;
        let sum: f64 = parts.iter().map(|part| part.0).sum();
        Some((sum * share(1, parts.len()), share(kinds(parts)[1], parts.len())))
    };
    (0..bins).filter_map(bin).collect()
}

/// Good and defective parts.
fn kinds(parts: &[(f64, bool)]) -> [usize; 2] {
    let bad = parts.iter().filter(|part| part.1).count();
    [parts.len() - bad, bad]
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::scored::Scored;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_area_under_the_curve_is_the_auc(parts in prop::collection::vec((0_u8..12, any::<bool>()), 2..60)) {
            let scores: Vec<f64> = parts.iter().map(|part| f64::from(part.0) / 12.0).collect();
            let mut defective: Vec<bool> = parts.iter().map(|part| part.1).collect();
            (defective[0], defective[1]) = (false, true);
            let curve = roc(&scores, &defective);
            let steps = curve.iter().zip(curve.iter().skip(1));
            let area: f64 = steps.map(|(one, next)| (next.0 - one.0) * f64::midpoint(one.1, next.1)).sum();
            let auc = Scored::new(&defective, &scores).unwrap().auc(&vec![1; scores.len()]);
            prop_assert!((area - auc).abs() < 1e-12);
            prop_assert_eq!(curve.last().copied(), Some((1.0, 1.0)));
        }

        #[test]
        fn bins_hold_every_part_once(parts in prop::collection::vec((0.0..1.0f64, any::<bool>()), 20..60)) {
            let (scores, defective): (Vec<f64>, Vec<bool>) = parts.into_iter().unzip();
            let whole = reliability(&scores, &defective, 1);
            let mean = scores.iter().sum::<f64>() * share(1, scores.len());
            prop_assert!((whole[0].0 - mean).abs() < 1e-9);
            let bins = reliability(&scores, &defective, 10);
            prop_assert_eq!(bins.len(), 10);
            prop_assert!(bins.iter().zip(bins.iter().skip(1)).all(|(one, next)| one.0 <= next.0));
        }
    }

    #[test]
    fn by_hand() {
        let (scores, defective) = ([0.1, 0.3, 0.3, 0.9], [false, true, false, true]);
        assert_eq!(roc(&scores, &defective), [(0.0, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 1.0)]);
        let bins = reliability(&scores, &defective, 2);
        assert!((bins[0].0 - 0.2).abs() < 1e-12 && (bins[0].1 - 0.5).abs() < 1e-12, "{bins:?}");
        assert!(roc(&[0.5], &[true]).is_empty() && reliability(&[], &[], 10).is_empty());
    }
}
