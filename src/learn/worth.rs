//! What a model is worth on a labelled set, alone and against the teacher: every figure with its interval. Pure.

use super::bootstrap::estimate;
use super::compare::{delong, mcnemar};
use super::scored::Scored;
use crate::models::price::{Comparison, Estimate, MeasuredSet, Worth};
use crate::name::Name;

/// What models are judged by.
#[derive(Debug, Clone)]
pub struct Yardstick {
    /// The labelled set.
    pub set: MeasuredSet,
    /// For each of its parts whether it is really defective.
    pub defective: Vec<bool>,
    /// The score, 0 to 1, from which a model alone rejects.
    pub reject_from: f64,
    /// The share of good parts, 0 to 1, that may be rejected where escapes are counted.
    pub false_reject_rate: f64,
}

/// The scores of the teacher, part by part.
#[derive(Debug, Clone, Copy)]
pub struct Teacher<'t> {
    /// Its name.
    pub name: &'t Name,
    /// SHA-256 of its model file, 64 lower-case hex digits.
    pub sha256: &'t str,
    /// A score, 0 to 1, for each part of the set.
    pub scores: &'t [f64],
}

impl Yardstick {
    /// Works out what a model with these scores is worth; `teacher` is another one that looked at the same parts.
    ///
    /// # Errors
    /// One sentence: another count of scores than of parts, a score that is no number, or a set without good or without
    /// defective parts.
    pub fn worth(&self, scores: &[f64], teacher: Option<Teacher<'_>>) -> Result<Worth, String> {
        let (scored, from, rate) = (Scored::new(&self.defective, scores)?, self.reject_from, self.false_reject_rate);
        let figure = |figure: &dyn Fn(&[u32]) -> f64| estimate(&self.defective, figure);
        let whole = scored.at_false_reject_rate(&vec![1; scores.len()], rate);
        Ok(Worth {
            set: self.set.clone(),
            reject_from: from,
            accuracy: figure(&|drawn| scored.accuracy(drawn, from)),
            balanced_accuracy: figure(&|drawn| scored.balanced_accuracy(drawn, from)),
            auc: figure(&|drawn| scored.auc(drawn)),
            false_reject_rate: rate,
            reject_above: whole.reject_above,
            escapes: figure(&|drawn| scored.at_false_reject_rate(drawn, rate).escapes),
            against_teacher: teacher.map(|teacher| self.against(&scored, scores, teacher)).transpose()?,
        })
    }

    fn against(&self, scored: &Scored<'_>, scores: &[f64], teacher: Teacher<'_>) -> Result<Comparison, String> {
        let (theirs, from) = (Scored::new(&self.defective, teacher.scores)?, self.reject_from);
        let (right, theirs_right) = (scored.right(from), theirs.right(from));
        let alike: Vec<bool> = right.iter().zip(&theirs_right).map(|(one, other)| one == other).collect();
        let figure = |figure: &dyn Fn(&[u32]) -> f64| -> Estimate { estimate(&self.defective, figure) };
        Ok(Comparison {
            teacher: teacher.name.clone(),
            teacher_sha256: teacher.sha256.to_owned(),
            agreement: figure(&|drawn| share(&alike, drawn)),
            accuracy_difference: figure(&|drawn| scored.accuracy(drawn, from) - theirs.accuracy(drawn, from)),
            auc_difference: figure(&|drawn| scored.auc(drawn) - theirs.auc(drawn)),
            mcnemar: mcnemar(&right, &theirs_right),
            delong: delong(&self.defective, scores, teacher.scores),
        })
    }
}

/// The share of parts, each counting as often as it was drawn, for which something holds.
fn share(holds: &[bool], drawn: &[u32]) -> f64 {
    let all: u32 = drawn.iter().sum();
    let those: u32 = holds.iter().zip(drawn).filter(|(holds, _)| **holds).map(|(_, drawn)| drawn).sum();
    f64::from(those) / f64::from(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yardstick(good: usize, bad: usize) -> Yardstick {
        Yardstick {
            set: MeasuredSet { path: "set".into(), sha256: "0".repeat(64), parts: good + bad, defective: bad },
            defective: [vec![false; good], vec![true; bad]].concat(),
            reject_from: 0.5,
            false_reject_rate: 0.1,
        }
    }

    #[test]
    fn a_model_is_priced_alone_and_against_its_teacher() {
        let yardstick = yardstick(10, 10);
        let teacher = [[0.1; 10], [0.9; 10]].concat();
        let mut student = teacher.clone();
        (student[0], student[10], student[11]) = (0.95, 0.2, 0.3);
        let name = Name::new("teacher").unwrap();
        let told = Teacher { name: &name, sha256: "1", scores: &teacher };
        let worth = yardstick.worth(&student, Some(told)).unwrap();
        let near = |seen: f64, wanted: f64| (seen - wanted).abs() < 1e-12;
        assert!(near(worth.accuracy.value, 0.85) && near(worth.balanced_accuracy.value, 0.85));
        assert_eq!((worth.reject_above, worth.escapes.value), (0.1, 0.0), "one good part of ten may be rejected");
        let against = worth.against_teacher.unwrap();
        assert_eq!((against.agreement.value, against.mcnemar.only_teacher, against.mcnemar.only_model), (0.85, 3, 0));
        assert!((against.accuracy_difference.value + 0.15).abs() < 1e-12);
        // The teacher is never wrong, so each difference is the student's own distance to 1.
        assert!((against.accuracy_difference.low - (worth.accuracy.low - 1.0)).abs() < 1e-12, "the same resamples");
        assert!((against.auc_difference.high - (worth.auc.high - 1.0)).abs() < 1e-12);
        assert!(against.auc_difference.low < against.auc_difference.value);
        assert_eq!(yardstick.worth(&teacher, None).unwrap().against_teacher, None);
    }

    #[test]
    fn a_set_of_one_kind_has_no_worth() {
        let told = yardstick(3, 0).worth(&[0.1; 3], None).unwrap_err();
        assert_eq!(told, "the set has 3 good and 0 defective parts, want some of both");
    }
}
