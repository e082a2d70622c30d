//! The shape of `[[routes]]`: conditions, gates, members, fusion.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::settings::Statistic;
use crate::fusion::{Over, Rule};
use crate::name::Name;
use crate::value::Value;

/// One way a part can go: either `members` judge it, or a `gate` picks the next route.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name.
    #[schemars(required)]
    pub name: Option<Name>,
    /// All must hold for a part to go this way; an empty list always holds.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// Only gates lead here; the route is not tried on its own.
    #[serde(default)]
    pub by_gate_only: bool,
    /// The model whose answer picks the next route.
    pub gate: Option<Gate>,
    /// The models that judge.
    #[schemars(length(min = 1))]
    pub members: Option<Vec<Member>>,
    /// How the members' votes become one score.
    #[serde(default)]
    pub fusion: Fusion,
    /// The lowest score that rejects.
    #[serde(default = "default::half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub reject_from: f64,
    /// Scores below it pass, those between it and `reject_from` are undecided; as `reject_from` where it is left out.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub pass_below: Option<f64>,
}

/// A model whose answer picks the next route.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The model that is asked.
    #[schemars(required)]
    pub model: Option<Name>,
    /// The camera whose frame it sees; without it the part's first frame.
    pub camera: Option<Name>,
    /// The lowest probability with which it decides.
    #[serde(default = "default::half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sure_from: f64,
    /// The next route for each label.
    #[schemars(required, extend("minProperties" = 1))]
    pub choose: Option<BTreeMap<Name, Name>>,
    /// The next route when the gate is not sure, or its label is not in `choose`.
    pub otherwise: Option<Name>,
}

/// One seat of a panel.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The model on it.
    #[schemars(required)]
    pub model: Option<Name>,
    /// The camera whose frame it sees; without it every frame of the part, one vote each.
    pub camera: Option<Name>,
    /// Its weight in a weighted mean.
    #[serde(default = "default::one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub weight: f64,
    /// Whether the part stays undecided when it fails.
    #[serde(default = "default::yes")]
    pub required: bool,
}

/// How the members' votes become one score.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fusion {
    /// The rule that joins the votes.
    pub rule: Rule,
    /// What the rule is applied to.
    pub over: Over,
}

impl Default for Fusion {
    fn default() -> Self {
        Self { rule: Rule::Mean, over: Over::Defect }
    }
}

/// One condition: exactly one subject (`camera`, `recipe`, `key` with or without `sensor`, or `image` with or without
/// `camera`); `key` and `image` with exactly one test.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Alone: the part has a frame of this camera. With `image`: whose frame.
    pub camera: Option<Name>,
    /// The part is made to this recipe.
    pub recipe: Option<Name>,
    /// The sensor whose reading has `key`; without it any of the part's readings.
    pub sensor: Option<Name>,
    /// The key of a reading.
    #[schemars(length(min = 1))]
    pub key: Option<String>,
    /// A statistic of a frame.
    pub image: Option<Statistic>,
    /// Test: equal; numbers as numbers, everything else as text.
    pub equals: Option<Value>,
    /// Test: present and not equal.
    pub not_equals: Option<Value>,
    /// Test: equal to one of these.
    #[schemars(length(min = 1))]
    pub one_of: Option<Vec<Value>>,
    /// Test: a number at least this.
    pub at_least: Option<f64>,
    /// Test: a number at most this.
    pub at_most: Option<f64>,
    /// Test: a number above this.
    pub above: Option<f64>,
    /// Test: a number below this.
    pub below: Option<f64>,
    /// Test: present (`true`) or absent (`false`).
    pub present: Option<bool>,
}

/// Defaults of single keys, where a table has keys without one.
mod default {
    pub(super) const fn yes() -> bool {
        true
    }

    pub(super) const fn half() -> f64 {
        0.5
    }

    pub(super) const fn one() -> f64 {
        1.0
    }
}
