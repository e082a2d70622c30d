//! The shape of `[[routes]]`: conditions, gates, members, fusion.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::settings::{Statistic, WhenNone};
use crate::fusion::boxes::{BoxFusion, Calibration};
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
    /// Models that read a text off a frame, which becomes a reading; then the routes are tried again.
    pub read: Option<Read>,
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
    /// How long after the capture optional members may answer; without it all are waited for.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub deadline_ms: Option<u64>,
    /// Who judges instead on each rung of the governor's ladder below the first.
    #[serde(default)]
    pub rungs: BTreeMap<Name, Rung>,
}

/// Who judges on a rung: `members`, with what belongs to them, or nobody.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// Nobody judges: the parts stay undecided.
    #[serde(default)]
    pub undecided: bool,
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
    /// How long after the capture optional members may answer; without it all are waited for.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub deadline_ms: Option<u64>,
}

/// Models that read a text off a frame.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The model that finds lines of text; without it the whole frame is one line.
    pub lines: Option<Name>,
    /// The model that reads a line.
    #[schemars(required)]
    pub text: Option<Name>,
    /// The camera whose frame is read; without it the part's first frame.
    pub camera: Option<Name>,
    /// The name under which the text becomes a reading, as if a sensor had sent it.
    #[schemars(required)]
    pub sensor: Option<Name>,
    /// The key of that reading.
    #[serde(default = "default::text")]
    #[schemars(length(min = 1))]
    pub key: String,
    /// The lowest confidence of a line that is believed.
    #[serde(default = "default::half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sure_from: f64,
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
    /// What its scores and confidences are worth, before they are fused.
    #[serde(default)]
    pub calibration: Calibration,
    /// Its labels that other members call by another name: the name here, then theirs.
    #[serde(default)]
    pub rename: BTreeMap<Name, Name>,
    /// Whether its answer enters the score; one that does not only finds or feeds for others.
    #[serde(default = "default::yes")]
    pub votes: bool,
    /// Whether the part stays undecided when it fails.
    #[serde(default = "default::yes")]
    pub required: bool,
    /// What its answer is worth beside those of other optional members: the least runs last and is dropped first.
    #[serde(default = "default::one")]
    pub value: f64,
    /// It is shown the boxes of another member instead of whole frames.
    pub crops: Option<Crops>,
    /// It is asked only when another member is not sure.
    pub unless_sure: Option<UnlessSure>,
}

/// Boxes of another member.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crops {
    /// The model of the member that finds them.
    #[schemars(required)]
    pub of: Option<Name>,
    /// The labels that are meant; without it all.
    #[serde(default)]
    pub labels: Vec<Name>,
    /// How far a box is widened on every side, as a share of its own side.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub margin: f64,
    /// The most boxes of a frame that are shown, the surest first.
    #[serde(default = "default::sixteen")]
    #[schemars(range(min = 1, max = 256))]
    pub most: usize,
    /// What it means when there is none.
    #[serde(default)]
    pub when_none: WhenNone,
}

/// Another member that may be sure enough.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlessSure {
    /// The model of the other member.
    #[schemars(required)]
    pub of: Option<Name>,
    /// It is sure when its score is below this.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub pass_below: f64,
    /// It is sure when its score is at least this.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub reject_from: f64,
}

/// How the members' votes become one score.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fusion {
    /// The rule that joins the votes.
    pub rule: Rule,
    /// What the rule is applied to.
    pub over: Over,
    /// With `over = "boxes"`: how boxes that overlap become one.
    pub boxes: Option<BoxFusion>,
}

impl Default for Fusion {
    fn default() -> Self {
        Self { rule: Rule::Mean, over: Over::Defect, boxes: None }
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

    pub(super) const fn sixteen() -> usize {
        16
    }

    pub(super) fn text() -> String {
        "text".to_owned()
    }
}
