//! A ladder for a board that is not there: from a ladder file, or from prices that were measured elsewhere. Service times are
//! multiplied by the board's speed factor; watts are the board's by tier where nobody told a rung's own.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::board::Board;
use crate::govern::ladder::{Basis, Ladder, Power, Rung, Service};
use crate::models::passport::Tier;
use crate::models::price::{self, Estimate, Price};
use crate::name::Name;

/// The schema of a ladder file.
pub const SCHEMA: &str = "kenpin.ladder/1";

/// The ladder that stands in until prices are given.
pub const EXAMPLE: &str = include_str!("ladder.toml");

/// Rungs, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Rungs {
    /// The ladder on the board.
    pub ladder: Ladder,
    /// Where its figures come from, for people.
    pub note: String,
}

/// A ladder file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    /// Where the figures come from.
    note: String,
    rungs: Vec<Entry>,
}

/// One rung of a ladder file. Without a service time it judges nothing.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Name,
    tier: Option<Tier>,
    #[serde(default)]
    service_ms: f64,
    #[serde(default)]
    service_p99_ms: f64,
    /// Watt above idle while it works; by tier where absent.
    watts: Option<f64>,
    #[serde(default)]
    accuracy: f64,
    #[serde(default)]
    accuracy_low: f64,
    #[serde(default)]
    accuracy_high: f64,
    #[serde(default = "yes")]
    allowed: bool,
}

fn yes() -> bool {
    true
}

impl Rungs {
    /// Reads a ladder file for a board.
    ///
    /// # Errors
    /// A sentence: what is no TOML, of another schema, or no ladder.
    pub fn read(text: &str, board: &Board) -> Result<Self, String> {
        let file: File = toml_edit::de::from_str(text).map_err(|error| one_line(&error))?;
        if file.schema != SCHEMA {
            return Err(format!("its schema is {:?}, want {SCHEMA:?}", file.schema));
        }
        let rungs = file.rungs.into_iter().map(|entry| entry.rung(board)).collect();
        Ok(Self { ladder: Ladder::new(rungs).map_err(|error| error.to_string())?, note: file.note })
    }

    /// Makes a ladder of the prices of models, named from the heaviest to the lightest, in a state directory.
    ///
    /// # Errors
    /// A sentence: a folder or price that cannot be read, a model with no price, with several, or with no accuracy, rungs that
    /// are no ladder.
    pub fn priced(state: &Path, models: &[Name], board: &Board) -> Result<Self, String> {
        let prices = read_all(&state.join(price::FOLDER))?;
        let rungs: Result<Vec<Rung>, String> = models.iter().map(|name| rung(&prices, name, board)).collect();
        let ladder = Ladder::new(rungs?).map_err(|error| error.to_string())?;
        let benches = models.iter().filter_map(|name| Some(find(&prices, name).ok()?.bench.told.clone()));
        let mut benches: Vec<String> = benches.collect();
        benches.dedup();
        Ok(Self { ladder, note: format!("prices measured on {}", benches.join(", ")) })
    }
}

impl Entry {
    fn rung(self, board: &Board) -> Rung {
        let seconds = board.speed.service_factor / 1e3;
        let by_tier = self.tier.map_or(0.0, |tier| watts(board, tier));
        Rung {
            name: self.name,
            service: Service { mean_seconds: self.service_ms * seconds, p99_seconds: self.service_p99_ms * seconds },
            power: Power { watts: self.watts.unwrap_or(by_tier), basis: Basis::Assumed },
            accuracy: Estimate { value: self.accuracy, low: self.accuracy_low, high: self.accuracy_high },
            allowed: self.allowed,
        }
    }
}

fn watts(board: &Board, tier: Tier) -> f64 {
    match tier {
        Tier::Teacher | Tier::Specialist => board.power.teacher_watts,
        Tier::Student | Tier::Gate => board.power.student_watts,
    }
}

fn read_all(folder: &Path) -> Result<Vec<Price>, String> {
    let failed = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| Price::read(path).map_err(|error| error.to_string())).collect()
}

