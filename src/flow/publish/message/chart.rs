//! What a device tells of its control charts: which rates are out of control, and by what evidence.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BirthMessage, CHART};
use crate::config::{ChartRate, ChartRule};
use crate::name::Name;

/// Which rates are out of control, and by what evidence. Retained; told at every connect and whenever an alarm is raised or over.
/// Absent for a device that nobody told to watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChartMessage {
    /// `kenpin.chart/1`.
    pub schema: String,
    /// The device.
    pub device: Name,
    /// The identity of the device's journal.
    pub epoch: Uuid,
    /// Whether no rate is out of control, as far as anybody knows: a chart without a whole baseline says nothing.
    pub in_control: bool,
    /// The alarms that stand: until the command `chart` takes note of them, or until eight subgroups in turn violate no rule.
    pub alarms: Vec<ChartAlarm>,
}

impl ChartMessage {
    /// What the device that was born with `birth` tells.
    #[must_use]
    pub fn new(birth: &BirthMessage, alarms: Vec<ChartAlarm>) -> Self {
        let (schema, device, epoch) = (CHART.into(), birth.device.clone(), birth.epoch);
        Self { schema, device, epoch, in_control: alarms.is_empty(), alarms }
    }
}

/// Whose rate a chart is of: each recipe, route and rung has its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChartPlace {
    /// The recipe that the parts are made by.
    pub recipe: Name,
    /// The route that judges them.
    pub route: Name,
    /// The rung of the ladder; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<Name>,
    /// Which share of the parts.
    pub rate: ChartRate,
}

/// A rate that is out of control, with the subgroup that raised the alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChartAlarm {
    /// Whose rate.
    #[serde(flatten)]
    pub place: ChartPlace,
    /// By what the parts were judged: the SHA-256 of a fit, or the hash of the plan where the route has none.
    pub judged_by: String,
    /// When the last part of the subgroup was judged, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// The rules of Western Electric that the subgroup violates, with those before it.
    pub rules: Vec<ChartRule>,
    /// The sequence number of the first verdict of the subgroup.
    pub first_seq: u64,
    /// That of the last.
    pub last_seq: u64,
    /// The parts of the subgroup.
    pub parts: usize,
    /// Those of them that count: rejected, or undecided.
    pub counted: usize,
    /// Their share, 0 to 1.
    pub share: f64,
    /// The lower limit of that share: the mean less three standard errors, at least 0.
    pub lower: f64,
    /// The upper limit.
    pub upper: f64,
    /// How many standard errors the share lies above the mean.
    pub distance: f64,
    /// From what the limits were made.
    pub baseline: ChartBaseline,
    /// The same in one sentence.
    pub told: String,
}

/// From what the limits of a chart were made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChartBaseline {
    /// Its parts.
    pub parts: usize,
    /// Those of them that count.
    pub counted: usize,
    /// The mean share that the limits lie around, 0 to 1.
    pub mean: f64,
    /// Its own subgroups beyond three standard errors: with any, the line was not in control when the limits were made.
    pub beyond: usize,
}
