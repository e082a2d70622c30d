//! Mean average precision of boxes, as COCO has it. Pure.
//!
//! In a picture, the boxes of one label are taken from the surest down, at most [`MOST`]; each takes the labelled box of that
//! label that it overlaps most among those still free, where the overlap (intersection over union) reaches the threshold, and
//! is right; else it is wrong. Over all pictures, again from the surest down, precision is the share of right boxes so far and
//! recall the share of labelled boxes found so far; where a later precision is greater it holds before, too. Average precision
//! is the mean of the precision at the recalls 0, 0.01, ... 1, which is 0 at a recall that is never reached. The mean is taken
//! over the labels that have a labelled box, and over the thresholds 0.50, 0.55, ... 0.95.
//!
//! Equals are taken in the order of the pictures and, in a picture, of the boxes. Of free labelled boxes with the same overlap
//! the last is taken. Oriented boxes are compared by their exact overlap, see [`Outline::iou`].
//!
//! Source: T.-Y. Lin and others, "Microsoft COCO: Common objects in context" (2014), as the package `pycocotools` works it out.

use crate::fusion::boxes::Outline;

/// How many boxes of a label count in a picture: the surest.
pub const MOST: usize = 100;

/// How many thresholds of overlap there are, from 0.50 by 0.05.
pub const THRESHOLDS: usize = 10;

/// The same as a number.
const COUNT: f64 = 10.0;

/// The recalls at which precision is read, 0 to 1 by 0.01.
const RECALLS: u32 = 101;

/// A labelled box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// Where it is, in the unit of the found ones.
    pub outline: Outline,
    /// What it is.
    pub label: usize,
}

/// A box that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Where it is.
    pub outline: Outline,
    /// How sure the finder is, 0 to 1.
    pub confidence: f64,
    /// What it is said to be.
    pub label: usize,
}

/// Average precision, of one label or as the mean of several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Precision {
    /// Where an overlap of 0.5 is enough, 0 to 1.
    pub at_50: f64,
    /// The mean over all thresholds, 0 to 1.
    pub over_all: f64,
}

/// Which of the found boxes are right, at each threshold; kept by label so that the figure of a resample costs no more matching.
#[derive(Debug, Clone, PartialEq)]
pub struct Matches(Vec<OfLabel>);

/// Those of one label.
#[derive(Debug, Clone, PartialEq, Default)]
struct OfLabel {
    /// For each picture that has any, how many labelled boxes.
    truths: Vec<(usize, u32)>,
    /// The found ones, the surest first.
    found: Vec<Matched>,
}

/// One found box.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Matched {
    confidence: f64,
    picture: usize,
    /// Bit n: right at threshold n.
    right: u16,
}

/// The threshold with a number, 0 to 9, in the very bits in which COCO has it.
fn threshold(number: usize) -> f64 {
    let step = (0.95 - 0.5) / 9.0;
    let exact =
        if number + 1 == THRESHOLDS { 0.95 } else { 0.5 + f64::from(u16::try_from(number).unwrap_or(0)) * step };
    f64::min(exact, 1.0 - 1e-10)
}

impl Matches {
    /// Matches what was found to what is labelled, picture by picture.
    #[must_use]
    pub fn of(pictures: &[(&[Truth], &[Found])]) -> Self {
        let labels = pictures.iter().flat_map(|(truths, found)| {
            truths.iter().map(|truth| truth.label).chain(found.iter().map(|found| found.label))
        });
        let mut all = vec![OfLabel::default(); labels.max().map_or(0, |most| most + 1)];
        for (picture, (truths, found)) in pictures.iter().enumerate() {
            for (label, of) in all.iter_mut().enumerate() {
                let truths: Vec<&Outline> =
                    truths.iter().filter(|truth| truth.label == label).map(|truth| &truth.outline).collect();
                let mut found: Vec<&Found> = found.iter().filter(|found| found.label == label).collect();
                found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
                found.truncate(MOST);
                if let Some(count) = u32::try_from(truths.len()).ok().filter(|count| *count > 0) {
                    of.truths.push((picture, count));
                }
                let right = right(&truths, &found);
                let matched = found.iter().zip(right);
                of.found.extend(matched.map(|(found, right)| Matched { confidence: found.confidence, picture, right }));
            }
        }
        for of in &mut all {
            of.found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        }
        Self(all)
    }

