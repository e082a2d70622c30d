//! Concatenation: a logistic regression over all numbers that the members give, side by side: the log-odds of every label of a
//! classifier, the values that a regression measures, and of everybody else the log-odds of any defect.
//!
//! Applies one; fitting it is the business of [`crate::learn::concatenate`]. It is linear, so that the parts of a score add up
//! exactly. Promises no answer where a number is missing: there is no regression over fewer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calibrator::{logistic, logit};
use crate::name::Name;
use crate::task::{Findings, classes};

/// logit(score) = intercept + the sum over the terms of weight x (number - neutral).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concatenation {
    /// Finite: the log-odds where every number is neutral.
    pub intercept: f64,
    /// The L2 penalty that cross-validation chose, above 0: on half the squared weights of numbers with the spread 1, against the
    /// sum of the log losses.
    pub penalty: f64,
    /// At least one, none twice.
    pub terms: Vec<Term>,
}

/// One number of one member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// The member's seat, from 0.
    pub seat: usize,
    /// Which of its numbers.
    pub says: Says,
    /// What the number is of a member that knows nothing, finite: 0 of log-odds, of a value the mean over the labelled parts.
    pub neutral: f64,
    /// Finite, of either sign.
    pub weight: f64,
}

/// A number that a member gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// The log-odds of any defect.
    Defect,
    /// The log-odds of one label, by its name in the model's passport.
    Label(Name),
    /// A measured value, by its name in the model's passport.
    Value(Name),
}

impl Says {
    /// The number in what a member said: `score`, 0 to 1, and `findings`; `None` where it is not there.
    #[must_use]
    pub fn read(&self, score: Option<f64>, findings: Option<&Findings>) -> Option<f64> {
        match (self, findings) {
            (Self::Defect, _) => score.map(logit),
            (Self::Label(wanted), Some(findings)) => {
                classes(findings).into_iter().find(|(label, _)| *label == wanted).map(|(_, chance)| logit(chance))
            }
            (Self::Value(wanted), Some(Findings::Regression { values })) => {
                values.iter().find(|quantity| quantity.name == *wanted).map(|quantity| quantity.value)
            }
            (Self::Label(_) | Self::Value(_), _) => None,
        }
    }

    /// It in a sentence.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Defect => "any defect".into(),
            Self::Label(label) => format!("label {label}"),
            Self::Value(value) => format!("value {value}"),
        }
    }
}

impl Concatenation {
    /// Whether the numbers are in their ranges, for a panel of so many members.
    #[must_use]
    pub fn is_sound(&self, members: usize) -> bool {
        let finite =
            |Term { seat, neutral, weight, .. }: &Term| *seat < members && neutral.is_finite() && weight.is_finite();
        let twice = self.terms.iter().enumerate().any(|(place, term)| {
            self.terms.iter().take(place).any(|other| other.seat == term.seat && other.says == term.says)
        });
        let penalised = self.penalty.is_finite() && self.penalty > 0.0;
        self.intercept.is_finite() && penalised && !self.terms.is_empty() && !twice && self.terms.iter().all(finite)
    }

    /// What each term adds to the log-odds, from one number for each; `None` for another count of numbers.
    #[must_use]
    pub fn parts(&self, numbers: &[f64]) -> Option<Vec<f64>> {
        let part = |(Term { neutral, weight, .. }, number): (&Term, &f64)| weight * (number - neutral);
        (numbers.len() == self.terms.len()).then(|| self.terms.iter().zip(numbers).map(part).collect())
    }

    /// The fused score, 0 to 1, from one number for each term; `None` for another count of numbers.
    #[must_use]
    pub fn apply(&self, numbers: &[f64]) -> Option<f64> {
        Some(logistic(self.intercept + self.parts(numbers)?.iter().sum::<f64>()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::task::{ClassScore, Quantity};

    pub(crate) fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn term(seat: usize, says: Says, neutral: f64, weight: f64) -> Term {
        Term { seat, says, neutral, weight }
    }

    #[test]
    fn by_hand() {
        let terms =
            vec![term(0, Says::Label(name("crack")), 0.0, 0.5), term(1, Says::Value(name("width")), 12.0, -2.0)];
        let head = Concatenation { intercept: 1.0, penalty: 10.0, terms };
        // 1 + 0.5 x ln 4 - 2 x 0.5 = ln 2.
        assert!((head.apply(&[4_f64.ln(), 12.5]).unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(head.apply(&[0.0]), None);
        assert!(head.is_sound(2) && !head.is_sound(1));
        let twice = Concatenation { terms: vec![head.terms[0].clone(), head.terms[0].clone()], ..head.clone() };
        let nothing = Concatenation { terms: Vec::new(), ..head.clone() };
        let free = Concatenation { penalty: 0.0, ..head.clone() };
        let wild = Concatenation { intercept: f64::NAN, ..head };
        assert!(![twice, nothing, free, wild].iter().any(|head| head.is_sound(2)));
    }

    #[test]
    fn a_number_is_read_where_it_is_and_nowhere_else() {
        let label = |label, probability| ClassScore { label: name(label), probability };
        let classes = Findings::Classification { classes: vec![label("good", 0.2), label("crack", 0.8)] };
        let values = Findings::Regression { values: vec![Quantity { name: name("width"), value: 3.5, within: None }] };
        let near = |seen: Option<f64>, wanted: f64| assert!((seen.unwrap() - wanted).abs() < 1e-12);
        near(Says::Label(name("crack")).read(None, Some(&classes)), 4_f64.ln());
        near(Says::Value(name("width")).read(None, Some(&values)), 3.5);
        near(Says::Defect.read(Some(0.5), None), 0.0);
        assert_eq!(Says::Label(name("stain")).read(Some(0.5), Some(&classes)), None);
        assert_eq!(Says::Value(name("width")).read(Some(0.5), Some(&classes)), None);
        assert_eq!(Says::Value(name("width")).read(Some(0.5), None), None);
        assert_eq!(Says::Defect.read(None, Some(&classes)), None);
    }
}
