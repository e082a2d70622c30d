//! The attribute gauge study: do inspectors, people and machines alike, agree with themselves, with each other and with what the
//! parts really are? Pure.
//!
//! Source: AIAG, *Measurement Systems Analysis*, 4th edition (2010), chapter III, section C (attribute agreement, with the limits
//! of effectiveness, misses and false alarms); kappa of two raters: J. Cohen (1960); of several: J. L. Fleiss (1971).

use serde::Serialize;

use super::risk::clopper_pearson;

/// What is said of a part, or what it really is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Says {
    /// Without a defect.
    Good,
    /// With one.
    Defective,
    /// Nobody can tell: never right, and neither a miss nor a false alarm.
    Undecided,
}

impl Says {
    const ALL: [Self; 3] = [Self::Good, Self::Defective, Self::Undecided];
}

/// A study: the same parts shown to every inspector equally often, in an order nobody knew.
#[derive(Debug, Clone)]
pub struct Study {
    /// What each part really is: good or defective.
    pub reference: Vec<Says>,
    /// The inspectors by name, each with what it said of each part in each trial: `[part][trial]`, as many trials for every part.
    pub inspectors: Vec<(String, Vec<Vec<Says>>)>,
}

/// A share with its exact 95 % interval (Clopper and Pearson).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// The share, 0 to 1.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// How many, of how many.
    pub of: [usize; 2],
}

impl Share {
    fn of(part: usize, whole: usize) -> Option<Self> {
        let (low, high) = clopper_pearson(part as u64, whole as u64, 0.95)?;
        Some(Self { value: ratio(part, whole), low, high, of: [part, whole] })
    }
}

/// How good an inspector is by the AIAG's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Effectiveness at least 90 %, misses at most 2 %, false alarms at most 5 %.
    Acceptable,
    /// Effectiveness at least 80 %, misses at most 5 %, false alarms at most 10 %.
    Marginal,
    /// Worse than that in one of them.
    Unacceptable,
}

/// One inspector against itself and against the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspector {
    /// Its name.
    pub name: String,
    /// Parts of which it said the same in every trial; `None` with one trial.
    pub repeatability: Option<Share>,
    /// Fleiss' kappa of its trials; `None` with one trial, or where all is said alike.
    pub kappa_of_trials: Option<f64>,
    /// Parts of which it said what they are in every trial.
    pub effectiveness: Share,
    /// Cohen's kappa of all trials with the reference; `None` where both say one thing of all.
    pub kappa: Option<f64>,
    /// Trials on defective parts in which it called them good: escapes.
    pub misses: Option<Share>,
    /// Trials on good parts in which it called them defective: false rejects.
    pub false_alarms: Option<Share>,
    /// By the AIAG's limits.
    pub grade: Grade,
}

/// What a study shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gauge {
    /// Parts, of which so many are defective.
    pub parts: usize,
    /// Defective ones.
    pub defective: usize,
    /// How often each was shown to each inspector.
    pub trials: usize,
    /// Each inspector.
    pub inspectors: Vec<Inspector>,
    /// Parts of which all inspectors said the same in every trial; `None` with one inspector.
    pub between: Option<Share>,
    /// Fleiss' kappa of all trials of all inspectors; `None` with one inspector, or where all is said alike.
    pub kappa_between: Option<f64>,
}

/// What the study shows.
///
/// # Errors
/// One sentence where it has no part, no inspector, no trial, not as many trials of every part, or parts that are undecided.
pub fn gauge(study: &Study) -> Result<Gauge, String> {
    let trials = check(study)?;
    let parts = study.reference.len();
    let together: Vec<Vec<Says>> = (0..parts)
        .map(|part| study.inspectors.iter().flat_map(|(_, said)| said[part].iter().copied()).collect())
        .collect();
    let several = study.inspectors.len() > 1;
    let inspector = |(name, said): &(String, Vec<Vec<Says>>)| inspector(name, said, &study.reference, trials);
    Ok(Gauge {
        parts,
        defective: study.reference.iter().filter(|is| **is == Says::Defective).count(),
        trials,
        inspectors: study.inspectors.iter().filter_map(inspector).collect(),
        between: if several { Share::of(alike(&together), parts) } else { None },
        kappa_between: if several { fleiss(&together) } else { None },
    })
}

