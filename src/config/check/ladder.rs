//! Checks the ladder: the rungs' names, and that every route that judges says who judges on each of them.

use std::time::Duration;

use super::super::document::Path;
use super::super::file;
use super::super::findings::{Findings, advice};
use super::super::settings::{Governor, LadderRung, Lighter};
use super::routes::members;
use crate::config::Surroundings;
use crate::name::Name;

/// Checks `[[ladder]]`; gives the rungs that are whole.
pub(super) fn ladder(file: &file::File, findings: &mut Findings<'_>) -> Vec<LadderRung> {
    let mut rungs: Vec<LadderRung> = Vec::new();
    for (index, told) in file.ladder.iter().flatten().enumerate() {
        let Some(name) = told.rung.clone() else { continue };
        if rungs.iter().any(|rung| rung.name == name) {
            let path = Path::of(&["ladder"]).then(index).then("rung");
            findings.value(&path, format!("there are two rungs with the name \"{name}\""), "want a name of its own");
        }
        let part_seconds = told.part_ms.map(|milliseconds| milliseconds / 1e3);
        rungs.push(LadderRung { name, accuracy: told.accuracy, part_seconds, watts: told.watts });
    }
    rungs
}

/// What the governor was told.
pub(super) fn governor(told: &file::Governor, surroundings: &Surroundings) -> Governor {
    Governor {
        board_root: surroundings.folder.join(&told.board_root),
        every: Duration::from_millis(told.every_ms),
        deadline: Duration::from_millis(told.deadline_ms),
        dwell: Duration::from_secs(told.dwell_s),
        hold: Duration::from_secs(told.hold_s),
        margin_kelvin: told.margin_celsius,
    }
}

/// Who judges the parts of a route on each rung below the first, in the order of the ladder.
pub(super) fn lighter(
    told: &file::Route,
    table: &Path,
    file: &file::File,
    findings: &mut Findings<'_>,
) -> Option<Vec<Lighter>> {
    let table = table.then("rungs");
    let ladder: Vec<&Name> = file.ladder.iter().flatten().filter_map(|rung| rung.rung.as_ref()).collect();
    for name in told.rungs.keys() {
        let path = table.then(name);
        if ladder.first() == Some(&name) {
            let message = format!("{} stands for the first rung", findings.document().describe(&path));
            findings.key(&path, message, "want rungs below it: on the first the route judges with its own `members`");
        } else if !ladder.contains(&name) && !findings.is_condemned(&Path::of(&["ladder"])) {
            let message = format!("{} stands for no rung of the ladder", findings.document().describe(&path));
            let note = findings.key(&path, message, "want the name of a rung in `[[ladder]]`");
            note.help(advice(name.as_str(), ladder.iter().map(|name| name.as_str())));
        }
    }
    let below = ladder.iter().skip(1);
    let all: Vec<Option<Lighter>> = below.map(|name| one(name, told, &table, file, findings)).collect();
    all.into_iter().collect()
}

/// Who judges on the rung `name`.
fn one(
    name: &Name,
    told: &file::Route,
    table: &Path,
    file: &file::File,
    findings: &mut Findings<'_>,
) -> Option<Lighter> {
    let path = table.then(name);
    let Some(rung) = told.rungs.get(name) else {
        if !findings.is_condemned(table) && !findings.is_condemned(&path) {
            findings.missing(&path, ", though the ladder has that rung").help(format!(
                "say who judges there, `rungs.{name} = {{ members = [{{ model = \"...\" }}] }}`, or that nobody does, \
                 `rungs.{name} = {{ undecided = true }}`"
            ));
        }
        return None;
    };
    match (&rung.members, rung.undecided) {
        (Some(members), false) => {
            members::panel(&members::Told::of_rung(rung), members, &path, file, findings).map(Lighter::Panel)
        }
        (None, true) => Some(Lighter::Undecided),
        (Some(_), true) => {
            let message = format!("{} has `members`, who would not be asked", findings.document().describe(&path));
            findings.key(&path.then("undecided"), message, "want either `members` or `undecided = true`");
            None
        }
        (None, false) => {
            if !findings.is_condemned(&path.then("members")) {
                findings.missing(&path.then("members"), "").help("or `undecided = true`, where nobody is to judge");
            }
            None
        }
    }
}
