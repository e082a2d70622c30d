//! The settings of cameras: where pictures come from, how their bytes lie, and when they are taken.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::frames::{FrameFormat, YuvEncoding};
use crate::name::Name;
use crate::value::Value;

/// One camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Camera {
    /// Where its pictures come from.
    pub source: CameraSource,
    /// When it takes one.
    pub pace: Pace,
    /// Whether a part waits for its frame.
    pub expected: bool,
    /// Taken off the capture time before joining: how long after the event the picture is stamped.
    pub delay: Duration,
}

impl Camera {
    /// Whether it may be held up until the road has room: files may, what is in front of a lens moves on.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.pace == Pace::FreeRunning && matches!(self.source, CameraSource::Replay(_))
    }

    /// Whether every picture is wanted, in the order in which they were taken; else the first that is finished after it was
    /// asked for.
    #[must_use]
    pub fn every(&self) -> bool {
        self.pace == Pace::FreeRunning
    }

    /// Whether its newest frame replaces one that nobody has taken.
    #[must_use]
    pub fn supersedes(&self) -> bool {
        !self.waits() && !matches!(self.pace, Pace::Triggered { .. })
    }
}

/// Where a camera's pictures come from: a closed set.
#[derive(Debug, Clone, PartialEq)]
pub enum CameraSource {
    /// Image files, in order.
    Replay(Replay),
    /// A video device of Linux.
    V4l(V4l),
    /// The standard output of a command.
    Pipe(Pipe),
}

impl CameraSource {
    /// How large its JPEG pictures are decoded.
    #[must_use]
    pub const fn jpeg_scale(&self) -> JpegScale {
        match self {
            Self::Replay(Replay { jpeg_scale, .. })
            | Self::V4l(V4l { jpeg_scale, .. })
            | Self::Pipe(Pipe { jpeg_scale, .. }) => *jpeg_scale,
        }
    }
}

/// Image files played as a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// A folder of images, or a text file with one path a line (relative to that file).
    pub path: PathBuf,
    /// Whether to begin again after the last; from the second round on, part ids get `#2`, `#3`, ...
    pub repeat: bool,
    /// Where the part id comes from, where no trigger names one.
    pub part_id: ReplayPartId,
    /// What the files hold, where they are raw frames and no pictures.
    pub raw: Option<Raw>,
    /// How large JPEG pictures are decoded.
    pub jpeg_scale: JpegScale,
}

/// A video device, with all that is asked of it. It does exactly this or is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct V4l {
    /// Which device.
    pub device: VideoDevice,
    /// Format, size and rate.
    pub mode: Mode,
    /// Without a picture for so long it is opened again; without it four intervals, but at least a second.
    pub silence: Option<Duration>,
    /// Values of controls by name, as `v4l2-ctl` writes them: `exposure_time_absolute`.
    pub controls: BTreeMap<String, Value>,
    /// How large JPEG pictures are decoded.
    pub jpeg_scale: JpegScale,
}

/// How a video device is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoDevice {
    /// By its file, or a link to it such as those in `/dev/v4l/by-id`.
    Path(PathBuf),
    /// By the name of the card, and the bus where several have that name.
    Card {
        /// The name that the driver tells: `HD Pro Webcam C920`.
        card: String,
        /// Where it is plugged in: `usb-0000:00:14.0-1`.
        bus: Option<String>,
    },
}

/// What a video device is to give.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// How the bytes of a frame lie.
    pub format: FrameFormat,
    /// Width in pixels.
    #[schemars(range(min = 1, max = 32_768))]
    pub width: u32,
    /// Height in pixels.
    #[schemars(range(min = 1, max = 32_768))]
    pub height: u32,
    /// Pictures a second; without it what the device is set to.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0))]
    pub frames_per_second: Option<f64>,
    /// What luminance and colour differences stand for; without it what the driver says.
    pub yuv: Option<YuvEncoding>,
    /// By how many bits samples of more than 8 bits are shifted up; without it to the top of 16 bits.
    #[schemars(range(max = 8))]
    pub sample_shift: Option<u8>,
}

/// A command that writes frames to its standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipe {
    /// The program and its arguments, at least one.
    pub command: Vec<String>,
    /// What it writes: raw frames of this form, or JPEG pictures one after the other.
    pub raw: Option<Raw>,
    /// Without a picture for so long it is started again.
    pub silence: Duration,
    /// How large JPEG pictures are decoded.
    pub jpeg_scale: JpegScale,
}

/// How large a JPEG picture is decoded: a smaller one leaves out the finest frequencies of each block of 8 by 8 pixels (ITU-T
/// T.81) and costs that much less. Both sides are rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum JpegScale {
    /// As it is.
    #[default]
    #[serde(rename = "1/1")]
    Whole,
    /// Half as wide and half as high.
    #[serde(rename = "1/2")]
    Half,
    /// A quarter of each side.
    #[serde(rename = "1/4")]
    Quarter,
    /// An eighth of each side: the mean of each block.
    #[serde(rename = "1/8")]
    Eighth,
}

impl JpegScale {
    /// Pixels of each side that a block of 8 becomes.
    #[must_use]
    pub const fn eighths(self) -> u8 {
        match self {
            Self::Whole => 8,
            Self::Half => 4,
            Self::Quarter => 2,
            Self::Eighth => 1,
        }
    }
}

/// Raw frames, as a camera's driver hands them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// How the bytes of a frame lie.
    pub format: FrameFormat,
    /// Width in pixels.
    #[schemars(range(min = 1, max = 32_768))]
    pub width: u32,
    /// Height in pixels.
    #[schemars(range(min = 1, max = 32_768))]
    pub height: u32,
    /// Bytes from the begin of a line to the next; without it lines follow each other without a gap.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub stride: Option<u32>,
    /// What luminance and colour differences stand for; without it "bt601".
    pub yuv: Option<YuvEncoding>,
    /// By how many bits samples of more than 8 bits are shifted up; without it to the top of 16 bits.
    #[schemars(range(max = 8))]
    pub sample_shift: Option<u8>,
}

impl Raw {
    /// Frames without gaps, as most sources write them.
    #[must_use]
    pub const fn dense(format: FrameFormat, width: u32, height: u32) -> Self {
        Self { format, width, height, stride: None, yuv: None, sample_shift: None }
    }
}

/// Where a replayed frame's part id comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReplayPartId {
    /// The file's name without its extension.
    FileStem,
    /// Nowhere: joined by time.
    None,
}

/// When a camera takes a picture, and what happens when nobody has taken the last one yet.
#[derive(Debug, Clone, PartialEq)]
pub enum Pace {
    /// Files: as fast as the road takes them; the camera waits, no frame is lost. Live cameras: every picture the device
    /// takes; the newest frame replaces one that nobody has taken, and that is counted.
    FreeRunning,
    /// At a fixed rate; the newest frame replaces one that nobody has taken, and that is counted.
    Paced {
        /// Frames per second, above 0 and at most 1,000.
        frames_per_second: f64,
    },
    /// One picture for each reading of a sensor; a trigger beyond the queue is refused, told and counted.
    Triggered {
        /// The sensor whose readings trigger.
        sensor: Name,
        /// How many triggers may wait, 1 to 1,024.
        queue: usize,
    },
}
