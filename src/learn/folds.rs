//! Folds: which parts are held out together, so that good and defective ones are spread evenly and a batch is never torn
//! apart. Pure, and seeded.

/// For each part the fold, 0 to `folds` - 1, that holds it out.
///
/// Without groups the parts of each kind are shuffled and dealt out in turn, so that two folds differ by one part of a kind at
/// most. With groups, parts of one group stand in one fold: groups, the largest first, go where good and defective parts, each
/// as a share of all of its kind, are then spread most evenly (greatest sum of squares avoided), as scikit-learn's
/// `StratifiedGroupKFold` does.
///
/// # Errors
/// One sentence when some fold, or what is left without it, would have no good or no defective part.
pub fn folds(defective: &[bool], groups: Option<&[usize]>, folds: usize, seed: u64) -> Result<Vec<usize>, String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let dealt = match groups {
        None => dealt(defective, folds, &mut random),
        Some(groups) => grouped(defective, groups, folds, &mut random),
    };
    for fold in 0..folds {
        for (kind, wanted) in [("good", false), ("defective", true)] {
            let all = || dealt.iter().zip(defective).filter(|(_, is)| **is == wanted);
            let inside = all().filter(|(of, _)| **of == fold).count();
            if inside == 0 || inside == all().count() {
                let what = if groups.is_some() { " in enough batches" } else { "" };
                let seen = all().count();
                return Err(format!("there are {seen} {kind} parts, want at least one in each of {folds} folds{what}"));
            }
        }
    }
    Ok(dealt)
}

/// Deals out the parts of each kind in turn.
fn dealt(defective: &[bool], folds: usize, random: &mut fastrand::Rng) -> Vec<usize> {
    let mut dealt = vec![0; defective.len()];
    let mut turn = 0;
    for wanted in [false, true] {
        let mut places: Vec<usize> = (0..defective.len()).filter(|&place| defective[place] == wanted).collect();
        random.shuffle(&mut places);
        for place in places {
            dealt[place] = turn % folds;
            turn += 1;
        }
    }
    dealt
}

/// Gives whole groups to folds.
fn grouped(defective: &[bool], groups: &[usize], folds: usize, random: &mut fastrand::Rng) -> Vec<usize> {
    let most = groups.iter().copied().max().unwrap_or(0);
    let mut sizes = vec![[0_u32; 2]; most + 1];
    for (group, is) in groups.iter().zip(defective) {
        sizes[*group][usize::from(*is)] += 1;
    }
    let all = sizes.iter().fold([0, 0], |all, size| [all[0] + size[0], all[1] + size[1]]);
    let mut order: Vec<usize> = (0..=most).collect();
    random.shuffle(&mut order);
    order.sort_by_key(|&group| std::cmp::Reverse(sizes[group][0] + sizes[group][1]));
    let mut filled = vec![[0_u32; 2]; folds];
    let mut home = vec![0; most + 1];
    for group in order {
        // What the sum of squared shares grows by.
        let growth = |fold: &[u32; 2]| {
            let kind = |kind: usize| {
                let whole = f64::from(all[kind].max(1));
                let (before, more) = (f64::from(fold[kind]) / whole, f64::from(sizes[group][kind]) / whole);
                more * (2.0 * before + more)
            };
            kind(0) + kind(1)
        };
        let best = (0..folds).min_by(|&a, &b| growth(&filled[a]).total_cmp(&growth(&filled[b]))).unwrap_or(0);
        home[group] = best;
        for (kind, held) in filled[best].iter_mut().enumerate() {
            *held += sizes[group][kind];
        }
    }
    groups.iter().map(|&group| home[group]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn kinds_are_spread_evenly(mut defective in prop::collection::vec(any::<bool>(), 20..80), seed in any::<u64>()) {
            defective.extend([[false; 5], [true; 5]].concat());
            let dealt = folds(&defective, None, 5, seed).unwrap();
            for wanted in [false, true] {
                let count = |fold| dealt.iter().zip(&defective).filter(|(of, is)| **of == fold && **is == wanted).count();
                let counts: Vec<usize> = (0..5).map(count).collect();
                prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{:?}", counts);
            }
            prop_assert_eq!(folds(&defective, None, 5, seed).unwrap(), dealt, "the same seed, the same folds");
        }

        #[test]
        fn a_group_is_never_torn_apart(
            parts in prop::collection::vec((any::<bool>(), 0_usize..20), 60..120), seed in any::<u64>()
        ) {
            let (defective, groups): (Vec<bool>, Vec<usize>) = parts.into_iter().unzip();
            let Ok(dealt) = folds(&defective, Some(&groups), 3, seed) else { return Ok(()) };
            for group in 0..20 {
                let mut of = dealt.iter().zip(&groups).filter(|(_, is)| **is == group).map(|(fold, _)| fold);
                let first = of.next();
                prop_assert!(of.all(|fold| Some(fold) == first));
            }
            for fold in 0..3 {
                let held = dealt.iter().filter(|of| **of == fold).count();
                prop_assert!(held * 6 >= dealt.len(), "{} of {}", held, dealt.len());
            }
        }
    }

    #[test]
    fn too_few_parts_of_a_kind_are_told() {
        let told = folds(&[true, true, false, false, false], None, 3, 1).unwrap_err();
        assert_eq!(told, "there are 2 defective parts, want at least one in each of 3 folds");
        let told = folds(&[true, true, false, false], Some(&[0, 0, 1, 2]), 2, 1).unwrap_err();
        assert!(told.ends_with("in each of 2 folds in enough batches"), "{told}");
    }
}
