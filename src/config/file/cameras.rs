//! The shape of `[cameras]`. One table a camera, whatever its kind: which keys belong to which kind is checked with the rest,
//! so that a key of another kind can be told as such.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::settings::{JpegScale, Mode, Raw, ReplayPartId};
use crate::name::Name;
use crate::value::Value;

/// One camera.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Where its pictures come from.
    #[schemars(required)]
    pub kind: Option<CameraKind>,
    /// `replay`: a folder of images, or a text file with one path a line.
    pub path: Option<PathBuf>,
    /// `replay`: begin again after the last image.
    #[serde(default)]
    pub repeat: bool,
    /// `replay`: where the part id comes from, where no trigger names one.
    #[serde(default = "default::part_id")]
    pub part_id: ReplayPartId,
    /// `replay` and `pipe`: raw frames of this form and size instead of picture files (of a replay those that end in `.raw`
    /// or `.yuyv`) or JPEG pictures.
    pub raw: Option<Raw>,
    /// JPEG pictures are decoded at this share of their width and height; frames, and boxes in them, are that small.
    #[serde(default)]
    pub jpeg_scale: JpegScale,
    /// `v4l`: the device's file, or a link to it.
    pub device: Option<PathBuf>,
    /// `v4l`: the name of the card, instead of `device`.
    #[schemars(length(min = 1))]
    pub card: Option<String>,
    /// `v4l`: the bus, where several cards have that name.
    #[schemars(length(min = 1))]
    pub bus: Option<String>,
    /// `v4l`: format, size and rate; the device gives exactly this or is refused.
    pub mode: Option<Mode>,
    /// `v4l`: values of controls by name.
    #[serde(default)]
    pub controls: BTreeMap<String, Value>,
    /// `pipe`: the program and its arguments.
    #[schemars(length(min = 1))]
    pub command: Option<Vec<String>>,
    /// `v4l` and `pipe`: without a picture for so long the device is opened, or the command started again. Without it after four
    /// intervals but at least a second, or after five seconds.
    #[schemars(range(min = 100, max = 86_400_000))]
    pub silence_ms: Option<u64>,
    /// When it takes a picture.
    #[serde(default)]
    pub pace: Pace,
    /// `paced`: pictures a second.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0))]
    pub frames_per_second: Option<f64>,
    /// `triggered`: the sensor whose readings trigger.
    pub trigger_sensor: Option<Name>,
    /// `triggered`: how many triggers may wait.
    #[serde(default = "default::trigger_queue")]
    #[schemars(range(min = 1, max = 1024))]
    pub trigger_queue: usize,
    /// Whether a part waits for its frame.
    #[serde(default = "default::yes")]
    pub expected: bool,
    /// How long after the event the picture is stamped.
    #[serde(default)]
    #[schemars(range(max = 600_000))]
    pub delay_ms: u64,
}

/// Where a camera's pictures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CameraKind {
    /// Image files, in order.
    Replay,
    /// A video device of Linux.
    V4l,
    /// The standard output of a command.
    Pipe,
}

impl CameraKind {
    /// The kind as it stands in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::V4l => "v4l",
            Self::Pipe => "pipe",
        }
    }
}

/// When a camera takes a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// Files: as fast as the road takes them, none lost. Live cameras: every picture the device takes, the newest replaces
    /// one that nobody has taken.
    #[default]
    FreeRunning,
    /// At a fixed rate; the newest frame replaces one that nobody has taken.
    Paced,
    /// One picture for each reading of a sensor.
    Triggered,
}

/// Defaults of single keys, where a table has keys without one.
mod default {
    use super::ReplayPartId;

    pub(super) const fn part_id() -> ReplayPartId {
        ReplayPartId::FileStem
    }

    pub(super) const fn trigger_queue() -> usize {
        8
    }

    pub(super) const fn yes() -> bool {
        true
    }
}
