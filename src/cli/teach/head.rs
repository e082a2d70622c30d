//! The head that is learned: by which learner, with what scale, how good it is, and as what it goes into a model's file.

use std::path::PathBuf;

use super::examples::Gathered;
use super::{untaught, word};
use crate::learn::interval;
use crate::learn::teach::bank::{self, Threshold};
use crate::learn::teach::held_out::{HeldOut, Way, area, figures, guessed_slope, held_out, slope};
use crate::learn::teach::next::{Doubt, by_bank, by_heads};
use crate::learn::teach::{Learner, Linear, teach};
use crate::models::graph::append::Head;
use crate::models::passport::Model;
use crate::models::taught::{Bank, Class, Embedding, HeldOutEstimate, SCHEMA, Taught};
use crate::name::Name;

/// What is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// The nearest class mean.
    Prototype,
    /// Ridge regression.
    Ridge,
    /// Logistic regression.
    Logistic,
    /// The distance to the nearest of some good examples.
    MemoryBank,
}

impl Kind {
    /// The learner; `None` of a memory bank.
    pub(super) const fn learner(self) -> Option<Learner> {
        match self {
            Self::Prototype => Some(Learner::Prototype),
            Self::Ridge => Some(Learner::Ridge),
            Self::Logistic => Some(Learner::Logistic),
            Self::MemoryBank => None,
        }
    }
}

/// Whether the examples can teach a head at all, by their numbers alone.
///
/// # Errors
/// [`super::Untaught`]: a class without pictures, one class only, a memory bank of one picture.
pub(super) fn check(kind: Kind, classes: &[(Name, Vec<PathBuf>)]) -> anyhow::Result<()> {
    let good = classes.first().map_or(0, |(_, pictures)| pictures.len());
    if kind == Kind::MemoryBank {
        return if good >= 2 {
            Ok(())
        } else {
            let why = "want at least two: one picture does not tell how far good ones lie apart";
            Err(untaught(format!("a memory bank has {good} good examples, {why}")))
        };
    }
    if let Some((name, _)) = classes.iter().find(|(_, pictures)| pictures.is_empty()) {
        return Err(untaught(format!("there is no example of {name}, want at least one of each class")));
    }
    if classes.len() < 2 {
        let why = "want a folder of defective examples too, or --head memory-bank";
        return Err(untaught(format!("there are good examples only, {why}")));
    }
    Ok(())
}

/// What was learned.
pub(super) struct Built {
    learned: Learned,
    /// How good it is on examples that it was not taught.
    estimate: Option<HeldOutEstimate>,
    /// Why that is not known.
    pub(super) no_estimate: Option<String>,
}

/// The head itself.
enum Learned {
    /// A head that tells classes apart, and those of the other learners on the same examples.
    Linear { head: Linear, others: Vec<Linear> },
    /// A memory bank with its threshold.
    Bank { bank: bank::Bank, threshold: Threshold },
}

impl Built {
    /// Learns the head and judges it.
    ///
    /// # Errors
    /// [`super::Untaught`] when the examples do not teach it.
    pub(super) fn learn(kind: Kind, gathered: &Gathered, size: usize) -> anyhow::Result<Self> {
        match kind.learner() {
            Some(learner) => Self::linear(learner, gathered).map_err(untaught),
            None => Self::bank(gathered, size).map_err(untaught),
        }
    }

    fn linear(learner: Learner, gathered: &Gathered) -> Result<Self, String> {
        let examples = &gathered.examples;
        let head = teach(learner, examples)?;
        let others = Learner::ALL.into_iter().filter(|other| *other != learner);
        let others = others.map(|other| teach(other, examples)).collect::<Result<Vec<Linear>, String>>()?;
        if let Some(class) = examples.counts().iter().position(|count| *count < 2) {
            let name = &gathered.classes[class];
            let why = format!("there is one example of {name}, of which none can be held out");
            let scores: Vec<Vec<f64>> = examples.vectors.iter().map(|vector| head.scores(vector)).collect();
            let head = head.scaled(guessed_slope(&scores));
            return Ok(Self { learned: Learned::Linear { head, others }, estimate: None, no_estimate: Some(why) });
        }
        let HeldOut { scores, way } = held_out(learner, examples)?;
        // Chances instead of scores; the answers stay.
        let head = head.scaled(slope(&scores, examples));
        let (estimate, no_estimate) = match figures(&scores, examples, |place| gathered.counts(place)) {
            Ok((balanced_accuracy, auc)) => {
                let examples = (0..scores.len()).filter(|place| gathered.counts(*place)).count();
                (Some(HeldOutEstimate { way: way.as_str().into(), examples, balanced_accuracy, auc }), None)
            }
            Err(why) => (None, Some(format!("of the examples that the embedding model was not trained on, {why}"))),
        };
        Ok(Self { learned: Learned::Linear { head, others }, estimate, no_estimate })
    }

