//! Checks routes: who judges, who picks the way, whether every way can be reached and comes to an end.

use std::collections::BTreeMap;

use super::super::document::Path;
use super::super::file;
use super::super::findings::{Findings, listed};
use super::super::settings::{Condition, Member, Route, Station, Test, Thresholds};
use super::{reference, stray};
use crate::fusion::{Fusion, Rule};
use crate::name::Name;

/// A way from a gate to a route: from and to as places in the list, and the path of the key that says so.
type Way = (usize, usize, Path);

/// Checks `[[routes]]`; gives those that are whole.
pub(super) fn routes(file: &file::File, findings: &mut Findings<'_>) -> Vec<Route> {
    let told = file.routes.as_deref().unwrap_or_default();
    let mut places: BTreeMap<&Name, usize> = BTreeMap::new();
    let mut routes = Vec::new();
    let mut resolved = true;
    for (index, route) in told.iter().enumerate() {
        let table = Path::of(&["routes"]).then(index);
        if let Some(name) = &route.name
            && places.contains_key(name)
        {
            let message = format!("there are two routes with the name \"{name}\"");
            findings.value(&table.then("name"), message, "want a name of its own");
            resolved = false;
        } else if let Some(name) = &route.name {
            places.insert(name, index);
        }
    }
    let mut ways = Vec::new();
    for (index, route) in told.iter().enumerate() {
        let table = Path::of(&["routes"]).then(index);
        if let Some(gate) = &route.gate {
            let led = leads(gate, index, &table.then("gate"), &places, findings);
            resolved &= led.len() == gate.choose.iter().flatten().count() + gate.otherwise.iter().count();
            ways.extend(led);
        }
        routes.extend(self::route(route, &table, file, findings));
    }
    // While names lead nowhere, what they were meant to reach is not known.
    if resolved {
        reachable(told, &ways, findings);
    }
    ending(told, &ways, findings);
    routes
}

fn route(told: &file::Route, table: &Path, file: &file::File, findings: &mut Findings<'_>) -> Option<Route> {
    let conditions = told.when.iter().enumerate();
    let when: Vec<Option<Condition>> = conditions
        .map(|(index, condition)| self::condition(condition, &table.then("when").then(index), file, findings))
        .collect();
    let station = station(told, table, file, findings);
    let when = when.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Route { name: told.name.clone()?, when, by_gate_only: told.by_gate_only, station: station? })
}

fn station(told: &file::Route, table: &Path, file: &file::File, findings: &mut Findings<'_>) -> Option<Station> {
    match (&told.gate, &told.members) {
        (Some(gate), None) => {
            for key in ["fusion", "reject_from", "pass_below"] {
                stray(findings, table, key, "a `gate`", "a route with `members`");
            }
            self::gate(gate, &table.then("gate"), file, findings)
        }
        (None, Some(members)) => panel(told, members, table, file, findings),
        (Some(_), Some(_)) => {
            let message = format!("{} has both a `gate` and `members`", findings.document().describe(table));
            findings.key(&table.then("gate"), message, "want one of them: a gate picks the route, members judge");
            None
        }
        (None, None) => {
            if !findings.is_condemned(&table.then("gate")) {
                let help = "a route ends at models that judge, `members = [{ model = \"...\" }]`, or at a `gate`";
                findings.missing(&table.then("members"), "").help(help);
            }
            None
        }
    }
}

fn gate(told: &file::Gate, table: &Path, file: &file::File, findings: &mut Findings<'_>) -> Option<Station> {
    looks(told.model.as_ref(), told.camera.as_ref(), table, file, findings);
    Some(Station::Gate {
        model: told.model.clone()?,
        camera: told.camera.clone(),
        sure_from: told.sure_from,
        choose: told.choose.clone()?,
        otherwise: told.otherwise.clone(),
    })
}

fn panel(
    told: &file::Route,
    members: &[file::Member],
    table: &Path,
    file: &file::File,
    findings: &mut Findings<'_>,
) -> Option<Station> {
    let rule = table.then("fusion").then("rule");
    let weighted = told.fusion.rule == Rule::WeightedMean || findings.is_condemned(&rule);
    let mut seats = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let path = table.then("members").then(index);
        looks(member.model.as_ref(), member.camera.as_ref(), &path, file, findings);
        #[expect(clippy::float_cmp, reason = "the default is exactly one")]
        if !weighted && member.weight != 1.0 {
            let weight = path.then("weight");
            let message =
                format!("{} is {}, but no weights are used here", findings.document().describe(&weight), member.weight);
            findings.value(&weight, message, "belongs to `fusion = { rule = \"weighted-mean\" }`");
        }
        seats.push(seat(member));
    }
    let pass_below = told.pass_below.unwrap_or(told.reject_from);
    if pass_below > told.reject_from && !findings.is_condemned(&table.then("reject_from")) {
        let path = table.then("pass_below");
        let message = format!("{} is {pass_below}", findings.document().describe(&path));
        findings
            .value(&path, message, format!("want at most `reject_from`, which is {}", told.reject_from))
            .help("a score between the two is undecided; with this order it would both pass and reject");
    }
    Some(Station::Panel {
        members: seats.into_iter().collect::<Option<Vec<_>>>()?,
        fusion: Fusion { rule: told.fusion.rule, over: told.fusion.over },
        thresholds: Thresholds { reject_from: told.reject_from, pass_below },
    })
}