    /// How many boxes of a label are labelled.
    #[must_use]
    pub fn truths(&self, label: usize) -> usize {
        self.0.get(label).map_or(0, |of| of.truths.iter().map(|(_, count)| *count as usize).sum())
    }

    /// Average precision of one label, each picture counting as often as `drawn` says; `None` without a labelled box of it.
    #[must_use]
    pub fn of_label(&self, label: usize, drawn: &[u32]) -> Option<Precision> {
        self.0.get(label)?.precision(drawn)
    }

    /// The mean over the labels, each picture counting as often as `drawn` says; `None` without a labelled box.
    #[must_use]
    pub fn mean(&self, drawn: &[u32]) -> Option<Precision> {
        let (mut sum, mut labels) = (Precision { at_50: 0.0, over_all: 0.0 }, 0.0);
        for precision in self.0.iter().filter_map(|of| of.precision(drawn)) {
            sum = Precision { at_50: sum.at_50 + precision.at_50, over_all: sum.over_all + precision.over_all };
            labels += 1.0;
        }
        (labels > 0.0).then(|| Precision { at_50: sum.at_50 / labels, over_all: sum.over_all / labels })
    }
}

/// For each found box, surest first, at which thresholds it is right.
fn right(truths: &[&Outline], found: &[&Found]) -> Vec<u16> {
    let overlaps: Vec<Vec<f64>> =
        found.iter().map(|found| truths.iter().map(|truth| found.outline.iou(truth)).collect()).collect();
    let mut right = vec![0; found.len()];
    for number in 0..THRESHOLDS {
        let mut taken = vec![false; truths.len()];
        for (overlaps, right) in overlaps.iter().zip(&mut right) {
            let (mut most, mut nearest) = (threshold(number), None);
            for (place, &overlap) in overlaps.iter().enumerate() {
                if !taken[place] && overlap >= most {
                    (most, nearest) = (overlap, Some(place));
                }
            }
            if let Some(nearest) = nearest {
                taken[nearest] = true;
                *right |= 1_u16 << number;
            }
        }
    }
    right
}

impl OfLabel {
    fn precision(&self, drawn: &[u32]) -> Option<Precision> {
        let truths: u32 = self.truths.iter().map(|(picture, count)| drawn[*picture] * count).sum();
        if truths == 0 {
            return None;
        }
        // Recall and precision behind each right box, at each threshold.
        let mut curves: [Vec<(f64, f64)>; THRESHOLDS] = Default::default();
        let (mut right, mut all) = ([0_u32; THRESHOLDS], 0_u32);
        for found in &self.found {
            let times = drawn[found.picture];
            if times == 0 {
                continue;
            }
            all += times;
            for (number, (curve, right)) in curves.iter_mut().zip(&mut right).enumerate() {
                if found.right & (1 << number) != 0 {
                    *right += times;
                    curve.push((f64::from(*right) / f64::from(truths), f64::from(*right) / f64::from(all)));
                }
            }
        }
        let by_threshold = curves.map(average);
        let [at_50, ..] = by_threshold;
        Some(Precision { at_50, over_all: by_threshold.iter().sum::<f64>() / COUNT })
    }
}

/// The mean of the precision at the recalls, from recall and precision behind each right box, in turn.
fn average(mut curve: Vec<(f64, f64)>) -> f64 {
    let mut greatest = 0.0;
    for (_, precision) in curve.iter_mut().rev() {
        greatest = f64::max(greatest, *precision);
        *precision = greatest;
    }
    let (mut place, mut sum) = (0, 0.0);
    for number in 0..RECALLS {
        let recall = if number + 1 == RECALLS { 1.0 } else { f64::from(number) * 0.01 };
        while curve.get(place).is_some_and(|(reached, _)| *reached < recall) {
            place += 1;
        }
        sum += curve.get(place).map_or(0.0, |(_, precision)| *precision);
    }
    sum / f64::from(RECALLS)
}

#[cfg(test)]
mod tests;
