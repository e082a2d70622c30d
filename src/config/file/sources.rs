//! The shape of `[sensors]`. One table a sensor, whatever its kind: which keys belong to which kind is checked with the
//! rest, so that a key of another kind can be told as such.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::settings::{Edge, LineFormat};

/// One source of sensor text.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Where its lines come from.
    #[schemars(required)]
    pub kind: Option<SensorKind>,
    /// `file`: the file; `unix-listen`: the socket, relative to systemd's `$RUNTIME_DIRECTORY` where there is one.
    pub path: Option<PathBuf>,
    /// `tcp-listen`: `ip:port` to listen on; `tcp-connect`: `host:port` to connect to.
    pub address: Option<String>,
    /// `mqtt`: the topic at the broker of `[mqtt]`.
    pub topic: Option<String>,
    /// `gpio`: the chip's device.
    pub chip: Option<PathBuf>,
    /// `gpio`: the line's offset on the chip.
    pub line: Option<u32>,
    /// `gpio`: which edges count.
    #[serde(default)]
    pub edge: Edge,
    /// `gpio`: how long after an edge further ones are bounces, counted and not heard.
    #[serde(default = "default::debounce_ms")]
    #[schemars(range(max = 60_000))]
    pub debounce_ms: u64,
    /// How a line is read.
    #[serde(default = "default::format")]
    pub format: LineFormat,
    /// The key that names the part; without it readings are joined by time.
    #[schemars(length(min = 1))]
    pub part_key: Option<String>,
    /// The key that holds the reading's own UTC time (RFC 3339); trusted only while the clock is synchronised.
    #[schemars(length(min = 1))]
    pub time_key: Option<String>,
    /// The longest line; a longer one is counted and dropped.
    #[serde(default = "default::max_line_bytes")]
    #[schemars(range(min = 16, max = 65_536))]
    pub max_line_bytes: usize,
    /// How long after the event the line arrives.
    #[serde(default)]
    #[schemars(range(max = 600_000))]
    pub delay_ms: u64,
    /// Whether a part waits for its reading.
    #[serde(default = "default::yes")]
    pub expected: bool,
    /// The kinds with a way back (a connection, or the response topic of an MQTT 5 message): whether whoever sends a trigger is
    /// told, in a line, what becomes of it: `accepted PART`, and later `missed PART: WHY` where no frame came or no verdict in
    /// time; or `overrun PART: WHY`, `duplicate PART`, `refused PART: WHY` or `garbled: WHY`.
    #[serde(default)]
    pub acknowledge: bool,
}

/// Where sensor text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SensorKind {
    /// A file, read from its start and followed no further.
    File,
    /// Standard input.
    Stdin,
    /// Kenpin listens; any number of senders connect.
    TcpListen,
    /// Kenpin connects, and again after a loss.
    TcpConnect,
    /// Kenpin listens on a Unix socket that its user and group may write to; any number of senders connect.
    UnixListen,
    /// A topic at the broker of `[mqtt]`; each message is one line.
    Mqtt,
    /// The edges of a line of a GPIO chip; each is a reading without values.
    Gpio,
}

impl SensorKind {
    /// The kind as it stands in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Stdin => "stdin",
            Self::TcpListen => "tcp-listen",
            Self::TcpConnect => "tcp-connect",
            Self::UnixListen => "unix-listen",
            Self::Mqtt => "mqtt",
            Self::Gpio => "gpio",
        }
    }
}

/// Defaults of single keys, where a table has keys without one.
mod default {
    use super::LineFormat;

    pub(super) const fn yes() -> bool {
        true
    }

    pub(super) const fn format() -> LineFormat {
        LineFormat::KeyValue
    }

    pub(super) const fn debounce_ms() -> u64 {
        5
    }

    pub(super) const fn max_line_bytes() -> usize {
        4096
    }
}
