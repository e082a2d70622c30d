//! What is switched for a part or for the line, and the lines whose edges trigger.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The line that is driven.
    pub line: LineAt,
    /// What it does.
    pub work: Work,
}

/// A line: a closed set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineAt {
    /// A line of a GPIO chip.
    Gpio {
        /// The chip's device.
        chip: PathBuf,
        /// The line's offset on it.
        line: u32,
        /// Whether on is the low level.
        active_low: bool,
    },
    /// A coil of a Modbus TCP server.
    Modbus {
        /// `host:port`.
        address: String,
        /// The unit behind it.
        unit: u8,
        /// The coil, counted from 0.
        coil: u16,
    },
}

/// What an output does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// A pulse for each part with one of certain answers.
    Pulse(Pulse),
    /// A level that toggles for as long as the line is judged.
    Heartbeat {
        /// Half a period.
        half: Duration,
        /// How long the road may be silent, or a part wait for its verdict, before it stops.
        stall: Duration,
    },
}

/// For which parts a pulse is given, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// The answers that are pulsed.
    pub on: BTreeSet<Answer>,
    /// From the capture to the pulse.
    pub delay: Duration,
    /// How long it lasts.
    pub pulse: Duration,
    /// The least time between two pulses, of which the later one is put off; `None` makes one of those that overlap.
    pub gap: Option<Duration>,
    /// The most parts that are on their way to the output, those whose pulse has begun among them.
    pub parts: usize,
}

/// What is known of a part when it comes to an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is good.
    Pass,
    /// It has a defect.
    Reject,
    /// Nobody knows.
    Undecided,
    /// It has no verdict yet, or its trigger was refused.
    None,
}

impl Answer {
    /// As it stands in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Reject => "reject",
            Self::Undecided => "undecided",
            Self::None => "none",
        }
    }
}

/// The edges of a GPIO line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpioEdges {
    /// The chip's device.
    pub chip: PathBuf,
    /// The line's offset on it.
    pub line: u32,
    /// Which edges count.
    pub edge: Edge,
    /// How long after an edge further ones are bounces.
    pub debounce: Duration,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// From low to high.
    #[default]
    Rising,
    /// From high to low.
    Falling,
}
