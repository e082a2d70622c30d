//! The fit of a panel: what `kenpin fit` learned from labelled parts for one route on one rung, with its evidence.
//!
//! A passport is immutable and holds for a model; a fit holds for a panel of models, which it names by the hashes of their
//! files. It lies in a folder of fits as `<route>.toml`, or `<route>~<rung>.toml` where there is a ladder, and is laid over
//! the route's own values when the plan is built, see [`crate::flow::plan`]. Promises that a reader sees the old fit or the
//! new one, never a part of either, and that the one before can be had back to the last byte, see [`shelf`].

pub mod boxes;
mod evidence;
pub mod reference;
pub mod shelf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::price::MeasuredSet;
use crate::config::Thresholds;
use crate::fusion::Over;
use crate::fusion::adaptive::Adaptive;
use crate::fusion::calibrator::Calibrator;
use crate::fusion::classes::ClassWeights;
use crate::fusion::concatenation::Concatenation;
use crate::fusion::measured::Measured;
use crate::fusion::stacking::Stacking;
use crate::name::Name;
use boxes::FittedBoxes;
pub use evidence::{Control, Evidence, MeasuredEvidence, Paired, Ranked, RankedClass, RankedValue};
use reference::Reference;

/// The schema this build writes and reads.
pub const SCHEMA: &str = "kenpin.fit/1";

/// The folder of the fits inside the state directory.
pub const FOLDER: &str = "fits";

/// What was learned for the panel of one route on one rung.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// The version of this file's form, `kenpin.fit/1`.
    pub schema: String,
    /// The version of Kenpin that fitted.
    pub kenpin: String,
    /// When it was fitted, in UTC.
    #[schemars(with = "String")]
    pub fitted: jiff::Timestamp,
    /// From 1; each fit of a panel has the next number.
    #[schemars(range(min = 1))]
    pub number: u32,
    /// The route.
    pub route: Name,
    /// The rung of the ladder; absent where there is no ladder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<Name>,
    /// What the panel fuses: the members' scores of any defect, or each label by itself.
    #[serde(default, skip_serializing_if = "is_defect")]
    pub over: Over,
    /// How the members' scores become one.
    pub method: Method,
    /// Where that score becomes a decision; of a cascade: the teacher's own score.
    pub thresholds: Thresholds,
    /// What the thresholds were chosen for.
    pub promise: Promise,
    /// The members, in the order of the panel.
    pub members: Vec<FittedMember>,
    /// The regression, with the method `stacking`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacking: Option<Stacking>,
    /// The regression over all that the members say, with the method `concatenation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concatenation: Option<Concatenation>,
    /// The weights for each label, with the method `class-weights`; a member's own weight is then the mean of its weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassWeights>,
    /// The linear regression that makes the members' values one, with the method `regression`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// The gate that moves the members' weights, with the method `adaptive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<Adaptive>,
    /// When the teacher sleeps, with the method `cascade`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<FittedCascade>,
    /// How boxes become one set, with the method `boxes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<FittedBoxes>,
    /// The labelled parts it was fitted to.
    pub labels: MeasuredSet,
    /// How each picture was corrupted beside being taken as it is, such as `blur=2`: simulated. The evidence counts each copy as
    /// a part; thresholds and promise rest on the pictures as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub simulated: Vec<String>,
    /// Where the scores come from: `models` where the panel itself was asked, `journal` where its verdicts were read, else the
    /// file they were read from.
    pub scores: String,
    /// How the labelled parts came to be looked at, where they are verdicts of the line; absent where they were given as a set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<Reviewed>,
    /// What members and ensemble are worth on these parts; with the method `boxes` that stands with the boxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What the labelled pictures looked like, which `[drift]` holds the line against; absent where the models were not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

/// Labelled verdicts of the line, by what was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reviewed {
    /// Rejected parts.
    pub rejects: usize,
    /// Undecided parts.
    pub undecided: usize,
    /// Passed parts that were put up for review at random.
    pub passes: usize,
    /// How many parts that were drawn alike would tell as much: in all figures a part weighs by one over the chance with which
    /// it was put up for review.
    pub effective: f64,
}