/// The number of trials.
fn check(Study { reference, inspectors }: &Study) -> Result<usize, String> {
    if reference.contains(&Says::Undecided) {
        return Err("a part's reference is undecided, want good or defective".into());
    }
    let trials = inspectors.first().and_then(|(_, said)| said.first()).map_or(0, Vec::len);
    if reference.is_empty() || trials == 0 {
        return Err("the study has no part, no inspector or no trial".into());
    }
    for (name, said) in inspectors {
        if said.len() != reference.len() {
            return Err(format!("{name} was shown {} parts, want all {}", said.len(), reference.len()));
        }
        if let Some((part, seen)) = said.iter().enumerate().find(|(_, said)| said.len() != trials) {
            return Err(format!("{name} was shown part {} {} times, want {trials}", part + 1, seen.len()));
        }
    }
    Ok(trials)
}

fn inspector(name: &str, said: &[Vec<Says>], reference: &[Says], trials: usize) -> Option<Inspector> {
    let parts = reference.len();
    let right = said.iter().zip(reference).filter(|(said, is)| said.iter().all(|says| says == *is)).count();
    let pairs: Vec<(Says, Says)> =
        said.iter().zip(reference).flat_map(|(said, is)| said.iter().map(|says| (*says, *is))).collect();
    let share = |says: Says, of: Says| {
        let shown = pairs.iter().filter(|(_, is)| *is == of);
        Share::of(shown.clone().filter(|(said, _)| *said == says).count(), shown.count())
    };
    let (misses, false_alarms) = (share(Says::Good, Says::Defective), share(Says::Defective, Says::Good));
    let effectiveness = Share::of(right, parts)?;
    Some(Inspector {
        name: name.to_owned(),
        repeatability: if trials > 1 { Share::of(alike(said), parts) } else { None },
        kappa_of_trials: if trials > 1 { fleiss(said) } else { None },
        effectiveness,
        kappa: cohen(&pairs),
        misses,
        false_alarms,
        grade: grade(effectiveness.value, misses, false_alarms),
    })
}

fn grade(effectiveness: f64, misses: Option<Share>, false_alarms: Option<Share>) -> Grade {
    let value = |share: Option<Share>| share.map_or(0.0, |share| share.value);
    let within = |least: f64, missed: f64, alarmed: f64| {
        effectiveness >= least && value(misses) <= missed && value(false_alarms) <= alarmed
    };
    if within(0.9, 0.02, 0.05) {
        Grade::Acceptable
    } else if within(0.8, 0.05, 0.1) {
        Grade::Marginal
    } else {
        Grade::Unacceptable
    }
}

/// Parts of which the same was said each time.
fn alike(said: &[Vec<Says>]) -> usize {
    said.iter().filter(|said| said.windows(2).all(|pair| pair[0] == pair[1])).count()
}

/// Cohen's kappa: the agreement beyond chance as a share of all that could be; `None` where chance alone agrees wholly.
#[must_use]
pub fn cohen(pairs: &[(Says, Says)]) -> Option<f64> {
    let all = pairs.len();
    let agreed = ratio(pairs.iter().filter(|(one, other)| one == other).count(), all);
    let by_chance: f64 = Says::ALL
        .iter()
        .map(|says| {
            let count =
                |of: fn(&(Says, Says)) -> Says| ratio(pairs.iter().filter(|pair| of(pair) == *says).count(), all);
            count(|pair| pair.0) * count(|pair| pair.1)
        })
        .sum();
    beyond_chance(agreed, by_chance)
}

/// Fleiss' kappa of as many ratings of each part; `None` where chance alone agrees wholly or there are fewer than two ratings.
#[must_use]
pub fn fleiss(said: &[Vec<Says>]) -> Option<f64> {
    let ratings = said.first().map_or(0, Vec::len);
    if ratings < 2 {
        return None;
    }
    let count = |said: &[Says], says: Says| said.iter().filter(|one| **one == says).count();
    let pairs = ratings * (ratings - 1);
    let of_part = |said: &Vec<Says>| {
        let agreeing: usize = Says::ALL.iter().map(|says| count(said, *says)).map(|n| n * n.saturating_sub(1)).sum();
        ratio(agreeing, pairs)
    };
    let agreed = said.iter().map(of_part).sum::<f64>() / ratio(said.len(), 1);
    let share = |says: Says| ratio(said.iter().map(|said| count(said, says)).sum(), said.len() * ratings);
    beyond_chance(agreed, Says::ALL.iter().map(|says| share(*says).powi(2)).sum())
}

