//! What a simulation gave: tables for people, JSON for machines. Both say that it is simulated.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::govern::ladder::{Basis, Rung};
use crate::name::Name;
use crate::simulate::policy::Kind;
use crate::simulate::scenario::{DEADLINE, LINE, Scenario};
use crate::simulate::shift::Outcome;
use crate::simulate::trial::{Distribution, Outcomes, Trial, gain};

/// What is printed as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: &'static str,
    /// Always true: nothing here was measured.
    simulated: bool,
    board: Board,
    /// Where the rungs' figures come from.
    rungs_from: String,
    rungs: Vec<Step>,
    hours: f64,
    draws: u32,
    seed: u64,
    deadline_seconds: f64,
    line_parts_per_second: f64,
    scenarios: Vec<Played>,
}

#[derive(Debug, Serialize)]
struct Board {
    name: Name,
    told: String,
    basis: Basis,
}

/// A rung on the board.
#[derive(Debug, Serialize)]
struct Step {
    name: Name,
    service_ms: f64,
    watts: f64,
    watts_basis: Basis,
    accuracy: f64,
}

/// One scenario.
#[derive(Debug, Serialize)]
struct Played {
    name: Name,
    policies: BTreeMap<&'static str, Policy>,
}

/// What one policy came to: means over the draws, and their distributions.
#[derive(Debug, Serialize)]
struct Policy {
    missed: f64,
    expected_accuracy: f64,
    seconds_above_trip: f64,
    /// The share of the oracle's gain in accuracy over the student; null where there is none.
    gain: Option<f64>,
    distributions: Distributions,
}

#[derive(Debug, Serialize)]
struct Distributions {
    parts: Distribution,
    judged: Distribution,
    missed: Distribution,
    expected_accuracy: Distribution,
    seconds_above_trip: Distribution,
    switches: Distribution,
    seconds_off: Distribution,
}

impl Distributions {
    fn of(outcomes: &[Outcome]) -> Self {
        let of = |figure: fn(&Outcome) -> f64| rounded(Distribution::of(outcomes, figure));
        Self {
            parts: of(|outcome| outcome.parts),
            judged: of(|outcome| outcome.judged),
            missed: of(|outcome| outcome.missed),
            expected_accuracy: of(|outcome| outcome.expected_accuracy),
            seconds_above_trip: of(|outcome| outcome.seconds_above_trip.into()),
            switches: of(|outcome| outcome.switches.into()),
            seconds_off: of(|outcome| outcome.seconds_off.into()),
        }
    }
}

impl Report {
    /// Of the outcomes for each scenario and policy, in the order of [`Kind::ALL`].
    pub(super) fn of(trial: &Trial<'_>, note: &str, scenarios: &[Scenario], outcomes: &[Vec<Outcomes>]) -> Self {
        let played = |(scenario, outcomes): (&Scenario, &Vec<Outcomes>)| Played {
            name: scenario.name.clone(),
            policies: policies(outcomes),
        };
        let rung = |rung: &Rung| Step {
            name: rung.name.clone(),
            service_ms: round(rung.service.mean_seconds * 1e3),
            watts: rung.power.watts,
            watts_basis: rung.power.basis,
            accuracy: rung.accuracy.value,
        };
        let board = trial.board;
        Self {
            schema: "kenpin.simulation/1",
            simulated: true,
            board: Board { name: board.name.clone(), told: board.told.clone(), basis: board.basis },
            rungs_from: note.into(),
            rungs: trial.ladder.rungs().iter().map(rung).collect(),
            hours: f64::from(trial.seconds) / 3600.0,
            draws: trial.draws,
            seed: trial.seed,
            deadline_seconds: DEADLINE,
            line_parts_per_second: LINE,
            scenarios: scenarios.iter().zip(outcomes).map(played).collect(),
        }
    }

