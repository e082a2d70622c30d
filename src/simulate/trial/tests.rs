//! All policies against the oracle, and the figures that are made of their outcomes.

use super::*;
use crate::simulate::board::tests::orin_nano;
use crate::simulate::rungs::{EXAMPLE, Rungs};

/// All scenarios over two hours on a few boards.
fn outcomes(draws: u32) -> Vec<(Scenario, Vec<Outcomes>)> {
    let board = orin_nano();
    let (ladder, settings) = (Rungs::read(EXAMPLE, &board).unwrap().ladder, board.settings());
    let trial =
        Trial { board: &board, ladder: &ladder, settings: &settings, seconds: 7200, draws, seed: 7, monitor: true };
    let scenarios = Scenario::usual();
    let outcomes = trial.run(&scenarios, &Kind::ALL, || ());
    scenarios.into_iter().zip(outcomes).collect()
}

#[test]
fn the_oracle_is_beaten_by_nobody_and_the_governor_misses_nothing() {
    let mut hot = 0;
    for (scenario, outcomes) in outcomes(3) {
        let [governor, none, _, student, oracle] = outcomes.as_slice() else { panic!("five policies") };
        for (kind, of_kind) in Kind::ALL.iter().zip(&outcomes) {
            for (seen, best) in of_kind.iter().zip(oracle) {
                let told = format!("{} {}: {seen:?}, the oracle {best:?}", scenario.name, kind.name());
                assert!(seen.parts > 0.0 && (seen.parts - best.parts).abs() < 1e-9, "{told}");
                assert!(best.missed <= seen.missed, "{told}");
                if best.missed >= seen.missed {
                    assert!(best.seconds_above_trip <= seen.seconds_above_trip, "{told}");
                    if best.seconds_above_trip == seen.seconds_above_trip {
                        assert!(best.expected_accuracy >= seen.expected_accuracy - 0.0005, "{told}");
                    }
                }
            }
        }
        for (seen, best) in governor.iter().zip(oracle) {
            assert!(seen.missed <= best.missed, "{}: {seen:?}", scenario.name);
            assert!(seen.seconds_above_trip <= best.seconds_above_trip, "{}: {seen:?}", scenario.name);
        }
        assert!(
            student.iter().all(|student| student.switches == 0 && (student.expected_accuracy - 0.84).abs() < 0.001)
        );
        hot += none.iter().filter(|none| none.seconds_above_trip > 0).count();
    }
    assert!(hot > 5, "without a governor the boards get hot, {hot}");
}

#[test]
fn the_same_seed_gives_the_same_shift() {
    assert_eq!(outcomes(1), outcomes(1));
}

#[test]
fn distributions_and_gains_are_those_done_by_hand() {
    let outcomes: Vec<Outcome> =
        (1..=20).map(|missed| Outcome { missed: f64::from(missed), ..Outcome::default() }).collect();
    let seen = Distribution::of(&outcomes, |outcome| outcome.missed);
    assert_eq!(seen, Distribution { mean: 10.5, p5: 1.0, p50: 10.0, p95: 19.0, max: 20.0 });
    let mean = |mean| Distribution { mean, ..seen };
    assert!((gain(&mean(0.88), &mean(0.84), &mean(0.89)).unwrap() - 0.8).abs() < 1e-9);
    assert_eq!(gain(&mean(0.84), &mean(0.84), &mean(0.84)), None);
}
