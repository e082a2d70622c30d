//! Scores: which boxes of a head are sure enough to be looked at.
//!
//! Promises that every score is looked at: a NaN anywhere, an infinity, or a number that is no probability where one is
//! promised, is a failure of the model, never "nothing found". (With an objectness or a background, a box that these rule
//! out is not looked at further.) Walks memory in its own order and allocates for what is found, not for what is not.
//! Knows nothing of boxes.

use crate::fusion::boxes::MOST;
use crate::models::passport::Activation;
use crate::models::passport::detection::Background;
use crate::name::Name;
use crate::task::classification::sigmoid;

use super::outputs::Block;

/// How far a probability may lie outside of 0 to 1: rounding in the graph.
const ROUNDING: f32 = 1e-4;

/// Boxes that are looked at together: their flags and maxima stay in the first-level cache.
const TOGETHER: usize = 512;

/// A box that is sure enough, before its numbers are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    /// Its place among the boxes of the head.
    pub(super) place: usize,
    /// The place of its label among the passport's.
    pub(super) label: usize,
    /// How sure the model is, 0 to 1.
    pub(super) confidence: f64,
}

/// The surest boxes; see [`MOST`]. Of boxes that are equally sure, those stay whose place, then whose label is first.
#[derive(Debug, Default)]
pub(super) struct Surest(Vec<Scored>);

impl Surest {
    pub(super) fn push(&mut self, scored: Scored) {
        if self.0.len() >= 2 * MOST {
            self.cut();
        }
        self.0.push(scored);
    }

    /// What is kept, in no order.
    pub(super) fn into_inner(mut self) -> Vec<Scored> {
        self.cut();
        self.0
    }

    fn cut(&mut self) {
        if self.0.len() > MOST {
            self.0.select_nth_unstable_by(MOST, |a, b| {
                b.confidence.total_cmp(&a.confidence).then_with(|| (a.place, a.label).cmp(&(b.place, b.label)))
            });
            self.0.truncate(MOST);
        }
    }
}

/// How the scores of one output are judged.
pub(super) struct Scoring<'a> {
    output: &'a Block<'a>,
    labels: &'a [Name],
    /// The lowest confidence that is kept.
    from: f64,
    /// Whether every label counts rather than the best.
    every: bool,
    /// Below this number of the output no confidence is high enough.
    number_from: f32,
    /// A number of the output that is lower than this is no probability.
    lowest: f32,
}

impl<'a> Scoring<'a> {
    pub(super) fn new(output: &'a Block<'a>, labels: &'a [Name], from: f64, every: bool) -> Self {
        let (number_from, lowest) = match output.activation {
            Activation::None | Activation::Independent => (at_least(from), -ROUNDING),
            // A little lower, since the confidence itself is compared in the end; bounded for 0 and 1.
            Activation::Sigmoid => {
                (at_least(((from / (1.0 - from)).ln() - 1e-3).clamp(-80.0, 30.0)), f32::NEG_INFINITY)
            }
            Activation::Softmax | Activation::UnitLength => (f32::NEG_INFINITY, f32::NEG_INFINITY),
        };
        Self { output, labels, from, every, number_from, lowest }
    }

    /// Reads `planes`, one for each label, of `places` numbers each.
    ///
    /// # Errors
    /// A sentence naming the output, the place and the number.
    pub(super) fn planes(&self, planes: &[f32], places: usize, surest: &mut Surest) -> Result<(), String> {
        for first in (0..places).step_by(TOGETHER) {
            let end = places.min(first + TOGETHER);
            let mut flags = [0_u32; TOGETHER];
            for plane in planes.chunks_exact(places) {
                for (flag, &number) in flags.iter_mut().zip(&plane[first..end]) {
                    *flag |= self.flag(number);
                }
            }
            for (place, _) in (first..end).zip(&flags).filter(|(_, flag)| **flag != 0) {
                self.one(planes.chunks_exact(places).map(|plane| plane[place]), place, 1.0, surest)?;
            }
        }
        Ok(())
    }

    /// 1 for what may be sure enough, and for what is unsound; written so that it becomes two comparisons of a vector.
    #[expect(clippy::neg_cmp_op_on_partial_ord, reason = "a NaN is to be flagged")]
    #[inline]
    fn flag(&self, number: f32) -> u32 {
        u32::from(!(number < self.number_from)) | u32::from(number < self.lowest)
    }

    /// Reads rows of `columns` numbers; the scores begin at column `first`, and the number before them is the
    /// probability of an object where `objectness` says so.
    ///
    /// # Errors
    /// A sentence naming the output, the place and the number.
    pub(super) fn rows(
        &self,
        rows: &[f32],
        columns: usize,
        first: usize,
        objectness: bool,
        surest: &mut Surest,
    ) -> Result<(), String> {
        for (place, row) in rows.chunks_exact(columns.max(1)).enumerate() {
            let scores = &row[first..first + self.labels.len()];
            let mut object = 1.0;
            if objectness {
                if self.flag(row[first - 1]) == 0 {
                    continue;
                }
                object = self.probability(row[first - 1], || format!("the objectness at place {place}"))?;
            } else if scores.iter().fold(0, |flags, &number| flags | self.flag(number)) == 0 {
                continue;
            }
            self.one(scores.iter().copied(), place, object, surest)?;
        }
        Ok(())
    }