fn beyond_chance(agreed: f64, by_chance: f64) -> Option<f64> {
    (by_chance < 1.0 - 1e-12).then(|| (agreed - by_chance) / (1.0 - by_chance))
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const G: Says = Says::Good;
    const D: Says = Says::Defective;
    const U: Says = Says::Undecided;

    fn near(seen: Option<f64>, wanted: f64) {
        assert!((seen.unwrap() - wanted).abs() < 1e-9, "{seen:?}, want {wanted}");
    }

    #[test]
    fn kappas_are_those_of_their_tables() {
        // 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: observed 0.7, by chance 0.5.
        let table = [((G, G), 20), ((G, D), 5), ((D, G), 10), ((D, D), 15)];
        let pairs: Vec<(Says, Says)> = table.into_iter().flat_map(|(pair, n)| std::iter::repeat_n(pair, n)).collect();
        near(cohen(&pairs), 0.4);
        // Three ratings of four parts: 3+0, 2+1, 1+2, 0+3. Mean agreement (1 + 1/3 + 1/3 + 1) / 4 = 2/3, by chance 1/2.
        near(fleiss(&[vec![G; 3], vec![G, G, D], vec![G, D, D], vec![D; 3]]), 1.0 / 3.0);
        assert_eq!((cohen(&[(G, G); 5]), fleiss(&[vec![G; 3]]), fleiss(&[vec![G], vec![D]])), (None, None, None));
    }

    #[test]
    fn an_inspector_is_held_to_itself_and_to_the_reference() {
        // Ten good and ten defective parts, twice: a sure one, and one that misses a defective part once and dithers at a good one.
        let reference = [vec![G; 10], vec![D; 10]].concat();
        let sure: Vec<Vec<Says>> = reference.iter().map(|is| vec![*is; 2]).collect();
        let mut other = sure.clone();
        (other[0], other[10]) = (vec![G, U], vec![D, G]);
        let study = Study { reference, inspectors: vec![("sure".into(), sure), ("other".into(), other)] };
        let told = gauge(&study).unwrap();
        assert_eq!((told.parts, told.defective, told.trials), (20, 10, 2));
        assert_eq!(told.inspectors[0].grade, Grade::Acceptable);
        near(told.inspectors[0].kappa, 1.0);
        let other = &told.inspectors[1];
        assert_eq!((other.repeatability.unwrap().of, other.effectiveness.of), ([18, 20], [18, 20]));
        assert_eq!((other.misses.unwrap().of, other.false_alarms.unwrap().of), ([1, 20], [0, 20]));
        assert_eq!(other.grade, Grade::Marginal, "a miss in twenty trials is 5 %");
        assert_eq!(told.between.unwrap().of, [18, 20]);
        // Clopper and Pearson for 18 of 20, as scipy.stats.beta gives it.
        let share = other.effectiveness;
        assert!((share.low - 0.683_017).abs() < 1e-5 && (share.high - 0.987_651).abs() < 1e-5, "{share:?}");
    }

    #[test]
    fn what_is_no_study_is_told() {
        let study = |reference: &[Says], said: &[Vec<Says>]| {
            gauge(&Study { reference: reference.to_vec(), inspectors: vec![("one".into(), said.to_vec())] })
                .unwrap_err()
        };
        assert_eq!(study(&[], &[]), "the study has no part, no inspector or no trial");
        assert_eq!(study(&[G, U], &[vec![G], vec![G]]), "a part's reference is undecided, want good or defective");
        assert_eq!(study(&[G, D], &[vec![G]]), "one was shown 1 parts, want all 2");
        assert_eq!(study(&[G, D], &[vec![G, G], vec![D]]), "one was shown part 2 1 times, want 2");
    }

    fn says() -> impl Strategy<Value = Says> {
        prop::sample::select(Says::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn agreement_stays_in_its_bounds(
            rows in prop::collection::vec((any::<bool>(), prop::collection::vec(says(), 3)), 1..40),
        ) {
            let reference: Vec<Says> = rows.iter().map(|(good, _)| if *good { G } else { D }).collect();
            let said: Vec<Vec<Says>> = rows.into_iter().map(|(_, said)| said).collect();
            let study = Study { reference, inspectors: vec![("a".into(), said.clone()), ("b".into(), said)] };
            let told = gauge(&study).unwrap();
            for inspector in &told.inspectors {
                let repeated = inspector.repeatability.unwrap();
                prop_assert!(inspector.effectiveness.of[0] <= repeated.of[0], "who is always right says the same each time");
                prop_assert!(repeated.low <= repeated.value && repeated.value <= repeated.high);
                prop_assert!(inspector.kappa.is_none_or(|kappa| (-1.0..=1.0 + 1e-12).contains(&kappa)));
            }
            prop_assert_eq!(told.between.unwrap().of, told.inspectors[0].repeatability.unwrap().of, "a twin agrees as one with itself");
        }
    }
}
