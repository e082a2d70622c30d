//! The way narrows, the promise is kept on made parts whose risk is known, and hopeless students change nothing.

use proptest::prelude::*;

use super::*;

const TEACHER: Thresholds = Thresholds { reject_from: 0.5, pass_below: 0.5 };

fn promise(bound: f64) -> Promise {
    Promise { escape_cost: 10.0, bound, confidence: 0.95 }
}

/// A teacher that is never wrong and a student whose score s says defective with chance s: passing below t adds escapes with
/// the chance t^2 / 2 and rejecting from u adds false rejects with (1 - u)^2 / 2.
fn drawn(random: &mut fastrand::Rng, parts: usize) -> Vec<Pair> {
    let part = |_| {
        let student = random.f64();
        let defective = random.f64() < student;
        Pair { student, teacher: if defective { 0.9 } else { 0.1 }, defective }
    };
    (0..parts).map(part).collect()
}

fn risk(bounds: Thresholds) -> f64 {
    let above = (1.0 - bounds.reject_from).max(0.0);
    10.0 * bounds.pass_below.powi(2) / 2.0 + above.powi(2) / 2.0
}

#[test]
fn the_promise_is_broken_no_more_often_than_was_said() {
    let mut random = fastrand::Rng::with_seed(11);
    let (runs, delta) = (200_u32, 0.05);
    let error = 3.0 * (delta * (1.0 - delta) / f64::from(runs)).sqrt();
    let (mut exceeded, mut woken, mut idle) = (0_u32, 0.0, 0_u32);
    for _ in 0..runs {
        let (learn, test) = (drawn(&mut random, 400), drawn(&mut random, 800));
        match choose(&learn, &test, TEACHER, promise(0.1)) {
            Some(cascade) => {
                exceeded += u32::from(risk(cascade.bounds) > 0.1);
                woken += cascade.woken / f64::from(runs);
            }
            None => idle += 1,
        }
    }
    let share = f64::from(exceeded) / f64::from(runs);
    assert!(share <= delta + error, "exceeded in {share} of the runs");
    assert!(woken < 0.85 && idle < 10, "the teacher was woken for {woken} of the parts, {idle} ways had no step");
    println!("exceeded in {share} of {runs} runs; the teacher was woken for {woken:.3} of the parts");
}

#[test]
fn a_student_that_knows_nothing_wakes_the_teacher() {
    let mut random = fastrand::Rng::with_seed(3);
    let part = |place: usize| {
        let defective = place.is_multiple_of(2);
        Pair { student: 0.0, teacher: if defective { 0.9 } else { 0.1 }, defective }
    };
    let pairs: Vec<Pair> = (0..300).map(part).map(|pair| Pair { student: random.f64(), ..pair }).collect();
    assert_eq!(choose(&pairs, &pairs, TEACHER, promise(0.02)), None);
    assert_eq!(choose(&[], &[], TEACHER, promise(0.02)), None);
}

#[test]
fn a_student_as_good_as_its_teacher_lets_it_sleep() {
    let part = |place: u32| {
        let (defective, score) = (place.is_multiple_of(3), f64::from(place % 100) / 250.0);
        let student = if defective { 1.0 - score } else { score };
        Pair { student, teacher: student, defective }
    };
    let pairs: Vec<Pair> = (0..3000).map(part).collect();
    let cascade = choose(&pairs, &pairs, TEACHER, promise(0.05)).unwrap();
    assert!(cascade.woken < 0.05 && cascade.added <= 0.0, "{cascade:?}");
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    let pair = (0_u8..20, 0_u8..20, any::<bool>()).prop_map(|(student, teacher, defective)| Pair {
        student: f64::from(student) / 20.0,
        teacher: f64::from(teacher) / 20.0,
        defective,
    });
    prop::collection::vec(pair, 1..120)
}

proptest! {
    #[test]
    fn the_way_narrows_and_every_step_adds_no_less(pairs in pairs(), cost in 0.2..20.0f64) {
        let promise = Promise { escape_cost: cost, ..promise(0.05) };
        let (mut before, mut bounds) = (measure(&pairs, ALWAYS, TEACHER, promise), ALWAYS);
        prop_assert!((before.woken - 1.0).abs() < 1e-12 && before.added.abs() < 1e-12);
        for next in way(&pairs, TEACHER, promise) {
            prop_assert!(next.pass_below >= bounds.pass_below && next.reject_from <= bounds.reject_from);
            prop_assert!(next.pass_below <= next.reject_from, "{:?}", next);
            let after = measure(&pairs, next, TEACHER, promise);
            prop_assert!(after.woken <= before.woken + 1e-12 && after.added >= before.added - 1e-12);
            (before, bounds) = (after, next);
        }
    }

    #[test]
    fn what_is_chosen_was_cleared(learn in pairs(), test in pairs(), bound in 0.01..3.0f64) {
        let promise = promise(bound);
        if let Some(cascade) = choose(&learn, &test, TEACHER, promise) {
            let seen = measure(&test, cascade.bounds, TEACHER, promise);
            prop_assert_eq!(seen, cascade);
            prop_assert!(seen.added <= bound, "{:?}", seen);
            let looser = choose(&learn, &test, TEACHER, Promise { bound: bound * 2.0, ..promise }).unwrap();
            prop_assert!(looser.woken <= cascade.woken, "a looser promise wakes no more");
        }
    }

    #[test]
    fn a_step_is_paid_by_its_definition(pair in (0.0..1.0f64, 0.0..1.0f64, any::<bool>()), low in 0.0..0.5f64, high in 0.5..1.0f64) {
        let (student, teacher, defective) = pair;
        let bounds = Thresholds { pass_below: low, reject_from: high };
        let seen = promise(0.1).added(&Pair { student, teacher, defective }, bounds, TEACHER);
        let right = |rejects: bool| rejects == defective;
        let wanted = if student >= low && student < high {
            None
        } else if right(student >= high) || !right(teacher >= 0.5) {
            Some(0.0)
        } else {
            Some(if defective { 10.0 } else { 1.0 })
        };
        prop_assert_eq!(seen, wanted);
    }
}
