//! The verdict on a part: the types only. Inspect reaches it, publish tells it, eval counts it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Thresholds;
use crate::flow::ClassScore;
use crate::flow::plan::ModelIndex;
use crate::name::Name;

/// What is to happen with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The part is good.
    Pass,
    /// The part is defective.
    Reject,
    /// Nobody may say: a person must look.
    Undecided,
}

impl Decision {
    /// The decision as it stands in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Reject => "reject",
            Self::Undecided => "undecided",
        }
    }
}

/// One member's say on one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Vote {
    /// The seat in the panel.
    pub member: usize,
    /// The model on it.
    pub model: ModelIndex,
    /// Whose frame it saw.
    pub camera: Option<Name>,
    /// Its weight in the fusion; 0 when it has no say.
    pub weight: f64,
    /// Its probability of a defect, 0 to 1; `None` when it failed.
    pub score: Option<f64>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Why the verdict is what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The fused score reaches the rejecting threshold.
    ScoreAtOrAbove {
        /// The fused score.
        score: f64,
        /// The threshold.
        reject_from: f64,
    },
    /// The fused score lies below the passing threshold.
    ScoreBelow {
        /// The fused score.
        score: f64,
        /// The threshold.
        pass_below: f64,
    },
    /// The fused score lies between the thresholds.
    ScoreBetween {
        /// The fused score.
        score: f64,
        /// The lower threshold.
        pass_below: f64,
        /// The upper threshold.
        reject_from: f64,
    },
    /// No route matches the part.
    Unrouted,
    /// A gate was not sure enough, or its answer leads nowhere.
    GateUnsure {
        /// What the gate said.
        why: String,
    },
    /// A gate failed.
    GateFailed {
        /// What went wrong.
        why: String,
    },
    /// A member without which there is no judgement failed.
    RequiredMemberFailed {
        /// The model.
        model: Name,
        /// What went wrong.
        why: String,
    },
    /// No member gave a vote.
    NoVotes,
    /// The daemon was stopped between trigger and verdict.
    Interrupted,
}

/// The verdict on one part.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What is to happen.
    pub decision: Decision,
    /// The fused probability of a defect, 0 to 1; `None` when there is none to speak of.
    pub score: Option<f64>,
    /// Why, the deciding reason first.
    pub reasons: Vec<Reason>,
    /// The thresholds of the panel; `None` when no panel was reached.
    pub thresholds: Option<Thresholds>,
    /// The members' votes, in the order of the panel.
    pub votes: Vec<Vote>,
    /// The fused probability of each label, where labels were fused.
    pub fused: Vec<ClassScore>,
}
