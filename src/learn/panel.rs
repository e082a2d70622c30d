//! The fit of a panel as a whole: the fusion, its thresholds, and what is promised of them. Pure, and seeded.
//!
//! A promise is tested on parts that nothing was fitted to: where one is asked for, half of the parts (whole batches) fit the
//! fusion and the other half tests the thresholds.

use super::calibrate::{Owned, Sample};
use super::cascade::{self, Pair};
use super::ensemble::{self, Fused, Parts, fit, scores};
use super::sampling::alike;
use super::thresholds::{Aim, choose};
use crate::config::Thresholds;
use crate::fusion::calibrator::Calibrator;
use crate::models::fit::{Evidence, FittedCascade, Method, Promise, Ranked};

/// What was fitted to the parts of a panel.
#[derive(Debug, Clone)]
pub struct Panel {
    /// How the members become one.
    pub fused: Fused,
    /// Where their score becomes a decision.
    pub thresholds: Thresholds,
    /// What is promised of it.
    pub promise: Promise,
    /// When the teacher sleeps, where the student goes first.
    pub cascade: Option<FittedCascade>,
    /// What it is worth.
    pub evidence: Evidence,
    /// The fused score of each part, of a cascade the teacher's, by folds that did not hold it.
    pub crossed: Vec<f64>,
}

impl Panel {
    /// The score on which the part at `place` is decided, as the daemon finds it: of a cascade the student's where it is sure,
    /// else the teacher's.
    #[must_use]
    pub fn score(&self, parts: &Parts, place: usize) -> f64 {
        let Some(FittedCascade { student, teacher, pass_below, reject_from, .. }) = self.cascade else {
            return self.fused.score(parts, place);
        };
        let alone = parts.members[student][place];
        let sure = alone < pass_below || alone >= reject_from;
        if sure { alone } else { self.fused.calibrators[teacher].apply(parts.members[teacher][place]) }
    }
}

/// Fits a panel whose members all vote, by `only` this method or by the best. Thresholds, and what is promised of them, come
/// from pictures as they were taken.
///
/// # Errors
/// One sentence: too few parts of a kind for the folds, too few defective ones for the bound, a bound for parts that do not count
/// alike, members that say the same, or a method that is not for these parts.
pub fn of_votes(parts: &Parts, aim: Aim, only: Option<Method>) -> Result<Panel, String> {
    refuse_twins(parts)?;
    if matches!(aim, Aim::Bound { .. }) {
        refuse_unlike(parts, "a bound on escapes")?;
    }
    let (methods, evidence, crossed) = tried(parts, only)?;
    let (fitting, testing) = match aim {
        Aim::Cost(_) => (parts.clone(), parts.clone()),
        Aim::Bound { .. } => halves(parts)?,
    };
    let fused = fit(&fitting, &methods)?;
    let (fitted, tested) = (scores(&fused, &fitting.as_taken()), scores(&fused, &testing.as_taken()));
    let thresholds = choose(aim, &fitted.sample(), &tested.sample())?;
    let promise = promise(aim, thresholds, &tested.sample());
    Ok(Panel { fused, thresholds, promise, cascade: None, evidence, crossed })
}

/// The methods that may win, with their evidence. Adaptive weights may only where they beat every other method by nested
/// cross-validation; where they do not, their own figures still stand in the evidence.
fn tried(parts: &Parts, only: Option<Method>) -> Result<(Vec<Method>, Evidence, Vec<f64>), String> {
    let mut methods = parts.methods();
    if let Some(only) = only {
        if !methods.contains(&only) {
            let known: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
            return Err(format!("{} is no method for these parts, those are {}", only.as_str(), known.join(", ")));
        }
        methods = vec![only];
    }
    let (evidence, crossed) = ensemble::evidence(parts, &methods)?;
    let name = Method::Adaptive.as_str();
    let (adaptive, others): (Vec<Ranked>, Vec<Ranked>) =
        evidence.methods.iter().cloned().partition(|ranked| ranked.name == name);
    let beaten = |adaptive: &Ranked| others.iter().any(|other| other.log_loss <= adaptive.log_loss);
    let Some(loser) = adaptive.into_iter().find(beaten) else { return Ok((methods, evidence, crossed)) };
    methods.retain(|method| *method != Method::Adaptive);
    let (mut evidence, crossed) = ensemble::evidence(parts, &methods)?;
    evidence.methods.push(loser);
    Ok((methods, evidence, crossed))
}

