//! The road: part in, verdict out. The types that cross from one stage to the next, and every queue bound with its reason.
//!
//! ```text
//! acquire -----> dispatch -----> infer ------> inspect ------> publish
//! Frame           Part            Walked        Verdict         message
//! Reading         (+ Plan)        (+ Answers)
//! ```
//!
//! A stage may use the types in this file, never another stage. Policy (which tier, how hot) is handed in as orders.

pub mod acquire;
mod asker;
pub mod dispatch;
pub mod embedding;
#[cfg(test)]
pub(crate) mod fakes;
pub mod frames;
mod image;
pub mod infer;
pub mod inspect;
pub mod plan;
pub mod pool;
pub mod publish;
mod receipt;
pub mod retry;
pub mod review;
pub mod statistics;
pub mod vectorised;
pub mod verdict;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Monotonic;
use crate::name::Name;
pub use crate::task::{ClassScore, Findings};
use crate::value::Value;
pub use asker::Asker;
pub use image::{Image, PixelFormat};
use plan::Plan;
pub use receipt::Receipt;

/// Bounds of the queues on the road, each with its reason.
pub mod bound {
    /// Frames between a camera that may wait and dispatch: one ready behind the one in hand; each more is megabytes held.
    pub const FRAMES: usize = 1;
    /// Sensor readings on their way to the joiner: a burst of one line a millisecond for a quarter of a second.
    pub const READINGS: usize = 256;
    /// Parts joined and waiting for a walker, or walked and waiting to be judged: one, so that a slow model holds the cameras
    /// and not the memory.
    pub const PARTS: usize = 1;
    /// Requests waiting at one model's thread: the crops of a part, so that they can be answered in one run.
    pub const REQUESTS: usize = 16;
    /// Verdicts waiting for the journal: one group commit, so that the disk is given whole groups.
    pub const VERDICTS: usize = 64;
    /// Frames waiting to be written as images: beyond it a frame is not kept, and counted.
    pub const IMAGES: usize = 8;
    /// Publications in flight towards the broker; below every broker's default receive maximum.
    pub const PUBLICATIONS: usize = 32;
}

/// The identity of a part within a run: given by the line, or made by the daemon (a `UUIDv7`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PartId(Arc<str>);

/// Why a text cannot identify a part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("part id {seen:?} is refused: want 1 to 128 bytes without control characters")]
pub struct PartIdError {
    /// The text, cut to 160 characters.
    pub seen: String,
}

impl PartId {
    /// The longest part id, in bytes: a long serial number with its lot fits well.
    pub const MAX_BYTES: usize = 128;

    /// Checks `text` and makes it a part id.
    ///
    /// # Errors
    /// [`PartIdError`] when it is empty, longer than [`Self::MAX_BYTES`] or has control characters.
    pub fn new(text: &str) -> Result<Self, PartIdError> {
        if text.is_empty() || text.len() > Self::MAX_BYTES || text.chars().any(char::is_control) {
            return Err(PartIdError { seen: text.chars().take(160).collect() });
        }
        Ok(Self(text.into()))
    }

    /// A new identity for a part the line gave none.
    #[must_use]
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().to_string().into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One picture of one camera. Shared by reference from here to the verdict; nobody writes to it.
#[derive(Debug)]
pub struct Frame {
    /// The camera that took it.
    pub camera: Name,
    /// The camera's own count of frames, from 0.
    pub sequence: u64,
    /// When the picture was taken.
    pub captured: Monotonic,
    /// The part it shows, where the camera or its trigger knows.
    pub part: Option<PartId>,
    /// The picture.
    pub image: Image,
}

/// One line of sensor text, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The sensor it came from.
    pub sensor: Name,
    /// The moment it speaks of on the monotonic clock, the source's delay already taken off.
    pub captured: Monotonic,
    /// The part it names, where it names one.
    pub part: Option<PartId>,
    /// Its values by key. A plain text line has the one key `text`.
    pub values: BTreeMap<String, Value>,
    /// Who sent it and is told what becomes of it, where somebody wants to know.
    pub asker: Option<Asker>,
}

/// What joining found amiss with a part; every note stands in the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// No frame of this camera came within the window.
    MissingFrame {
        /// The camera.
        camera: Name,
    },
    /// No reading of this sensor came within the window.
    MissingReading {
        /// The sensor.
        sensor: Name,
    },
    /// A further frame of a camera that had already given one: the first was kept.
    DuplicateFrame {
        /// The camera.
        camera: Name,
    },
    /// A further reading of a sensor that had already given one: the first was kept.
    DuplicateReading {
        /// The sensor.
        sensor: Name,
    },
    /// What a reading gave as the recipe cannot be a name: the line's recipe was in force.
    UnusableRecipe {
        /// What the reading gave, cut to 80 characters.
        seen: String,
    },
}

/// Everything known of one piece of goods, joined and routed, before any model has seen it.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its identity within the run.
    pub id: PartId,
    /// Whether the line named the part; otherwise the daemon made the id.
    pub id_given: bool,
    /// The recipe in force for it.
    pub recipe: Name,
    /// The earliest capture time among its frames.
    pub captured: Monotonic,
    /// When joining ended.
    pub joined: Monotonic,
    /// Its frames, at most one a camera, in the order of the camera names.
    pub frames: Vec<Arc<Frame>>,
    /// Its readings, at most one a sensor, in the order of the sensor names.
    pub readings: Arc<Vec<Reading>>,
    /// What joining found amiss.
    pub notes: Vec<Note>,
    /// The plan in force when it was routed; it does not change on the way.
    pub plan: Arc<Plan>,
    /// The route it takes; `None` when no route matches.
    pub route: Option<plan::RouteIndex>,
    /// The rung it is judged on, counted from the heaviest; 0 where there is no ladder. It does not change on the way.
    pub rung: usize,
}

