//! Checks routes: who judges, who picks the way, whether every way can be reached and comes to an end.

mod conditions;
pub(super) mod members;

use std::collections::BTreeMap;

use super::super::document::Path;
use super::super::file;
use super::super::findings::Findings;
use super::super::settings::{Condition, Read, Route, Station};
use super::{ladder, reference, stray};
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
        .map(|(index, condition)| conditions::condition(condition, &table.then("when").then(index), file, findings))
        .collect();
    let station = station(told, table, file, findings);
    let judges = told.members.is_some() && told.gate.is_none() && told.read.is_none();
    let lighter = if judges { ladder::lighter(told, table, file, findings) } else { Some(Vec::new()) };
    let when = when.into_iter().collect::<Option<Vec<_>>>()?;
    let (name, by_gate_only) = (told.name.clone()?, told.by_gate_only);
    Some(Route { name, when, by_gate_only, station: station?, lighter: lighter? })
}

fn station(told: &file::Route, table: &Path, file: &file::File, findings: &mut Findings<'_>) -> Option<Station> {
    let ends = [("gate", told.gate.is_some()), ("read", told.read.is_some()), ("members", told.members.is_some())];
    let ends: Vec<&str> = ends.into_iter().filter_map(|(key, given)| given.then_some(key)).collect();
    if let [first, second, ..] = ends.as_slice() {
        let message = format!("{} has both `{first}` and `{second}`", findings.document().describe(table));
        let wanted = "want one of them: a gate picks the route, `read` reads a text, members judge";
        findings.key(&table.then(*first), message, wanted);
        return None;
    }
    if let [end @ ("gate" | "read")] = ends.as_slice() {
        for key in ["fusion", "reject_from", "pass_below", "deadline_ms", "rungs"] {
            stray(findings, table, key, &format!("a `{end}`"), "a route with `members`");
        }
    }
    match (&told.gate, &told.read, &told.members) {
        (Some(gate), ..) => self::gate(gate, &table.then("gate"), file, findings),
        (None, Some(read), _) => self::read(read, &table.then("read"), file, findings),
        (None, None, Some(members)) => {
            members::panel(&members::Told::of_route(told), members, table, file, findings).map(Station::Panel)
        }
        (None, None, None) => {
            if !findings.is_condemned(&table.then("gate")) && !findings.is_condemned(&table.then("read")) {
                let help =
                    "a route ends at models that judge, `members = [{ model = \"...\" }]`, at a `gate` or at a `read`";
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

fn read(told: &file::Read, table: &Path, file: &file::File, findings: &mut Findings<'_>) -> Option<Station> {
    for (key, model) in [("lines", &told.lines), ("text", &told.text)] {
        if let Some(model) = model {
            reference(findings, &table.then(key), model, "model", file.models.iter().flat_map(BTreeMap::keys));
        }
    }
    looks(None, told.camera.as_ref(), table, file, findings);
    if let Some(sensor) = told.sensor.as_ref().filter(|sensor| file.sensors.contains_key(*sensor)) {
        let path = table.then("sensor");
        let message = format!("{} is \"{sensor}\", which is a sensor already", findings.document().describe(&path));
        findings.value(&path, message, "want a name of its own");
    }
    Some(Station::Read(Read {
        lines: told.lines.clone(),
        text: told.text.clone()?,
        camera: told.camera.clone(),
        sensor: told.sensor.clone()?,
        key: told.key.clone(),
        sure_from: told.sure_from,
    }))
}

/// Checks the names of the model that is asked and of the camera it looks through.
pub(super) fn looks(
    model: Option<&Name>,
    camera: Option<&Name>,
    table: &Path,
    file: &file::File,
    findings: &mut Findings<'_>,
) {
    if let Some(model) = model {
        let known = file.models.iter().flat_map(BTreeMap::keys);
        reference(findings, &table.then("model"), model, "model", known);
    }
    if let Some(camera) = camera {
        let known = file.cameras.iter().flat_map(BTreeMap::keys);
        reference(findings, &table.then("camera"), camera, "camera", known);
    }
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
        let ends = route.read.is_none();
        if ends && route.when.is_empty() && !route.by_gate_only && open.is_none() && !condemned_when(&table, findings) {
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