/// Fits a panel of two on which the student judges alone where it is sure. The student's score stays as it is; the teacher's is
/// calibrated, and its thresholds are those by what an escape costs.
///
/// # Errors
/// As [`of_votes`], and where the student adds too much to let the teacher sleep at any part.
pub fn of_student_first(
    parts: &Parts,
    (student, teacher): (usize, usize),
    wanted: cascade::Promise,
) -> Result<Panel, String> {
    refuse_twins(parts)?;
    refuse_unlike(parts, "a bound on what the student adds")?;
    let alone = |seat: usize| Parts {
        names: vec![parts.names[seat].clone()],
        members: vec![parts.members[seat].clone()],
        ..parts.clone()
    };
    let single = [Method::Single];
    let (mut evidence, crossed) = ensemble::evidence(&alone(teacher), &single)?;
    let of_student = ensemble::evidence(&alone(student), &single)?.0.members;
    let place = if student < teacher { 0 } else { evidence.members.len() };
    evidence.members.splice(place..place, of_student);
    let (fitting, testing) = halves(parts)?;
    let pick = |parts: &Parts| Parts { members: vec![parts.members[teacher].clone()], ..parts.clone() };
    let map = fit(&pick(&fitting), &single)?.calibrators.into_iter().next().unwrap_or(Calibrator::None);
    let of_teacher = |parts: &Parts| parts.members[teacher].iter().map(|score| map.apply(*score)).collect::<Vec<f64>>();
    let aim = Aim::Cost(wanted.escape_cost);
    let fitted = Owned::new(of_teacher(&fitting), fitting.defective.clone());
    let thresholds = choose(aim, &fitted.sample(), &fitted.sample())?;
    let pairs = |parts: &Parts| -> Vec<Pair> {
        let both = parts.members[student].iter().zip(of_teacher(parts)).zip(&parts.defective);
        both.map(|((student, teacher), defective)| Pair { student: *student, teacher, defective: *defective }).collect()
    };
    let found = cascade::choose(&pairs(&fitting), &pairs(&testing), thresholds, wanted).ok_or_else(|| {
        let (bound, tested) = (wanted.bound, testing.len());
        format!("the student is nowhere so sure that it would add less than {bound} false rejects a part, tested on {tested}")
    })?;
    let mut calibrators = vec![Calibrator::None; 2];
    calibrators[teacher] = map;
    Ok(Panel {
        fused: Fused {
            method: Method::Cascade,
            calibrators,
            weights: vec![1.0; 2],
            stacking: None,
            concatenation: None,
            classes: Vec::new(),
            measured: None,
            adaptive: None,
        },
        thresholds,
        promise: Promise::Cost { escape_cost: wanted.escape_cost },
        cascade: Some(FittedCascade {
            student,
            teacher,
            pass_below: found.bounds.pass_below,
            reject_from: found.bounds.reject_from,
            loss_bound: wanted.bound,
            confidence: wanted.confidence,
            added: found.added,
            woken: found.woken,
            tested: found.tested,
        }),
        evidence,
        crossed,
    })
}

fn refuse_twins(parts: &Parts) -> Result<(), String> {
    let told = |(one, other)| Err(format!("{one} and {other} say the same of every part: one member counted twice"));
    parts.twins().map_or(Ok(()), told)
}

/// Tests that count parts hold for parts that were drawn alike.
pub(super) fn refuse_unlike(parts: &Parts, what: &str) -> Result<(), String> {
    if alike(&parts.weights) {
        return Ok(());
    }
    Err(format!("{what} is tested on parts that were drawn alike, these count by how likely each was to be looked at"))
}

/// Parts to fit to, and as many to test on.
pub(super) fn halves(parts: &Parts) -> Result<(Parts, Parts), String> {
    let half = parts.folds(2)?;
    let of = |wanted: usize| -> Vec<usize> { (0..parts.len()).filter(|&place| half[place] == wanted).collect() };
    Ok((parts.at(&of(0)), parts.at(&of(1))))
}

