//! What was found on a board and what it tells now, as a stable form for machines: `kenpin board --json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Board;
use super::readings::Readings;
use super::release::Release;
use super::sensors::Sensors;

/// The schema this build writes. Within a major version keys are only added.
pub const SCHEMA: &str = "kenpin.board/1";

/// One look at a board. What it does not tell is null or absent from its list, never zero.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// The version of this form, `kenpin.board/1`.
    pub schema: String,
    /// When it was read, in UTC.
    #[schemars(with = "String")]
    pub read: jiff::Timestamp,
    /// The board's name, as it stands in the names of prices.
    pub board: String,
    /// What the board tells of itself: its model, else its processor, else the architecture of this build.
    pub told: String,
    /// Whether the figures are made up: the tree is one that `kenpin board fake` wrote.
    pub simulated: bool,
    /// The release of NVIDIA's system; null on other machines.
    pub release: Option<Release>,
    /// The names of the board's power modes, by number; the highest number is not the fastest mode.
    pub power_modes: BTreeMap<u32, String>,
    /// What it tells now.
    pub readings: Readings,
    /// A sentence for each kind of figure that the board does not tell.
    pub missing: Vec<String>,
    /// A sentence for each thing that was odd when the board was looked through: what is left out and why.
    pub notes: Vec<String>,
}

impl Report {
    /// Reads `sensors`, which were found on `board`, at the time `read`.
    #[must_use]
    pub fn read(board: &Board, sensors: &Sensors, read: jiff::Timestamp) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            read,
            board: board.name.to_string(),
            told: board.told.clone(),
            simulated: sensors.is_simulated(),
            release: sensors.release().cloned(),
            power_modes: sensors.power_modes().clone(),
            readings: sensors.read(),
            missing: sensors.missing().to_vec(),
            notes: sensors.notes().to_vec(),
        }
    }
}