    /// Looks at all scores of one box.
    fn one(
        &self,
        scores: impl Iterator<Item = f32>,
        place: usize,
        object: f64,
        surest: &mut Surest,
    ) -> Result<(), String> {
        let mut best = (0, f32::NEG_INFINITY);
        for (label, number) in scores.enumerate() {
            self.sound(number, place, label)?;
            if self.every {
                self.consider(number, place, label, object, surest)?;
            } else if number > best.1 {
                best = (label, number);
            }
        }
        if self.every { Ok(()) } else { self.consider(best.1, place, best.0, object, surest) }
    }

    /// Reads rows of `columns` numbers, a softmax over the classes from column `first` on: the labels and, where there is
    /// one, the class that means "nothing here".
    ///
    /// # Errors
    /// A sentence naming the output, the place and the number.
    pub(super) fn softmax_rows(
        &self,
        rows: &[f32],
        columns: usize,
        first: usize,
        background: Option<Background>,
        surest: &mut Surest,
    ) -> Result<(), String> {
        let skipped = usize::from(background == Some(Background::First));
        let classes = self.labels.len() + usize::from(background.is_some());
        // p >= from needs exp(other - x) <= 1 / from - 1 of every other class.
        let behind = (1.0 / self.from - 1.0).ln().max(-700.0) + 1e-3;
        for (place, row) in rows.chunks_exact(columns.max(1)).enumerate() {
            let all = &row[first..first + classes];
            let labels = &all[skipped..skipped + self.labels.len()];
            for (label, &number) in labels.iter().enumerate() {
                self.sound(number, place, label)?;
            }
            let best = labels.iter().copied().enumerate().fold((0, f32::NEG_INFINITY), |best, (label, number)| {
                if number > best.1 { (label, number) } else { best }
            });
            let nothing = match background {
                Some(Background::First) => all[0],
                Some(Background::Last) => all[classes - 1],
                None => f32::NEG_INFINITY,
            };
            if nothing.is_nan() || nothing == f32::INFINITY {
                let what =
                    format!("the score of the background at place {place} is {nothing}, a finite number is wanted");
                return Err(self.output.told(what));
            }
            if f64::from(nothing) - f64::from(best.1) > behind {
                continue;
            }
            let greatest = f64::from(best.1.max(nothing));
            let sum: f64 = all.iter().map(|&number| (f64::from(number) - greatest).exp()).sum();
            let mut offer = |label: usize, number: f32| {
                let confidence = (f64::from(number) - greatest).exp() / sum;
                if confidence >= self.from {
                    surest.push(Scored { place, label, confidence });
                }
            };
            if self.every {
                labels.iter().enumerate().for_each(|(label, &number)| offer(label, number));
            } else {
                offer(best.0, best.1);
            }
        }
        Ok(())
    }

    /// A score that is neither NaN nor infinite upwards, nor below 0 where a probability is promised.
    fn sound(&self, number: f32, place: usize, label: usize) -> Result<(), String> {
        if number >= self.lowest && number < f32::INFINITY {
            return Ok(());
        }
        let wanted = if self.lowest.is_finite() { "a probability from 0 to 1" } else { "a finite number" };
        Err(self.output.told(format!("{} is {number}, {wanted} is wanted", self.place(place, label))))
    }

    /// The confidence of a box that has one score, where it is high enough.
    ///
    /// # Errors
    /// A sentence naming the output, the place and a number that is no probability.
    pub(super) fn sure(&self, number: f32, place: usize) -> Result<Option<f64>, String> {
        if number < self.number_from {
            return Ok(None);
        }
        let confidence = self.probability(number, || format!("the score at place {place}"))?;
        Ok((confidence >= self.from).then_some(confidence))
    }

    fn place(&self, place: usize, label: usize) -> String {
        let label = self.labels.get(label).map_or("?", Name::as_str);
        format!("the score at place {place} (label {label})")
    }

    /// Keeps a score that is high enough, times the probability of an object.
    fn consider(
        &self,
        number: f32,
        place: usize,
        label: usize,
        object: f64,
        surest: &mut Surest,
    ) -> Result<(), String> {
        if number < self.number_from {
            return Ok(());
        }
        let confidence = object * self.probability(number, || self.place(place, label))?;
        if confidence >= self.from {
            surest.push(Scored { place, label, confidence });
        }
        Ok(())
    }

    /// The probability that a number of the output stands for; `what` names the number in a refusal.
    fn probability(&self, number: f32, what: impl FnOnce() -> String) -> Result<f64, String> {
        let refused = |wanted| Err(self.output.told(format!("{} is {number}, {wanted} is wanted", what())));
        match self.output.activation {
            Activation::Sigmoid if number.is_finite() => Ok(sigmoid(number)),
            Activation::None | Activation::Independent if (-ROUNDING..=1.0 + ROUNDING).contains(&number) => {
                Ok(f64::from(number).clamp(0.0, 1.0))
            }
            Activation::Sigmoid => refused("a finite number"),
            Activation::None | Activation::Independent => refused("a probability from 0 to 1"),
            Activation::Softmax | Activation::UnitLength => refused("\"sigmoid\" or \"none\" as `activation`"),
        }
    }
}

/// The least binary32 number that is not below `number`.
fn at_least(number: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is undone below")]
    let near = number as f32;
    if f64::from(near) < number { near.next_up() } else { near }
}
