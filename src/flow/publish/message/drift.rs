//! What a device tells of how it watches itself: whether its newest parts still look like those that its fits were made with,
//! and what it makes of pictures whose verdict is known.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BirthMessage, DRIFT, GOLDEN};
use crate::flow::verdict::Decision;
use crate::models::fit::reference::Statistic;
use crate::name::Name;

/// Which routes drift, and by what evidence. Retained; told at every connect and whenever a route begins or ends to drift.
/// Absent for a device that nobody told to watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftMessage {
    /// `kenpin.drift/1`.
    pub schema: String,
    /// The device.
    pub device: Name,
    /// The identity of the device's journal.
    pub epoch: Uuid,
    /// Whether any route drifts.
    pub drifting: bool,
    /// The routes that drift now; on each rung of a ladder for itself.
    pub routes: Vec<DriftingRoute>,
}

impl DriftMessage {
    /// What the device that was born with `birth` tells.
    #[must_use]
    pub fn new(birth: &BirthMessage, routes: Vec<DriftingRoute>) -> Self {
        let (schema, device, epoch) = (DRIFT.into(), birth.device.clone(), birth.epoch);
        Self { schema, device, epoch, drifting: !routes.is_empty(), routes }
    }
}

/// A route that drifts, with the look that raised the alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftingRoute {
    /// The route.
    pub route: Name,
    /// The rung of the ladder; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<Name>,
    /// SHA-256 of the fit whose labelled parts are the reference, in hex.
    pub fit: String,
    /// The camera whose frames are watched.
    pub camera: Name,
    /// When the alarm was raised, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// How many of the newest parts were looked at.
    pub window: usize,
    /// How many labelled parts the reference has.
    pub reference_parts: usize,
    /// The corrected p value from which down a statistic differs in this look.
    pub level: f64,
    /// How much further the band of undecided reaches to both sides meanwhile; 0 where it stays.
    pub widened_by: f64,
    /// The statistics that differ.
    pub statistics: Vec<DriftedStatistic>,
    /// The same in one sentence.
    pub told: String,
}

/// A statistic that differs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftedStatistic {
    /// Which.
    pub statistic: Statistic,
    /// The population stability index: from 0.1 on worth a look, from 0.25 on great.
    pub psi: f64,
    /// The distance of Kolmogorov and Smirnov, 0 to 1.
    pub ks: f64,
    /// Its exact p value, corrected by Holm over the statistics of the look.
    pub p: f64,
    /// The median of the parts that were looked at.
    pub median: f64,
    /// The median of the reference.
    pub reference_median: f64,
}

/// What drift changes of one verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drifting {
    /// The statistics that differed when the alarm was raised.
    pub statistics: Vec<Statistic>,
    /// How much further the band of undecided reaches to both sides: `thresholds` are those that are so widened.
    pub widened_by: f64,
}

/// What became of the golden set when it was last judged. Retained; told at every connect and whenever it was judged anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GoldenMessage {
    /// `kenpin.golden/1`.
    pub schema: String,
    /// The device.
    pub device: Name,
    /// The identity of the device's journal.
    pub epoch: Uuid,
    /// What came of it.
    #[serde(flatten)]
    pub judged: GoldenJudged,
}

impl GoldenMessage {
    /// What the device that was born with `birth` tells.
    #[must_use]
    pub fn new(birth: &BirthMessage, judged: GoldenJudged) -> Self {
        Self { schema: GOLDEN.into(), device: birth.device.clone(), epoch: birth.epoch, judged }
    }
}

/// What came of judging the golden set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GoldenJudged {
    /// Whether every picture was judged as expected.
    pub passed: bool,
    /// Why it was judged: `start`, `change` (a reload or a changeover) or `daily`.
    pub cause: String,
    /// When it had been judged, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// The hash of the plan that judged.
    pub plan: String,
    /// How many pictures there are.
    pub pictures: usize,
    /// How many of them were judged otherwise than expected, or could not be judged.
    pub differing: usize,
    /// The first hundred of those.
    pub differences: Vec<GoldenDifference>,
}

/// A picture that was judged otherwise than expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GoldenDifference {
    /// The picture's file.
    pub picture: String,
    /// What was expected.
    pub expected: Decision,
    /// What was seen; null where it could not be read.
    pub seen: Option<Decision>,
    /// The fused score, 0 to 1; null where there is none.
    pub score: Option<f64>,
    /// The first reason of that verdict, or why there is none, in one sentence.
    pub why: String,
}

impl std::fmt::Display for GoldenDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { picture, expected, seen, why, .. } = self;
        let seen = seen.map_or("no verdict", Decision::as_str);
        write!(f, "{picture}: expected {}, seen {seen} ({why})", expected.as_str())
    }
}
