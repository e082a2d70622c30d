//! The shape of `[chart]`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{ChartRate, ChartRule};

/// A control chart of the reject rate while the line runs: a p-chart for each recipe, route and rung, by the fit in force.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Chart {
    /// The parts of a subgroup: enough that five rejects are to be expected.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub parts: usize,
    /// The first so many subgroups give the mean and its limits; nothing is told of the line before they are full.
    #[schemars(range(min = 5, max = 1000))]
    pub baseline: usize,
    /// The rules that raise an alarm. All four together do so by chance about once in 92 subgroups, `beyond-three` alone once in
    /// 370.
    #[schemars(length(min = 1))]
    pub rules: BTreeSet<ChartRule>,
    /// The rates that are watched, each for itself.
    #[schemars(length(min = 1))]
    pub rates: BTreeSet<ChartRate>,
}

impl Default for Chart {
    fn default() -> Self {
        Self { parts: 100, baseline: 25, rules: ChartRule::ALL.into(), rates: [ChartRate::Rejected].into() }
    }
}
