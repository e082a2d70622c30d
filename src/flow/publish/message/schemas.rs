//! The JSON Schema of each message, for subscribers.

use schemars::schema_for;

use super::{
    BIRTH, BirthMessage, CHART, COUNTERS, ChartMessage, CountersMessage, DRIFT, DriftMessage, GOLDEN, GOVERNOR,
    GoldenMessage, GovernorMessage, LABEL, LabelMessage, REPLY, ReplyMessage, STATUS, StatusMessage, VERDICT,
    VerdictMessage,
};

/// The JSON Schema of each message, by its name.
#[must_use]
pub fn schemas() -> serde_json::Value {
    serde_json::json!({
        VERDICT: schema_for!(VerdictMessage),
        STATUS: schema_for!(StatusMessage),
        BIRTH: schema_for!(BirthMessage),
        COUNTERS: schema_for!(CountersMessage),
        CHART: schema_for!(ChartMessage),
        DRIFT: schema_for!(DriftMessage),
        GOLDEN: schema_for!(GoldenMessage),
        GOVERNOR: schema_for!(GovernorMessage),
        REPLY: schema_for!(ReplyMessage),
        LABEL: schema_for!(LabelMessage),
    })
}
