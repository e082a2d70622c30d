//! Checks the conditions of a route: one subject, one test.

use super::super::super::document::Path;
use super::super::super::file;
use super::super::super::findings::{Findings, listed};
use super::super::super::settings::{Condition, Test};
use super::super::{reference, stray};
use super::looks;

/// Checks one condition.
pub(super) fn condition(
    told: &file::Condition,
    path: &Path,
    file: &file::File,
    findings: &mut Findings<'_>,
) -> Option<Condition> {
    looks(None, told.camera.as_ref(), path, file, findings);
    if let Some(sensor) = &told.sensor {
        let read = file.routes.iter().flatten().filter_map(|route| route.read.as_ref()?.sensor.as_ref());
        reference(findings, &path.then("sensor"), sensor, "sensor", file.sensors.keys().chain(read));
    }
    let subject = subject(told, path, findings)?;
    let tests = tests(told);
    if matches!(subject, "camera" | "recipe") {
        for (key, _) in &tests {
            stray(findings, path, key, &format!("`{subject}`, which is a condition by itself"), "`key` and `image`");
        }
        return match (&told.camera, &told.recipe) {
            (Some(camera), None) => Some(Condition::Camera(camera.clone())),
            (_, recipe) => recipe.clone().map(Condition::Recipe),
        };
    }
    let test = one_test(tests, path, findings)?;
    match (told.image, &told.key) {
        (Some(statistic), _) => Some(Condition::Image { statistic, camera: told.camera.clone(), test }),
        (None, Some(key)) => Some(Condition::Sensor { sensor: told.sensor.clone(), key: key.clone(), test }),
        (None, None) => None,
    }
}

/// The one subject of a condition: `camera`, `recipe`, `key` or `image`.
fn subject(told: &file::Condition, path: &Path, findings: &mut Findings<'_>) -> Option<&'static str> {
    let sensor = told.sensor.is_some() || told.key.is_some();
    let camera = told.camera.is_some() && told.image.is_none();
    let candidates =
        [("camera", camera), ("recipe", told.recipe.is_some()), ("key", sensor), ("image", told.image.is_some())];
    let subjects: Vec<&str> = candidates.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
    let wanted = "want one of `camera`, `recipe`, `key` (with or without `sensor`), `image` (with or without `camera`)";
    match subjects.as_slice() {
        ["key"] if told.key.is_none() => {
            findings.missing(&path.then("key"), ", which `sensor` needs");
            None
        }
        [subject] => candidates.iter().map(|(key, _)| *key).find(|key| key == subject),
        [] => {
            if ["camera", "recipe", "sensor", "key", "image"].iter().all(|key| !findings.is_condemned(&path.then(key)))
            {
                let message = format!("{} speaks of nothing", findings.document().describe(path));
                findings.value(path, message, wanted);
            }
            None
        }
        several => {
            let described = findings.document().describe(path);
            let message =
                format!("{described} speaks of {} things: {}", several.len(), listed(several.iter().copied()));
            findings.value(path, message, wanted).help("write one condition for each: `when = [{ ... }, { ... }]`");
            None
        }
    }
}

/// The tests that a condition has, by key.
fn tests(told: &file::Condition) -> Vec<(&'static str, Test)> {
    let tests = [
        ("equals", told.equals.clone().map(Test::Equals)),
        ("not_equals", told.not_equals.clone().map(Test::NotEquals)),
        ("one_of", told.one_of.clone().map(Test::OneOf)),
        ("at_least", told.at_least.map(Test::AtLeast)),
        ("at_most", told.at_most.map(Test::AtMost)),
        ("above", told.above.map(Test::Above)),
        ("below", told.below.map(Test::Below)),
        ("present", told.present.map(Test::Present)),
    ];
    tests.into_iter().filter_map(|(key, test)| Some((key, test?))).collect()
}

const TESTS: [&str; 8] = ["equals", "not_equals", "one_of", "at_least", "at_most", "above", "below", "present"];

fn one_test(mut tests: Vec<(&'static str, Test)>, path: &Path, findings: &mut Findings<'_>) -> Option<Test> {
    if tests.len() == 1 {
        return tests.pop().map(|(_, test)| test);
    }
    if TESTS.iter().any(|key| findings.is_condemned(&path.then(key))) {
        return None;
    }
    let described = findings.document().describe(path);
    if tests.is_empty() {
        let message = format!("{described} has no test");
        findings.value(path, message, format!("want one of {}", listed(TESTS)));
    } else {
        let message = format!("{described} has {} tests: {}", tests.len(), listed(tests.iter().map(|(key, _)| *key)));
        findings
            .value(path, message, "want exactly one test")
            .help("write one condition for each: `when = [{ ... }, { ... }]`");
    }
    None
}
