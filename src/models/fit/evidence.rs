//! The evidence in a fit: what members and ensemble are worth on labelled parts, by folds that did not hold the part.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::models::price::{DeLong, Estimate};
use crate::name::Name;

/// What members and ensemble are worth on labelled parts; figures of an ensemble by nested cross-validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// How many parts.
    pub parts: usize,
    /// Those of them that are defective.
    pub defective: usize,
    /// The folds of the outer and of the inner cross-validation.
    pub folds: usize,
    /// Each member by itself, with its score as the model gives it.
    pub members: Vec<Ranked>,
    /// Each method by itself.
    pub methods: Vec<Ranked>,
    /// The whole procedure: in each fold the method that was best on the others.
    pub fused: Ranked,
    /// The best single member against that; absent for a panel of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// Each class by itself, where labels are fused by themselves and both methods were tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<RankedClass>,
    /// How near the values come to what was measured, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<MeasuredEvidence>,
}

/// How sure the fused chance of one label is, for parts of which the class is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RankedClass {
    /// The label.
    pub label: Name,
    /// How many parts are of this class.
    pub parts: usize,
    /// The mean of -ln(chance of what the part is: of this class or not), in nats, with one weight a member.
    pub log_loss: f64,
    /// The same with weights by class.
    pub log_loss_by_class: f64,
}

/// How well one score ranks parts and says how sure it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ranked {
    /// Whose score.
    pub name: String,
    /// The mean of -ln(chance of what the part is), in nats.
    pub log_loss: f64,
    /// Average precision.
    pub average_precision: f64,
    /// The area under the ROC curve, with its 95 % bootstrap interval.
    pub auc: Estimate,
}

/// The best single member, held against the ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The member.
    pub name: String,
    /// Whether the ensemble's area is greater.
    pub beaten: bool,
    /// Whether it is greater with p < 0.05 by DeLong's test.
    pub significant: bool,
    /// The member's area.
    pub auc: Estimate,
    /// The ensemble's area less the member's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delong: Option<DeLong>,
}

/// Members and fused value against what was measured, by folds that did not hold the part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasuredEvidence {
    /// Each member as it says and with gain and offset of its own, then the fused value.
    pub values: Vec<RankedValue>,
    /// The best member with gain and offset of its own.
    pub than: String,
    /// Its squared errors against those of the fused value: above 0 where the fused value is nearer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Paired>,
}

/// How near one value comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RankedValue {
    /// Whose value.
    pub name: String,
    /// The root mean squared error, in the unit of the value.
    pub rmse: f64,
    /// The mean absolute error, in the unit of the value.
    pub mae: f64,
    /// The share of the variance that is explained: 1 less the squared error over that of the mean.
    pub r2: f64,
}

/// Two numbers on the same parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paired {
    /// The mean difference.
    pub difference: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Two-sided.
    pub p: f64,
}
