//! Fusion: how the opinions of several models become one. Pure; shared by inspect and learn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the members of a panel are fused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fusion {
    /// The rule that joins the votes.
    pub rule: Rule,
    /// What the rule is applied to.
    #[serde(default)]
    pub over: Over,
}

/// The rule that joins votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The arithmetic mean; weights are not used.
    Mean,
    /// The mean weighted by the members' weights.
    WeightedMean,
    /// The greatest vote: one alarmed member is enough.
    Maximum,
}

/// What a rule is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// Each member's probability of any defect.
    #[default]
    Defect,
    /// Each label's probability by itself, labels matched by name; then the defect labels together.
    Classes,
}