fn seat(told: &file::Member) -> Option<Member> {
    let (model, camera) = (told.model.clone()?, told.camera.clone());
    Some(Member { model, camera, weight: told.weight, required: told.required })
}

/// Checks the names of the model that is asked and of the camera it looks through.
fn looks(model: Option<&Name>, camera: Option<&Name>, table: &Path, file: &file::File, findings: &mut Findings<'_>) {
    if let Some(model) = model {
        let known = file.models.iter().flat_map(BTreeMap::keys);
        reference(findings, &table.then("model"), model, "model", known);
    }
    if let Some(camera) = camera {
        let known = file.cameras.iter().flat_map(BTreeMap::keys);
        reference(findings, &table.then("camera"), camera, "camera", known);
    }
}

fn condition(told: &file::Condition, path: &Path, file: &file::File, findings: &mut Findings<'_>) -> Option<Condition> {
    looks(None, told.camera.as_ref(), path, file, findings);
    if let Some(sensor) = &told.sensor {
        reference(findings, &path.then("sensor"), sensor, "sensor", file.sensors.keys());
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

/// The ways that lead on from a gate; a name that leads nowhere is told.
fn leads(
    gate: &file::Gate,
    from: usize,
    table: &Path,
    places: &BTreeMap<&Name, usize>,
    findings: &mut Findings<'_>,
) -> Vec<Way> {
    let chosen = gate.choose.iter().flatten().map(|(label, to)| (to, table.then("choose").then(label)));
    let otherwise = gate.otherwise.iter().map(|to| (to, table.then("otherwise")));
    let mut ways = Vec::new();
    for (to, path) in chosen.chain(otherwise) {
        match places.get(to) {
            Some(&place) => ways.push((from, place, path)),
            None => reference(findings, &path, to, "route", places.keys().copied()),
        }
    }
    ways
}

/// Tells routes that no part can ever take.
fn reachable(told: &[file::Route], ways: &[Way], findings: &mut Findings<'_>) {
    let mut open: Option<&Name> = None;
    for (index, route) in told.iter().enumerate() {
        let by_gate = ways.iter().any(|&(_, to, _)| to == index);
        let (Some(name), table) = (&route.name, Path::of(&["routes"]).then(index)) else { continue };
        if route.by_gate_only && !by_gate {
            let message = format!("no gate leads to the route \"{name}\"");
            findings
                .key(&table.then("by_gate_only"), message, "only gates could lead here")
                .help(format!("name \"{name}\" in the `choose` or `otherwise` of a gate, or drop `by_gate_only`"));
        }
        if let (Some(open), false, false) = (open, route.by_gate_only, by_gate) {
            let message = format!("no part comes to the route \"{name}\"");
            findings
                .key(&table, message, format!("\"{open}\" before it takes every part"))
                .help("give the earlier route a `when`, or move it behind the others");
        }
        if route.when.is_empty() && !route.by_gate_only && open.is_none() && !condemned_when(&table, findings) {
            open = Some(name);
        }
    }
}

fn condemned_when(table: &Path, findings: &Findings<'_>) -> bool {
    findings.is_condemned(&table.then("when"))
}

/// Tells gates that lead back to themselves: from every route, ways must end at members.
fn ending(told: &[file::Route], ways: &[Way], findings: &mut Findings<'_>) {
    let mut done = vec![false; told.len()];
    for start in 0..told.len() {
        follow(start, &mut Vec::new(), &mut done, told, ways, findings);
    }
}

/// Walks on from `at`, depth first; `trail` holds the routes that led here. The schema bounds the depth.
fn follow(
    at: usize,
    trail: &mut Vec<usize>,
    done: &mut [bool],
    told: &[file::Route],
    ways: &[Way],
    findings: &mut Findings<'_>,
) {
    if done.get(at).copied().unwrap_or(true) {
        return;
    }
    trail.push(at);
    for (_, to, path) in ways.iter().filter(|(from, _, _)| *from == at) {
        if let Some(start) = trail.iter().position(|passed| passed == to) {
            let circle: Vec<&str> = trail
                .iter()
                .skip(start)
                .chain([to])
                .filter_map(|&index| told.get(index)?.name.as_ref().map(Name::as_str))
                .collect();
            let message =
                format!("{} leads round in a circle: {}", findings.document().describe(path), circle.join(" -> "));
            findings.value(path, message, "want a way that ends at `members`");
        } else {
            follow(*to, trail, done, told, ways, findings);
        }
    }
    trail.pop();
    if let Some(done) = done.get_mut(at) {
        *done = true;
    }
}
