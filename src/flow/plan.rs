//! The plan: routes, panels and gates, made once from the settings and the passports and never changed.
//!
//! Dispatch picks a route for a part; one walker in infer follows it; inspect reads thresholds and weights from it.
//! Indices in a plan are always valid in that plan: [`Plan::build`] is the only way to make one.

mod build;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{self, Settings};
use crate::fusion::Fusion;
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
}

/// What waits at the end of a route.
#[derive(Debug)]
pub enum Station {
    /// A model whose answer picks the next route.
    Gate(Gate),
    /// The models that judge.
    Panel(Panel),
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
    /// Whether the part stays undecided when this member fails.
    pub required: bool,
}

impl Plan {
    /// Builds the plan from checked settings and their models.
    ///
    /// # Errors
    /// One sentence for each reference that leads nowhere: an unknown model, route or label, a gate that comes back to
    /// itself, a panel without defect labels.
    pub fn build(settings: &Settings, models: &BTreeMap<Name, Arc<Model>>) -> Result<Self, Vec<String>> {
        build::plan(settings, models)
    }

    /// A plan of `routes` without models, for tests of what happens before any model is asked.
    #[cfg(test)]
    pub(crate) fn without_models(routes: Vec<Route>) -> Self {
        Self { hash: String::new(), models: Vec::new(), routes }
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

    /// The route at `index`.
    #[must_use]
    pub fn route(&self, index: RouteIndex) -> &Route {
        &self.routes[index.0]
    }
}