/// How scores become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// There is one member only.
    Single,
    /// The mean of the calibrated scores.
    Mean,
    /// Their weighted mean.
    WeightedMean,
    /// The greatest of them.
    Maximum,
    /// A logistic regression over the scores as they are.
    Stacking,
    /// A logistic regression over everything that the members say.
    Concatenation,
    /// The weighted mean of each label, with weights of its own.
    ClassWeights,
    /// The probability that a value lies outside its limits, which a linear regression makes of the members' values.
    Regression,
    /// The mean of the calibrated scores with weights that move with the quality of the picture and the members' own doubt.
    Adaptive,
    /// The student's score where it is sure, else the teacher's.
    Cascade,
    /// The surest box of a defect, after the boxes of all members became one set.
    Boxes,
}

impl Method {
    /// The methods that make the scores of several members one, the plainest first.
    pub const ENSEMBLES: [Self; 4] = [Self::Mean, Self::WeightedMean, Self::Maximum, Self::Stacking];

    /// The methods that make several members one label by label, the plainest first.
    pub const BY_CLASS: [Self; 4] = [Self::Mean, Self::WeightedMean, Self::Maximum, Self::ClassWeights];

    /// All that a command may ask for.
    pub const KNOWN: [Self; 8] = [
        Self::Mean,
        Self::WeightedMean,
        Self::Maximum,
        Self::Stacking,
        Self::Concatenation,
        Self::ClassWeights,
        Self::Regression,
        Self::Adaptive,
    ];

    /// Whether it takes the members as they are, because it says by itself what they are worth.
    #[must_use]
    pub const fn calibrates(self) -> bool {
        matches!(self, Self::Stacking | Self::Concatenation | Self::Regression)
    }

    /// Its name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Mean => "mean",
            Self::WeightedMean => "weighted mean",
            Self::Maximum => "maximum",
            Self::Stacking => "stacking",
            Self::Concatenation => "concatenation",
            Self::ClassWeights => "class weights",
            Self::Regression => "regression",
            Self::Adaptive => "adaptive",
            Self::Cascade => "cascade",
            Self::Boxes => "boxes",
        }
    }
}

/// A member of the panel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FittedMember {
    /// The name in the model's passport.
    pub model: Name,
    /// SHA-256 of the model file: a panel with another one is refused.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Its weight, at least 0; 0 for one that does not vote.
    #[schemars(range(min = 0.0))]
    pub weight: f64,
    /// What its score is worth.
    pub calibrator: Calibrator,
}

/// What thresholds were chosen for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Promise {
    /// That mistakes cost least on the parts that were fitted to.
    Cost {
        /// What an escape costs, in false rejects.
        escape_cost: f64,
    },
    /// Nothing: the thresholds are the config's, for there were too few labelled parts of a kind to choose them.
    AsConfigured,
    /// That at most a share of the defective parts passes.
    EscapeBound {
        /// The share.
        bound: f64,
        /// The confidence over the draw of the calibration parts.
        confidence: f64,
        /// Defective parts that nothing was fitted to, on which it was tested.
        defective: usize,
        /// Those of them that pass.
        escaped: usize,
        /// The share of the calibration parts that stay undecided.
        undecided: f64,
        /// The share of the good calibration parts that are rejected.
        false_rejects: f64,
    },
}

/// When the teacher sleeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FittedCascade {
    /// The seat of the student, from 0.
    pub student: usize,
    /// The seat of the teacher.
    pub teacher: usize,
    /// The student's score, as the model gives it, below which the part passes without the teacher.
    pub pass_below: f64,
    /// The student's score from which the part is rejected without the teacher; 2 where the student never rejects.
    pub reject_from: f64,
    /// The greatest expected cost a part, in false rejects, that the student may add to the teacher's own.
    pub loss_bound: f64,
    /// The confidence over the draw of the calibration parts.
    pub confidence: f64,
    /// The mean cost that it added on them.
    pub added: f64,
    /// The share of them that woke the teacher.
    pub woken: f64,
    /// How many they were.
    pub tested: usize,
}

