//! Builds a plan: every name in the settings becomes an index, or a finding.

mod fits;
mod seats;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Gate, ModelIndex, Plan, Route, RouteIndex, Station};
use crate::config::{self, Settings};
use crate::engines;
use crate::fusion::Over;
use crate::models::catalogue::sha256_of;
use crate::models::fit::shelf::Shelved;
use crate::models::passport::Model;
use crate::name::Name;

/// See [`Plan::fitted`].
pub(super) fn plan(
    settings: &Settings,
    models: &BTreeMap<Name, Arc<Model>>,
    fits: &[Shelved],
) -> Result<Plan, Vec<String>> {
    let mut builder = Builder { settings, models, findings: Vec::new() };
    let mut routes: Vec<Route> = settings.routes.iter().filter_map(|route| builder.route(route)).collect();
    if builder.findings.is_empty() {
        builder.find_cycles(&routes);
        builder.lay(&mut routes, fits);
    }
    builder.findings.extend(engines::profiles::misfits(settings, models));
    if !builder.findings.is_empty() {
        return Err(builder.findings);
    }
    let rungs = settings.ladder.iter().map(|rung| rung.name.clone()).collect();
    Ok(Plan { rungs, hash: hash(settings, models, fits), models: models.values().cloned().collect(), routes })
}

/// Resolves names and collects what it cannot resolve.
struct Builder<'a> {
    settings: &'a Settings,
    models: &'a BTreeMap<Name, Arc<Model>>,
    findings: Vec<String>,
}

impl Builder<'_> {
    fn route(&mut self, told: &config::Route) -> Option<Route> {
        let station = match &told.station {
            config::Station::Gate { model, camera, sure_from, choose, otherwise } => {
                self.check_labels(&told.name, model, choose);
                let choose = choose
                    .iter()
                    .filter_map(|(label, next)| Some((label.clone(), self.route_index(&told.name, next)?)))
                    .collect();
                let otherwise = otherwise.as_ref().and_then(|next| self.route_index(&told.name, next));
                let model = self.model_index(&told.name, model)?;
                Station::Gate(Gate { model, camera: camera.clone(), sure_from: *sure_from, choose, otherwise })
            }
            config::Station::Panel(panel) => Station::Panel(self.panel(&told.name, panel)?),
            config::Station::Read(read) => Station::Read(self.read(&told.name, read)?),
        };
        let lighter = told.lighter.iter().map(|lighter| match lighter {
            config::Lighter::Panel(panel) => self.panel(&told.name, panel).map(Some),
            config::Lighter::Undecided => Some(None),
        });
        let lighter = lighter.collect::<Option<Vec<_>>>()?;
        let (name, when) = (told.name.clone(), told.when.clone());
        Some(Route { name, when, by_gate_only: told.by_gate_only, station, lighter })
    }

    fn model_index(&mut self, route: &Name, model: &Name) -> Option<ModelIndex> {
        let place = self.models.keys().position(|known| known == model);
        if place.is_none() {
            let known = listed(self.models.keys());
            self.findings.push(format!("route {route}: there is no model {model}; the models are {known}"));
        }
        place.map(ModelIndex)
    }

    fn route_index(&mut self, route: &Name, next: &Name) -> Option<RouteIndex> {
        let place = self.settings.routes.iter().position(|known| known.name == *next);
        if place.is_none() {
            let known = listed(self.settings.routes.iter().map(|known| &known.name));
            self.findings.push(format!("route {route}: there is no route {next}; the routes are {known}"));
        }
        place.map(RouteIndex)
    }

    /// A gate may only choose by labels that its model has.
    fn check_labels(&mut self, route: &Name, model: &Name, choose: &BTreeMap<Name, Name>) {
        let Some(model) = self.models.get(model) else { return };
        let labels = &model.passport.labels.names;
        for label in choose.keys().filter(|label| !labels.contains(label)) {
            let known = listed(labels);
            self.findings.push(format!(
                "route {route}: gate {} has no label {label}; its labels are {known}",
                model.passport.name
            ));
        }
    }

    /// Every member must know a defect, and members fused by class must agree on which labels are defects.
    fn check_defects(&mut self, route: &Name, members: &[config::Member], over: Over) {
        let mut meaning: BTreeMap<&Name, (bool, &Name)> = BTreeMap::new();
        for model in members.iter().filter(|member| member.votes).filter_map(|member| self.models.get(&member.model)) {
            let (name, labels) = (&model.passport.name, &model.passport.labels);
            let task = &model.passport.task;
            if !task.judges() {
                self.findings.push(format!(
                    "route {route}: model {name} is for {}, which says nothing of defects: it cannot be a member",
                    task.as_str()
                ));
            } else if task.has_labels() && labels.defects.is_empty() {
                self.findings.push(format!(
                    "route {route}: model {name} has no defect label, so it can be a gate but not a member"
                ));
            }
            for label in &labels.names {
                let defect = labels.defects.contains(label);
                let (known, by) = *meaning.entry(label).or_insert((defect, name));
                if over == Over::Classes && known != defect {
                    self.findings.push(format!(
                        "route {route}: label {label} is a defect for one of {by} and {name} and not for the other"
                    ));
                }
            }
        }
    }

    /// No gate may lead back to itself: each route on a way may be entered once.
    fn find_cycles(&mut self, routes: &[Route]) {
        let mut cleared = BTreeSet::new();
        for start in 0..routes.len() {
            let mut way = vec![start];
            if let Some(cycle) = cycle_from(routes, &mut way, &mut cleared) {
                let names = listed(cycle.iter().filter_map(|&at| routes.get(at)).map(|route| &route.name));
                self.findings.push(format!("the gates of these routes lead in a circle: {names}"));
                return;
            }
        }
    }
}

/// Follows gates depth first; the way that comes back to itself, if there is one. Routes behind which there is none are
/// `cleared` and not followed again.
fn cycle_from(routes: &[Route], way: &mut Vec<usize>, cleared: &mut BTreeSet<usize>) -> Option<Vec<usize>> {
    let here = *way.last()?;
    if let Station::Gate(gate) = &routes.get(here)?.station {
        for next in gate.choose.values().chain(&gate.otherwise) {
            if cleared.contains(&next.0) {
                continue;
            }
            if let Some(start) = way.iter().position(|&at| at == next.0) {
                return Some(way.split_off(start));
            }
            way.push(next.0);
            if let Some(cycle) = cycle_from(routes, way, cleared) {
                return Some(cycle);
            }
            way.pop();
        }
    }
    cleared.insert(here);
    None
}

/// SHA-256 over everything that decides a verdict: routes with their thresholds, the models' hashes, and those of the fits.
fn hash(settings: &Settings, models: &BTreeMap<Name, Arc<Model>>, fits: &[Shelved]) -> String {
    let mut text = format!("{:?}\n{:?}\n", settings.line.recipe, settings.routes);
    for (name, model) in models {
        let _ = writeln!(text, "{name} {:?}", model.passport);
    }
    for Shelved { sha256, .. } in fits {
        let _ = writeln!(text, "{sha256}");
    }
    sha256_of(text.as_bytes())
}

/// Names in a sentence.
fn listed<'n>(names: impl IntoIterator<Item = &'n Name>) -> String {
    let names: Vec<&str> = names.into_iter().map(Name::as_str).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
