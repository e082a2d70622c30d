//! Settings of routes: conditions, gates, panels, and what reads text.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fusion::Fusion;
use crate::fusion::boxes::Calibration;
use crate::name::Name;
use crate::value::Value;

/// One route, as told; names are resolved by [`crate::flow::plan::Plan::build`].
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its name.
    pub name: Name,
    /// All must hold; an empty list always holds.
    pub when: Vec<Condition>,
    /// Whether only gates lead here; such a route is not tried on its own.
    pub by_gate_only: bool,
    /// What waits at its end.
    pub station: Station,
    /// Who judges instead on each rung of the ladder below the first, in the order of the ladder; empty where there is no
    /// ladder, and for a route that does not end at a panel.
    pub lighter: Vec<Lighter>,
}

/// Who judges the parts of a route on a rung below the first.
#[derive(Debug, Clone, PartialEq)]
pub enum Lighter {
    /// These models.
    Panel(Panel),
    /// Nobody: the parts stay undecided.
    Undecided,
}

/// What waits at the end of a route.
#[derive(Debug, Clone, PartialEq)]
pub enum Station {
    /// A model whose answer picks the next route.
    Gate {
        /// The model.
        model: Name,
        /// The camera it looks through; the part's first frame when `None`.
        camera: Option<Name>,
        /// The lowest probability with which it decides, 0 to 1.
        sure_from: f64,
        /// The next route for each label.
        choose: BTreeMap<Name, Name>,
        /// The next route otherwise.
        otherwise: Option<Name>,
    },
    /// The models that judge.
    Panel(Panel),
    /// Models that read a text, which becomes a reading of the part; then the routes are tried again.
    Read(Read),
}

/// The models that judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The members.
    pub members: Vec<Member>,
    /// How their votes are fused.
    pub fusion: Fusion,
    /// Where the fused score becomes a decision.
    pub thresholds: Thresholds,
    /// How long after the capture optional members may answer; `None` waits for all.
    pub deadline: Option<Duration>,
}

/// Models that read a text off a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The model that finds lines of text; `None` reads the whole frame, or the region, as one line.
    pub lines: Option<Name>,
    /// The model that reads a line.
    pub text: Name,
    /// The camera; the part's first frame when `None`.
    pub camera: Option<Name>,
    /// The sensor under which the text becomes a reading.
    pub sensor: Name,
    /// The key of that reading.
    pub key: String,
    /// The lowest confidence of a line that is believed, 0 to 1.
    pub sure_from: f64,
}

/// One seat of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The model on it.
    pub model: Name,
    /// The camera it looks through; every frame of the part when `None`.
    pub camera: Option<Name>,
    /// Its weight in a weighted mean, above 0 and finite.
    pub weight: f64,
    /// What its scores and confidences are worth, before they are fused.
    pub calibration: Calibration,
    /// Its labels that other members call by another name: the name here, then theirs.
    pub rename: BTreeMap<Name, Name>,
    /// Whether its answer enters the score; one that does not only finds or feeds for others.
    pub votes: bool,
    /// Whether the part stays undecided when it fails.
    pub required: bool,
    /// What its answer is worth beside those of other optional members, finite: the least is dropped first.
    pub value: f64,
    /// Whose boxes it is shown instead of whole frames.
    pub crops: Option<Crops>,
    /// Who may be so sure that it is not asked.
    pub unless_sure: Option<UnlessSure>,
}

impl Member {
    /// A required member that votes on whole frames.
    #[must_use]
    pub const fn new(model: Name) -> Self {
        Self {
            model,
            camera: None,
            weight: 1.0,
            calibration: Calibration::IDENTITY,
            rename: BTreeMap::new(),
            votes: true,
            required: true,
            value: 1.0,
            crops: None,
            unless_sure: None,
        }
    }
}

/// Boxes of another member, cut out of its frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Crops {
    /// The model of the member that finds them.
    pub of: Name,
    /// The labels that are meant; all when empty.
    pub labels: Vec<Name>,
    /// How far a box is widened on every side, as a share of its own side, 0 to 1.
    pub margin: f64,
    /// The most boxes of a frame that are shown, the surest first, 1 to 256.
    pub most: usize,
    /// What it means when there is none.
    pub when_none: WhenNone,
}

/// What it means when a member that is shown crops has none to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhenNone {
    /// It does not vote.
    #[default]
    Abstain,
    /// It votes with a score of 0: there is nothing that could be bad.
    Good,
}

/// Another member that may be sure enough.
#[derive(Debug, Clone, PartialEq)]
pub struct UnlessSure {
    /// The model of the other member.
    pub of: Name,
    /// It is sure when its score is below this.
    pub pass_below: f64,
    /// It is sure when its score is at least this.
    pub reject_from: f64,
}

/// Where a fused score, 0 to 1, becomes a decision: reject from `reject_from` on, pass below `pass_below`, undecided between.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Thresholds {
    /// The lowest score that rejects.
    pub reject_from: f64,
    /// Scores below it pass; at most `reject_from`.
    pub pass_below: f64,
}

/// One condition of a route.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The part has a frame of this camera.
    Camera(Name),
    /// The part is made to this recipe.
    Recipe(Name),
    /// A value of a reading passes a test; false when the part has no such value.
    Sensor {
        /// The sensor; any of the part's readings when `None`.
        sensor: Option<Name>,
        /// The key.
        key: String,
        /// The test.
        test: Test,
    },
    /// A statistic of a frame passes a test; false when the part has no such frame.
    Image {
        /// The statistic.
        statistic: Statistic,
        /// Whose frame; the part's first frame when `None`.
        camera: Option<Name>,
        /// The test.
        test: Test,
    },
}

/// A statistic of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// The mean luminance, 0 (black) to 1 (white).
    Brightness,
    /// The variance of the Laplacian of the luminance in 0 to 255 (Pech-Pacheco et al. 2000): low when out of focus.
    Sharpness,
}

/// A test of one value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal: numbers as numbers, everything else as text.
    Equals(Value),
    /// Present and not equal.
    NotEquals(Value),
    /// Equal to one of these.
    OneOf(Vec<Value>),
    /// A number at least this.
    AtLeast(f64),
    /// A number at most this.
    AtMost(f64),
    /// A number above this.
    Above(f64),
    /// A number below this.
    Below(f64),
    /// Present (`true`) or absent (`false`).
    Present(bool),
}