impl Fit {
    /// What is wrong with the numbers, in one sentence.
    ///
    /// # Errors
    /// The first number that is out of its range, or a part that the method wants and the file lacks.
    pub fn check(&self) -> Result<(), String> {
        let Thresholds { reject_from, pass_below } = self.thresholds;
        let share = |number: f64| (0.0..=1.0).contains(&number);
        if !share(reject_from) || !share(pass_below) || pass_below > reject_from {
            return Err(format!(
                "its thresholds are {pass_below} and {reject_from}, want 0 <= pass_below <= reject_from <= 1"
            ));
        }
        for FittedMember { model, weight, calibrator, .. } in &self.members {
            if !(weight.is_finite() && *weight >= 0.0) {
                return Err(format!("the weight of {model} is {weight}, want a finite number from 0"));
            }
            if !calibrator.is_sound() {
                return Err(format!("the calibrator of {model} is {calibrator:?}, which is none that rises"));
            }
        }
        if self.members.iter().all(|member| member.weight <= 0.0) {
            return Err("no member has a weight above 0".into());
        }
        let (members, voters) = (self.members.len(), self.members.iter().filter(|member| member.weight > 0.0).count());
        let stacks = self.stacking.as_ref().map(|stacking| stacking.is_sound(voters));
        if stacks != (self.method == Method::Stacking).then_some(true) {
            return Err(format!(
                "`stacking` belongs to the method stacking, with a finite weight for each of {voters} voters"
            ));
        }
        let concatenates = self.concatenation.as_ref().map(|head| head.is_sound(members));
        if concatenates != (self.method == Method::Concatenation).then_some(true) {
            return Err(format!(
                "`concatenation` belongs to the method concatenation, with finite terms of {members} members, none twice"
            ));
        }
        let by_class = (!self.classes.is_empty()).then(|| self.classes.iter().all(|class| class.is_sound(members)));
        if by_class != (self.method == Method::ClassWeights).then_some(true) {
            return Err(format!(
                "`classes` belongs to the method class-weights, with a weight for each of {members} members, from 0 with sum 1"
            ));
        }
        let measures = self.measured.as_ref().map(|measured| measured.is_sound(members));
        if measures != (self.method == Method::Regression).then_some(true) {
            return Err(format!(
                "`measured` belongs to the method regression, with limits, a standard error above 0 and a gain for each of {members} \
                 members"
            ));
        }
        let adapts = self.adaptive.as_ref().map(|gate| gate.is_sound(voters));
        if adapts != (self.method == Method::Adaptive).then_some(true) {
            return Err(format!(
                "`adaptive` belongs to the method adaptive, with bounded numbers for each of {voters} voters"
            ));
        }
        let cascades = self.cascade.as_ref().map(|cascade| cascade.is_sound(members) && voters == members);
        if cascades != (self.method == Method::Cascade).then_some(true) {
            return Err(
                "`cascade` belongs to the method cascade: two members, one the student, the other the teacher".into()
            );
        }
        self.check_boxes()?;
        self.check_over()?;
        self.reference.as_ref().map_or(Ok(()), Reference::check)
    }

    /// Whether the method joins what the panel fuses.
    fn check_over(&self) -> Result<(), String> {
        let fits = match self.over {
            Over::Defect => !matches!(self.method, Method::ClassWeights | Method::Boxes),
            Over::Classes => self.method == Method::Single || Method::BY_CLASS.contains(&self.method),
            Over::Boxes => self.method == Method::Boxes,
            Over::Maps => false,
        };
        let method = self.method.as_str();
        if fits { Ok(()) } else { Err(format!("the method {method} is none for a fusion over {:?}", self.over)) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_defect(over: &Over) -> bool {
    *over == Over::Defect
}

impl FittedCascade {
    fn is_sound(&self, members: usize) -> bool {
        let seats = self.student < 2 && self.teacher < 2 && self.student != self.teacher;
        let ordered = self.pass_below >= 0.0 && self.pass_below <= self.reject_from && self.reject_from.is_finite();
        members == 2 && seats && ordered
    }

    /// The bounds of the student's score.
    #[must_use]
    pub const fn bounds(&self) -> Thresholds {
        Thresholds { reject_from: self.reject_from, pass_below: self.pass_below }
    }
}

#[cfg(test)]
pub(crate) mod tests;