/// Where a session really runs, recorded when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Placement {
    /// `onnxruntime` or `tract`.
    pub backend: String,
    /// The version the backend tells of itself.
    pub version: String,
    /// The execution provider the session got: `tensorrt`, `cuda` or `cpu`.
    pub provider: String,
    /// Graph nodes by the provider that ran them, from a profiled warm-up run.
    pub nodes: BTreeMap<String, usize>,
    /// Why this is not what was asked for first, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// Milliseconds one model spent on one frame.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StageTimes {
    /// Waiting for the model's thread.
    pub wait: f64,
    /// From pixels to tensor.
    pub prepare: f64,
    /// Inside the runtime.
    pub run: f64,
    /// From tensors to findings.
    pub decode: f64,
}

/// One model's answer to one frame.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Which model of the plan answered.
    pub model: plan::ModelIndex,
    /// Whose frame it saw; `None` when the part had no frame for it, or the model looks at none.
    pub camera: Option<Name>,
    /// Left, top, right and bottom of what it was shown of the frame, in its pixels; `None` when it was the whole frame.
    pub crop: Option<[f64; 4]>,
    /// What it found, or why there is nothing.
    pub findings: Result<Findings, Unanswered>,
    /// The embedding behind what it found, where its passport names one.
    pub embedding: Option<Vec<f32>>,
    /// Where the time went.
    pub times: StageTimes,
    /// Where the session runs; `None` when the model could not be loaded.
    pub placement: Option<Arc<Placement>>,
}

/// Why a model gave no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Unanswered {
    /// It could not: one sentence on why.
    Failed(String),
    /// It was not asked, because another member of the panel was sure enough.
    NotNeeded {
        /// The model of that member.
        by: Name,
        /// Its score.
        score: f64,
    },
    /// It is shown what another member finds, and that found nothing.
    NothingToLookAt {
        /// The model of that member.
        by: Name,
    },
    /// It is optional and had not answered at the part's deadline.
    Late {
        /// Milliseconds from the capture to the deadline.
        deadline: f64,
    },
}

impl Unanswered {
    /// Whether somebody should look at it: nothing that was wished for goes by without a reason of the plan's own.
    #[must_use]
    pub const fn degrades(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Late { .. })
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::NotNeeded { by, score } => {
                write!(f, "it was not asked: model {by} is sure with a score of {score:.4}")
            }
            Self::NothingToLookAt { by } => write!(f, "it was not asked: model {by} found nothing to look at"),
            Self::Late { deadline } => write!(f, "it had not answered {deadline} ms after the capture"),
        }
    }
}

impl From<String> for Unanswered {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// A part after the models have spoken.
#[derive(Debug)]
pub struct Walked {
    /// The part.
    pub part: Part,
    /// The routes taken, in order: gates first, the judging route last.
    pub path: Vec<plan::RouteIndex>,
    /// Where the walk ended.
    pub end: WalkEnd,
    /// The answers of gates and of models that read text, in the order they were asked.
    pub gates: Vec<Answer>,
    /// The members' answers, in the order of the panel, each member's frames in the order of the cameras.
    pub answers: Vec<MemberAnswer>,
}

/// An answer with the seat it was given from.
#[derive(Debug)]
pub struct MemberAnswer {
    /// The index of the member in the panel.
    pub member: usize,
    /// The answer.
    pub answer: Answer,
}

/// Where a walk ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkEnd {
    /// At a panel, which has answered.
    Judged,
    /// At a route whose parts nobody judges on the part's rung.
    NotOnThisRung,
    /// Nowhere: no route matches the part.
    Unrouted,
    /// At a gate that was not sure enough, or whose answer leads nowhere.
    GateUnsure {
        /// What the gate said, in one sentence.
        why: String,
    },
    /// At a gate that failed.
    GateFailed {
        /// What went wrong, in one sentence.
        why: String,
    },
    /// At a text that could not be read.
    ReadFailed {
        /// What went wrong, in one sentence.
        why: String,
    },
}

/// What the journal says to a part at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// Come in; a triggered part stands in the journal as open.
    Accepted,
    /// This part of this run has its verdict (or is open) already.
    Duplicate,
    /// There is no room for another judgement.
    Refused {
        /// Why, in one sentence.
        why: String,
    },
}

/// The door of the road: asked once for each part before any model sees it.
pub trait Admission: Send + Sync {
    /// Asks whether `part`, whose trigger or earliest picture was at `captured`, may enter; one that was triggered has a `receipt`
    /// and is journalled as open before the answer comes.
    fn admit(&self, part: PartId, captured: Monotonic, receipt: Option<Receipt>) -> BoxFuture<'_, Admitted>;

    /// Tells of a part that goes by unseen: its trigger was refused before the door was asked.
    fn goes_by(&self, part: &PartId, captured: Monotonic);
}

/// One trigger on its way to a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The part to take a picture of, where the trigger names one.
    pub part: Option<PartId>,
    /// When the trigger came.
    pub at: Monotonic,
}