    /// Good examples make the bank; defective ones, where there are some, only tell how good it is.
    fn bank(gathered: &Gathered, size: usize) -> Result<Self, String> {
        let examples = &gathered.examples;
        let good = examples.only(|place| examples.classes[place] == 0).vectors;
        let bank = bank::Bank::of(&good, size)?;
        let threshold = bank.threshold.ok_or("one good example has no threshold, want at least two")?;
        // Good examples stand first.
        let mut distances = bank::left_out(&good, size);
        distances.extend(examples.vectors.iter().skip(good.len()).map(|part| bank.distance(part)));
        let places: Vec<usize> = (0..distances.len()).filter(|place| gathered.counts(*place)).collect();
        let scores: Vec<f64> = places.iter().map(|place| distances[*place]).collect();
        let bad: Vec<bool> = places.iter().map(|place| examples.classes[*place] > 0).collect();
        let told_right = |wanted: bool| {
            let of_kind = scores.iter().zip(&bad).filter(|(_, bad)| **bad == wanted);
            (of_kind.clone().filter(|(score, _)| (**score >= threshold.distance) == wanted).count(), of_kind.count())
        };
        let (estimate, no_estimate) = match area(&scores, &bad) {
            Ok(auc) => {
                let balanced_accuracy = interval::balanced_accuracy(&[told_right(false), told_right(true)]);
                let way = Way::LeaveOneOut.as_str().into();
                (Some(HeldOutEstimate { way, examples: places.len(), balanced_accuracy, auc }), None)
            }
            Err(_) => {
                (None, Some("how well it finds defects shows on defective examples only, and there are none".into()))
            }
        };
        Ok(Self { learned: Learned::Bank { bank, threshold }, estimate, no_estimate })
    }

    /// The parts in the order in which labels of them are worth most.
    pub(super) fn doubts(&self, parts: &[Vec<f64>]) -> Vec<Doubt> {
        match &self.learned {
            Learned::Linear { head, others } => by_heads(head, others, parts),
            Learned::Bank { bank, threshold } => by_bank(bank, threshold.distance, parts),
        }
    }

    /// What a class of [`Built::doubts`] is called.
    pub(super) fn class(&self, class: usize, gathered: &Gathered) -> String {
        match (&self.learned, gathered.classes.get(class)) {
            (Learned::Bank { .. }, _) if class > 0 => "unusual".into(),
            (_, name) => name.map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// The threshold, where it is a memory bank.
    pub(super) const fn threshold(&self) -> Option<f64> {
        match &self.learned {
            Learned::Linear { .. } => None,
            Learned::Bank { threshold, .. } => Some(threshold.distance),
        }
    }

    /// What goes into the model's file.
    pub(super) fn appended(&self) -> Head {
        match &self.learned {
            Learned::Linear { head, .. } => Head::Linear {
                weights: head.weights.iter().map(|row| single(row)).collect(),
                biases: single(&head.biases),
            },
            Learned::Bank { bank, .. } => {
                Head::Nearest { centres: bank.centres.iter().map(|row| single(row)).collect() }
            }
        }
    }

    /// What is written down of it.
    pub(super) fn taught(&self, kind: Kind, embedding: &Model, gathered: &Gathered, number: u32) -> Taught {
        let counts = gathered.examples.counts();
        let class = |(name, examples): (&Name, usize)| Class { name: name.clone(), examples };
        let bank = match &self.learned {
            Learned::Linear { .. } => None,
            Learned::Bank { bank, threshold } => Some(Bank {
                kept: bank.centres.len(),
                radius: bank.radius,
                threshold: threshold.distance,
                expected_false_rejects: threshold.false_rejects,
            }),
        };
        Taught {
            schema: SCHEMA.into(),
            kenpin: env!("CARGO_PKG_VERSION").into(),
            taught: jiff::Timestamp::now(),
            number,
            head: word(kind),
            seen_by_embedding: gathered.seen.as_ref().map(|seen| seen.iter().filter(|is| **is).count()),
            embedding: Embedding {
                model: embedding.passport.name.clone(),
                sha256: embedding.passport.file.sha256.clone(),
            },
            classes: gathered.classes.iter().zip(counts).map(class).collect(),
            bank,
            estimate: self.estimate.clone(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are stored as binary32, as the embedding is")]
fn single(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|number| *number as f32).collect()
}