    /// For people: what was played, and a table for each scenario.
    pub(super) fn text(&self) -> String {
        let Self { board, rungs_from, hours, draws, deadline_seconds, line_parts_per_second, .. } = self;
        let mut text = format!(
            "Simulated: {}, figures {}; rungs: {rungs_from}. {hours} h, {draws} draws within 30 %, {line_parts_per_second} \
             parts/s a line, due in {deadline_seconds} s. Medians, and the 5th to the 95th percentile of the draws.\n",
            board.told, board.basis
        );
        let rungs = self.rungs.iter().map(|Step { name, service_ms, watts, watts_basis, accuracy }| {
            format!("  {name}: {service_ms} ms, {watts} W above idle ({watts_basis}), {accuracy} of parts right\n")
        });
        text.extend(rungs);
        let tables = self.scenarios.iter().map(|played| table(played).to_string());
        text + &tables.collect::<Vec<_>>().join("\n\n")
    }
}

fn policies(outcomes: &[Outcomes]) -> BTreeMap<&'static str, Policy> {
    let of = |wanted: Kind| Kind::ALL.iter().position(|kind| *kind == wanted).and_then(|place| outcomes.get(place));
    let accuracy = |kind| Distribution::of(of(kind).map_or(&[], Vec::as_slice), |outcome| outcome.expected_accuracy);
    let (student, oracle) = (accuracy(Kind::Student), accuracy(Kind::Oracle));
    let policy = |(kind, outcomes): (&Kind, &Outcomes)| {
        let distributions = Distributions::of(outcomes);
        let policy = Policy {
            missed: distributions.missed.mean,
            expected_accuracy: distributions.expected_accuracy.mean,
            seconds_above_trip: distributions.seconds_above_trip.mean,
            gain: gain(&accuracy(*kind), &student, &oracle).map(round),
            distributions,
        };
        (kind.name(), policy)
    };
    Kind::ALL.iter().zip(outcomes).map(policy).collect()
}

fn table(played: &Played) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let scenario = format!("{} (simulated)", played.name);
    table.set_header([
        &scenario,
        "parts judged",
        "missed",
        "expected accuracy",
        "s above trip",
        "switches",
        "mean gain",
    ]);
    for (name, policy) in Kind::ALL.iter().filter_map(|kind| Some((kind.name(), played.policies.get(kind.name())?))) {
        let Distributions { judged, missed, expected_accuracy, seconds_above_trip, switches, .. } =
            &policy.distributions;
        let gain = policy.gain.map_or_else(|| "-".into(), |gain| format!("{:.1} %", gain * 100.0));
        let whole = |figure| spread(figure, 0);
        table.add_row([
            name.to_owned(),
            whole(judged),
            whole(missed),
            spread(expected_accuracy, 4),
            whole(seconds_above_trip),
            whole(switches),
            gain,
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The median, and the 5th to the 95th percentile where they differ.
fn spread(figure: &Distribution, digits: usize) -> String {
    let Distribution { p5, p50, p95, .. } = figure;
    let [low, middle, high] = [p5, p50, p95].map(|number| format!("{number:.digits$}"));
    if low == high { middle } else { format!("{middle} ({low} to {high})") }
}

fn rounded(figure: Distribution) -> Distribution {
    let Distribution { mean, p5, p50, p95, max } = figure;
    Distribution { mean: round(mean), p5: round(p5), p50: round(p50), p95: round(p95), max: round(max) }
}

/// To six digits: no more are meant.
fn round(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_shown_only_where_there_is_one() {
        let figure = Distribution { mean: 1.0, p5: 0.2, p50: 0.9, p95: 1.4, max: 2.0 };
        assert_eq!((spread(&figure, 1), spread(&figure, 0)), ("0.9 (0.2 to 1.4)".to_owned(), "1 (0 to 1)".to_owned()));
        assert_eq!(spread(&Distribution { p5: 0.9, p95: 0.9, ..figure }, 1), "0.9");
        assert!((round(0.123_456_789) - 0.123_457).abs() < 1e-12);
    }
}