/// The only price of a model.
fn find<'p>(prices: &'p [Price], name: &Name) -> Result<&'p Price, String> {
    let mut of_name = prices.iter().filter(|price| price.model.name == *name);
    match (of_name.next(), of_name.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(format!("model {name} has no price: measure it with kenpin models price")),
        (Some(_), Some(_)) => Err(format!("model {name} has several prices: leave one of them in the folder")),
    }
}

fn rung(prices: &[Price], name: &Name, board: &Board) -> Result<Rung, String> {
    let price = find(prices, name)?;
    let worth = price.worth.as_ref().ok_or_else(|| format!("model {name} has no accuracy: it names no defect"))?;
    let here = price.bench.board == board.name;
    let seconds = if here { 1e-3 } else { board.speed.service_factor / 1e3 };
    let mean_seconds = price.cost.wall_ms * seconds;
    let energy = price.cost.energy.as_ref().filter(|_| here);
    let power = match energy {
        Some(energy) => Power { watts: (energy.running_mw - energy.idle_mw) / 1e3, basis: Basis::Measured },
        None => Power { watts: watts(board, price.model.tier), basis: Basis::Assumed },
    };
    let p99_seconds = (price.cost.run_ms_p99 * seconds).max(mean_seconds);
    let service = Service { mean_seconds, p99_seconds };
    Ok(Rung { name: name.clone(), service, power, accuracy: worth.accuracy, allowed: true })
}

/// What a reader of TOML says, on one line.
pub(super) fn one_line(error: &toml_edit::de::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::price::tests::price;
    use crate::simulate::board::tests::orin_nano;

    #[test]
    fn the_example_is_a_ladder_that_says_what_it_is() {
        let rungs = Rungs::read(EXAMPLE, &orin_nano()).unwrap();
        assert!(rungs.note.contains("example"));
        let teacher = rungs.ladder.rung(1);
        assert!((teacher.service.mean_seconds - 0.0225).abs() < 1e-12, "9 ms times 2.5");
        assert!((teacher.power.watts - 13.0).abs() < 1e-12 && teacher.power.basis == Basis::Assumed);
        let mad = EXAMPLE.replace("service_ms = 9.0", "service_ms = 90.0");
        assert!(Rungs::read(&mad, &orin_nano()).unwrap_err().contains("elpv-teacher stands below elpv-ensemble"));
        let skip = format!("{EXAMPLE}\n[[rungs]]\nname = \"skip\"\n");
        assert!(!Rungs::read(&skip, &orin_nano()).unwrap().ladder.rung(4).judges());
    }

    #[test]
    fn prices_from_elsewhere_are_slowed_and_those_from_the_board_are_not() {
        let state = tempfile::tempdir().unwrap();
        let (teacher, mut student) = (price("teacher", 9.0, 0.95), price("student", 1.0, 0.9));
        student.model.sha256 = "3".repeat(64);
        teacher.write(state.path()).unwrap();
        student.write(state.path()).unwrap();
        let names = ["teacher", "student"].map(|name| Name::new(name).unwrap());
        let mut board = orin_nano();
        let rungs = Rungs::priced(state.path(), &names, &board).unwrap();
        assert_eq!(rungs.note, "prices measured on Board");
        let heavy = rungs.ladder.rung(0);
        assert!((heavy.service.mean_seconds - 9.2 * 2.5e-3).abs() < 1e-12 && heavy.power.basis == Basis::Assumed);
        board.name = Name::new("board").unwrap();
        let rungs = Rungs::priced(state.path(), &names, &board).unwrap();
        let heavy = rungs.ladder.rung(0);
        assert!((heavy.service.mean_seconds - 9.2e-3).abs() < 1e-12);
        assert!((heavy.power.watts - 2.0).abs() < 1e-12 && heavy.power.basis == Basis::Measured, "7000 less 5000 mW");

        let refused = |names: &[Name]| Rungs::priced(state.path(), names, &board).unwrap_err();
        assert!(refused(&[Name::new("other").unwrap()]).contains("model other has no price"));
        assert!(refused(&[names[1].clone(), names[0].clone()]).contains("teacher stands below student"));
        let mut again = student;
        again.bench.board = Name::new("second").unwrap();
        again.write(state.path()).unwrap();
        assert!(refused(&names).contains("model student has several prices"));
    }
}