/// What is promised, with what came of it on the tested parts.
pub(super) fn promise(aim: Aim, Thresholds { reject_from, pass_below }: Thresholds, tested: &Sample<'_>) -> Promise {
    let (escapes, confidence) = match aim {
        Aim::Cost(escape_cost) => return Promise::Cost { escape_cost },
        Aim::Bound { escapes, confidence } => (escapes, confidence),
    };
    let count = |holds: &dyn Fn(f64, bool) -> bool| {
        tested.scores.iter().zip(tested.defective).filter(|(score, is)| holds(**score, **is)).count()
    };
    let (all, defective) = (tested.scores.len(), count(&|_, is| is));
    Promise::EscapeBound {
        bound: escapes,
        confidence,
        defective,
        escaped: count(&|score, is| is && score < pass_below),
        undecided: share(count(&|score, _| score >= pass_below && score < reject_from), all),
        false_rejects: share(count(&|score, is| !is && score >= reject_from), all - defective),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::adaptive::Quality;
    use crate::learn::ensemble::Copies;

    /// Two members that see the truth with noise of their own.
    fn parts(count: u32) -> Parts {
        let mut random = fastrand::Rng::with_seed(9);
        let defective: Vec<bool> = (0..count).map(|place| place % 2 == 0).collect();
        let mut member = |noise: f64| {
            let say =
                |is: &bool| (f64::from(u8::from(*is)) * 0.5 + 0.25 + noise * (random.f64() - 0.5)).clamp(0.0, 1.0);
            defective.iter().map(say).collect::<Vec<f64>>()
        };
        let members = vec![member(0.8), member(0.7)];
        let (names, weights) = (vec!["student".into(), "teacher".into()], vec![1.0; members[0].len()]);
        Parts { names, members, defective, weights, ..Parts::default() }
    }

    #[test]
    fn a_bound_is_promised_on_the_half_that_nothing_was_fitted_to() {
        let panel = of_votes(&parts(600), Aim::Bound { escapes: 0.05, confidence: 0.95 }, None).unwrap();
        let Promise::EscapeBound { defective, escaped, undecided, false_rejects, .. } = panel.promise else { panic!() };
        assert_eq!(defective, 150);
        // At most 3 of 150 may escape: P(X <= 3) at 5 % is 0.055, P(X <= 2) is 0.018.
        assert!(escaped <= 2, "{escaped}");
        assert!((0.0..1.0).contains(&undecided) && false_rejects < 0.5);
        assert!(panel.thresholds.pass_below <= panel.thresholds.reject_from);
        let few = of_votes(&parts(100), Aim::Bound { escapes: 0.01, confidence: 0.95 }, None).unwrap_err();
        assert!(few.starts_with("25 defective parts cannot show") && few.contains("want 299"), "{few}");
    }

    #[test]
    fn adaptive_weights_that_do_not_beat_the_others_do_not_win_but_are_shown() {
        let mut parts = parts(200);
        let quality = Quality { sharpness: 100.0, brightness: 0.5, clipped: 0.0, noise: 1.0 };
        let (picture, as_taken): (Vec<usize>, Vec<bool>) = (0..200).map(|place| (place, true)).unzip();
        parts.copies = Some(Copies { picture, as_taken, quality: vec![quality; 200], each: 1 });
        let panel = of_votes(&parts, Aim::Cost(1.0), None).unwrap();
        assert_ne!(panel.fused.method, Method::Adaptive);
        assert!(panel.evidence.methods.iter().any(|ranked| ranked.name == "adaptive"));
        let forced = of_votes(&parts, Aim::Cost(1.0), Some(Method::Adaptive)).unwrap();
        assert_eq!((forced.fused.method, forced.evidence.methods.len()), (Method::Adaptive, 1));
        parts.copies = None;
        let told = of_votes(&parts, Aim::Cost(1.0), Some(Method::Adaptive)).unwrap_err();
        assert!(told.starts_with("adaptive is no method for these parts"), "{told}");
    }

    #[test]
    fn a_student_goes_first_where_it_adds_little() {
        let wanted = cascade::Promise { escape_cost: 10.0, bound: 0.5, confidence: 0.95 };
        let panel = of_student_first(&parts(1200), (0, 1), wanted).unwrap();
        let cascade = panel.cascade.clone().unwrap();
        let score = |student, teacher| {
            let members = vec![vec![student], vec![teacher]];
            panel.score(&Parts { members, defective: vec![true], ..parts(0) }, 0)
        };
        let (low, high) = (cascade.pass_below / 2.0, f64::midpoint(cascade.pass_below, cascade.reject_from));
        assert_eq!(score(low, 0.9).to_bits(), low.to_bits(), "the student alone");
        assert_eq!(score(high, 0.9).to_bits(), panel.fused.calibrators[1].apply(0.9).to_bits(), "the teacher alone");
        assert!(cascade.woken < 0.9 && cascade.added < 0.5 && cascade.tested == 600, "{cascade:?}");
        let named: Vec<&str> = panel.evidence.members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(named, ["student", "teacher"]);
        let strict = cascade::Promise { bound: 1e-6, ..wanted };
        assert!(
            of_student_first(&parts(1200), (0, 1), strict).unwrap_err().starts_with("the student is nowhere so sure")
        );
    }

    #[test]
    fn what_a_bound_is_tested_on_counts_alike() {
        let mut parts = parts(600);
        parts.weights[3] = 2.0;
        let told = of_votes(&parts, Aim::Bound { escapes: 0.05, confidence: 0.95 }, None).unwrap_err();
        assert!(told.starts_with("a bound on escapes is tested on parts that were drawn alike"), "{told}");
        let wanted = cascade::Promise { escape_cost: 10.0, bound: 0.5, confidence: 0.95 };
        let told = of_student_first(&parts, (0, 1), wanted).unwrap_err();
        assert!(told.starts_with("a bound on what the student adds is tested"), "{told}");
    }

    #[test]
    fn three_copies_of_one_member_are_refused() {
        let mut parts = parts(100);
        parts.members = vec![parts.members[0].clone(); 3];
        parts.names = ["a", "b", "c"].map(String::from).to_vec();
        let told = of_votes(&parts, Aim::Cost(1.0), None).unwrap_err();
        assert_eq!(told, "a and b say the same of every part: one member counted twice");
    }
}
