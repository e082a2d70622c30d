//! The verdict: what inspect concludes and publish tells. Types only; `inspect` makes them, `publish` puts them into words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::ModelIndex;
use super::{ClassScore, Unanswered};
use crate::config::Thresholds;
use crate::fusion::adaptive::{Feature, Quality};
use crate::name::Name;
use crate::task::Quantity;

/// What becomes of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The part is good.
    Pass,
    /// The part has a defect.
    Reject,
    /// Nobody knows: a person should look.
    Undecided,
}

impl Decision {
    /// The decision's name in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Reject => "reject",
            Self::Undecided => "undecided",
        }
    }
}

/// One member's opinion of one frame, as it entered fusion.
#[derive(Debug, Clone, PartialEq)]
pub struct Vote {
    /// The index of the member in the panel.
    pub member: usize,
    /// The model on that seat.
    pub model: ModelIndex,
    /// Whose frame it saw; `None` when the part had no frame for it.
    pub camera: Option<Name>,
    /// What it was shown of the frame, as the answer says: left, top, right and bottom in pixels.
    pub crop: Option<[f64; 4]>,
    /// The member's weight for this part, above 0; 0 for one that gave no score or does not vote.
    pub weight: f64,
    /// The calibrated probability of a defect, 0 to 1; `None` when there is no answer, or one that says nothing of
    /// defects.
    pub score: Option<f64>,
    /// Why there is no score.
    pub missing: Option<Unanswered>,
}

/// A box that several members together found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FusedDetection {
    /// Whose frame it lies in.
    pub camera: Option<Name>,
    /// What it is.
    pub label: Name,
    /// The fused confidence, 0 to 1.
    pub confidence: f64,
    /// Left, top, right and bottom of the upright box around it, in pixels of the frame.
    pub corners: [f64; 4],
    /// The seats of the members whose boxes went into it.
    pub members: Vec<usize>,
}

/// How well a frame was taken, where weights move with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrameQuality {
    /// Whose frame.
    pub camera: Name,
    /// Its quality, as it is.
    #[serde(flatten)]
    pub quality: Quality,
    /// What of it lies beyond what the fit has seen: there the weights are those at the border.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<Feature>,
}

/// What inspect concludes of one part.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What becomes of the part.
    pub decision: Decision,
    /// The fused probability of a defect, 0 to 1; `None` when nothing could be fused.
    pub score: Option<f64>,
    /// Why, at least one.
    pub reasons: Vec<Reason>,
    /// The thresholds the score was held against; `None` when no panel was reached.
    pub thresholds: Option<Thresholds>,
    /// The votes, in the order of the panel.
    pub votes: Vec<Vote>,
    /// How well the frames were taken; empty where no weight hangs on it.
    pub quality: Vec<FrameQuality>,
    /// The fused probability of each label, where fusion works by classes.
    pub fused: Vec<ClassScore>,
    /// The one value of what the members measured, where a fit joins their values.
    pub measured: Option<Quantity>,
    /// The fused boxes, where fusion works by boxes; the surest first, by camera.
    pub detections: Vec<FusedDetection>,
}

/// Why a verdict is what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The fused score rejects.
    ScoreAtOrAbove {
        /// The fused score.
        score: f64,
        /// The lowest score that rejects.
        reject_from: f64,
    },
    /// The fused score passes.
    ScoreBelow {
        /// The fused score.
        score: f64,
        /// Scores below it pass.
        pass_below: f64,
    },
    /// The fused score lies between the thresholds.
    ScoreBetween {
        /// The fused score.
        score: f64,
        /// Scores below it pass.
        pass_below: f64,
        /// The lowest score that rejects.
        reject_from: f64,
    },
    /// The board cannot afford more than this rung, and on it nobody judges parts of this route.
    NotOnThisRung {
        /// The rung.
        rung: Option<Name>,
    },
    /// No route matches the part.
    Unrouted,
    /// A gate was not sure enough, or its answer leads nowhere.
    GateUnsure {
        /// What the gate said, in one sentence.
        why: String,
    },
    /// A gate failed.
    GateFailed {
        /// What went wrong, in one sentence.
        why: String,
    },
    /// A text could not be read.
    ReadFailed {
        /// What went wrong, in one sentence.
        why: String,
    },
    /// A member that must answer did not.
    RequiredMemberFailed {
        /// The model on its seat.
        model: Name,
        /// What went wrong, in one sentence.
        why: String,
    },
    /// The votes could not be fused as the plan says.
    FusionFailed {
        /// What went wrong, in one sentence.
        why: String,
    },
    /// No member gave a score.
    NoVotes,
    /// The daemon was cut off between the trigger and the verdict.
    Interrupted,
}
