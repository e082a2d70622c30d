//! The shape of `[outputs.<name>]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::settings::Answer;

/// What is switched for a part or for the line.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// What is driven.
    #[schemars(required)]
    pub kind: Option<OutputKind>,
    /// `gpio`: the chip's device.
    pub chip: Option<PathBuf>,
    /// `gpio`: the line's offset on the chip.
    pub line: Option<u32>,
    /// `gpio`: whether on is the low level.
    #[serde(default)]
    pub active_low: bool,
    /// `modbus`: `host:port` of a Modbus TCP server.
    pub address: Option<String>,
    /// `modbus`: the unit behind that address.
    #[serde(default = "default::unit")]
    pub unit: u8,
    /// `modbus`: the coil, counted from 0.
    pub coil: Option<u16>,
    /// What it does.
    #[serde(default)]
    pub work: OutputWork,
    /// `pulse`: the answers for which a pulse is given.
    #[serde(default = "default::on")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub on: Vec<Answer>,
    /// `pulse`: from the capture to the pulse.
    #[schemars(range(min = 1, max = 600_000))]
    pub delay_ms: Option<u64>,
    /// `pulse`: how long it lasts.
    #[schemars(range(min = 1, max = 60_000))]
    pub pulse_ms: Option<u64>,
    /// `pulse`: the least time between two pulses; without it those that overlap are one.
    #[schemars(range(min = 1, max = 60_000))]
    pub gap_ms: Option<u64>,
    /// `pulse`: the most parts on their way from the camera to the output.
    #[serde(default = "default::parts")]
    #[schemars(range(min = 1, max = 1024))]
    pub parts: usize,
    /// `heartbeat`: a period, on and off.
    #[serde(default = "default::period_ms")]
    #[schemars(range(min = 20, max = 60_000))]
    pub period_ms: u64,
    /// `heartbeat`: how long the road may be silent, or a part wait for its verdict, before it stops.
    #[serde(default = "default::stall_ms")]
    #[schemars(range(min = 2000, max = 600_000))]
    pub stall_ms: u64,
}

/// What is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutputKind {
    /// A line of a GPIO chip.
    Gpio,
    /// A coil of a Modbus TCP server.
    Modbus,
}

/// What an output does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutputWork {
    /// A pulse for each part with one of certain answers.
    #[default]
    Pulse,
    /// A level that toggles for as long as the line is judged.
    Heartbeat,
}

/// Defaults of single keys, where a table has keys without one.
mod default {
    use super::Answer;

    pub(super) const fn unit() -> u8 {
        1
    }

    /// Whatever is not known to be good.
    pub(super) fn on() -> Vec<Answer> {
        vec![Answer::Reject, Answer::Undecided, Answer::None]
    }

    pub(super) const fn parts() -> usize {
        16
    }

    pub(super) const fn period_ms() -> u64 {
        500
    }

    pub(super) const fn stall_ms() -> u64 {
        5000
    }
}
