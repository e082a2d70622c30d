//! The plan: routes, panels and gates, made once from the settings and the passports and never changed.
//!
//! Dispatch picks a route for a part; one walker in infer follows it; inspect reads thresholds and weights from it.
//! Indices in a plan are always valid in that plan: [`Plan::build`] is the only way to make one.

mod build;
pub mod choice;
mod recipes;
pub mod terms;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, Settings};
use crate::fusion::Fusion;
use crate::fusion::adaptive::Adaptive;
use crate::fusion::boxes::Calibration;
use crate::fusion::calibrator::Calibrator;
use crate::fusion::classes::ClassWeights;
use crate::fusion::concatenation::Concatenation;
use crate::fusion::measured::Measured;
use crate::fusion::stacking::Stacking;
use crate::models::fit::reference::Reference;
use crate::models::fit::shelf::Shelved;
use crate::models::passport::Model;
use crate::name::Name;

/// The place of a route in [`Plan::routes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteIndex(usize);

/// The place of a model in [`Plan::models`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelIndex(usize);

impl ModelIndex {
    /// The index as a number, for tables that run beside [`Plan::models`].
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

/// Everything that decides how a part is judged.
#[derive(Debug)]
pub struct Plan {
    /// The names of the rungs, heaviest first; empty where there is no ladder.
    pub rungs: Vec<Name>,
    /// SHA-256 over routes, thresholds and model hashes, in hex: two verdicts with one plan hash were judged alike.
    pub hash: String,
    /// The models, in the order of their names.
    models: Vec<Arc<Model>>,
    /// The routes, in the order in which they are tried.
    routes: Vec<Route>,
}

/// One way a part can go.
#[derive(Debug)]
pub struct Route {
    /// Its name.
    pub name: Name,
    /// Whether only gates lead here; such a route is not tried on its own.
    pub by_gate_only: bool,
    /// All must hold for a part to take this route; an empty list always holds.
    pub when: Vec<config::Condition>,
    /// What waits at its end.
    pub station: Station,
    /// The panels that judge on the rungs below the first, in the order of the ladder; `None` where nobody does.
    pub lighter: Vec<Option<Panel>>,
}

/// What waits at the end of a route.
#[derive(Debug)]
pub enum Station {
    /// A model whose answer picks the next route.
    Gate(Gate),
    /// The models that judge.
    Panel(Panel),
    /// Models that read a text, which becomes a reading of the part; then the routes are tried again.
    Read(Read),
}

/// Models that read a text off a frame.
#[derive(Debug)]
pub struct Read {
    /// The model that finds lines of text; `None` reads the whole frame as one line.
    pub lines: Option<ModelIndex>,
    /// The model that reads a line.
    pub text: ModelIndex,
    /// The camera; the part's first frame when `None`.
    pub camera: Option<Name>,
    /// The sensor under which the text becomes a reading.
    pub sensor: Name,
    /// The key of that reading.
    pub key: String,
    /// The lowest confidence of a line that is believed, 0 to 1.
    pub sure_from: f64,
}

/// A model whose answer picks the next route.
#[derive(Debug)]
pub struct Gate {
    /// The model that is asked.
    pub model: ModelIndex,
    /// The camera whose frame it sees; the part's first frame when `None`.
    pub camera: Option<Name>,
    /// The lowest probability of the most probable label with which the gate decides, 0 to 1.
    pub sure_from: f64,
    /// The next route for each label.
    pub choose: BTreeMap<Name, RouteIndex>,
    /// The next route when the gate is not sure or the label is not listed.
    pub otherwise: Option<RouteIndex>,
}

/// The models that judge, and how their answers become one.
#[derive(Debug)]
pub struct Panel {
    /// The members.
    pub members: Vec<Member>,
    /// How their scores are fused.
    pub fusion: Fusion,
    /// Where the fused score becomes a decision.
    pub thresholds: config::Thresholds,
    /// How long after the capture optional members may answer; `None` waits for all.
    pub deadline: Option<Duration>,
    /// The seats in the order they are asked: those of one list side by side, after all those of the lists before it.
    pub order: Vec<Vec<usize>>,
    /// The fit that was laid over what the config says, if there is one.
    pub fit: Option<Box<Fitted>>,
}

/// What a fit changes of a panel beside the values of its members and its thresholds.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// SHA-256 of the fit's file, in hex.
    pub sha256: String,
    /// The regression that joins the votes of all voting members, in the order of their seats.
    pub stacking: Option<Stacking>,
    /// The regression that joins everything that the members say.
    pub concatenation: Option<Concatenation>,
    /// The weights of each label, where they differ from label to label; else empty.
    pub classes: Vec<ClassWeights>,
    /// The regression that makes the members' values one.
    pub measured: Option<Measured>,
    /// The gate that moves the members' weights with the quality of their pictures.
    pub adaptive: Option<Adaptive>,
    /// Who judges alone where it is sure.
    pub student_first: Option<StudentFirst>,
    /// What the labelled pictures looked like, where the fit tells it.
    pub reference: Option<Arc<Reference>>,
}

