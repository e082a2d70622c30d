//! How the reject rate is watched: `[chart]`, checked, and what a control chart may violate.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[chart]`, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    /// The parts of a subgroup, 2 to 1,000,000.
    pub parts: usize,
    /// The subgroups from whose rate the limits are made, 5 to 1,000.
    pub baseline: usize,
    /// The rules that raise an alarm, at least one.
    pub rules: BTreeSet<ChartRule>,
    /// The rates that are watched, at least one.
    pub rates: BTreeSet<ChartRate>,
}

/// What a subgroup, with those before it, violates: the rules of Western Electric. Beyond always means on one side of the mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChartRule {
    /// One subgroup lies more than three standard errors off.
    BeyondThree,
    /// Two of three in turn lie more than two off, the last of them is one of the two.
    TwoOfThreeBeyondTwo,
    /// Four of five in turn lie more than one off, the last of them is one of the four.
    FourOfFiveBeyondOne,
    /// Eight in turn lie on one side.
    EightOnOneSide,
}

impl ChartRule {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::BeyondThree, Self::TwoOfThreeBeyondTwo, Self::FourOfFiveBeyondOne, Self::EightOnOneSide];

    /// The rule in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeyondThree => "beyond three standard errors",
            Self::TwoOfThreeBeyondTwo => "two of three beyond two standard errors",
            Self::FourOfFiveBeyondOne => "four of five beyond one standard error",
            Self::EightOnOneSide => "eight in turn on one side",
        }
    }
}

/// A share of the judged parts that is charted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChartRate {
    /// The rejected parts; undecided ones count as parts and not as rejects.
    Rejected,
    /// The parts that stay undecided.
    Undecided,
}

impl ChartRate {
    /// Its name in sentences.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Undecided => "undecided",
        }
    }
}