/// A student that judges alone where it is sure; elsewhere its teacher judges, alone too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StudentFirst {
    /// The student's seat.
    pub student: usize,
    /// The teacher's seat.
    pub teacher: usize,
    /// Where the student is sure: what its score is held against.
    pub bounds: config::Thresholds,
}

/// One seat of a panel.
#[derive(Debug)]
pub struct Member {
    /// The model on it.
    pub model: ModelIndex,
    /// The camera whose frame it sees; every frame of the part, one vote each, when `None`.
    pub camera: Option<Name>,
    /// Its weight in a weighted mean, above 0.
    pub weight: f64,
    /// What its scores and confidences are worth, before they are fused.
    pub calibration: Calibration,
    /// What a fit puts in the place of `calibration`.
    pub fitted: Option<Calibrator>,
    /// Its labels that other members call by another name: the name here, then theirs.
    pub rename: BTreeMap<Name, Name>,
    /// Whether its answer enters the score.
    pub votes: bool,
    /// Whether the part stays undecided when this member fails.
    pub required: bool,
    /// What its answer is worth beside those of other optional members.
    pub value: f64,
    /// The seat whose boxes it is shown instead of whole frames, and which of them.
    pub crops: Option<(usize, config::Crops)>,
    /// The seat that may be so sure that this one is not asked, and from where on.
    pub unless_sure: Option<(usize, config::UnlessSure)>,
    /// The seats whose findings it is fed with.
    pub fed_by: Vec<usize>,
}

impl Member {
    /// What a score of this member is worth, both 0 to 1.
    #[must_use]
    pub fn calibrated(&self, score: f64) -> f64 {
        self.fitted.as_ref().map_or_else(|| self.calibration.apply(score), |fitted| fitted.apply(score))
    }

    /// The seats that must have answered before this one is asked.
    pub fn after(&self) -> impl Iterator<Item = usize> {
        let crops = self.crops.iter().map(|(seat, _)| *seat);
        let sure = self.unless_sure.iter().map(|(seat, _)| *seat);
        crops.chain(sure).chain(self.fed_by.iter().copied())
    }
}

impl Plan {
    /// Builds the plan from checked settings and their models.
    ///
    /// # Errors
    /// One sentence for each reference that leads nowhere: an unknown model, route or label, a gate that comes back to
    /// itself, a panel without defect labels.
    pub fn build(settings: &Settings, models: &BTreeMap<Name, Arc<Model>>) -> Result<Self, Vec<String>> {
        build::plan(settings, models, &[])
    }

    /// As [`Self::build`], with fits laid over the panels they were made for.
    ///
    /// # Errors
    /// As [`Self::build`], and one sentence for each fit that does not belong: to a route, a rung or models that are not these.
    pub fn fitted(
        settings: &Settings,
        models: &BTreeMap<Name, Arc<Model>>,
        fits: &[Shelved],
    ) -> Result<Self, Vec<String>> {
        build::plan(settings, models, fits)
    }

    /// A plan of `routes` without models, for tests of what happens before any model is asked.
    #[cfg(test)]
    pub(crate) fn without_models(routes: Vec<Route>) -> Self {
        Self { rungs: Vec::new(), hash: String::new(), models: Vec::new(), routes }
    }

    /// The models, in the order of their names.
    #[must_use]
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The model at `index`.
    #[must_use]
    pub fn model(&self, index: ModelIndex) -> &Arc<Model> {
        &self.models[index.0]
    }

    /// The routes with their indices, in the order in which they are tried.
    pub fn routes(&self) -> impl Iterator<Item = (RouteIndex, &Route)> {
        self.routes.iter().enumerate().map(|(index, route)| (RouteIndex(index), route))
    }

    /// The panel that judges at the end of a route on a rung, counted from the heaviest; `None` where nobody judges: it ends
    /// at no panel, or the parts of this route stay undecided on that rung.
    #[must_use]
    pub fn panel(&self, route: RouteIndex, rung: usize) -> Option<&Panel> {
        let route = self.route(route);
        match (&route.station, rung.checked_sub(1)) {
            (Station::Panel(panel), None) => Some(panel),
            (Station::Panel(_), Some(below)) => route.lighter.get(below)?.as_ref(),
            (Station::Gate(_) | Station::Read(_), _) => None,
        }
    }

    /// The route at `index`.
    #[must_use]
    pub fn route(&self, index: RouteIndex) -> &Route {
        &self.routes[index.0]
    }
}
