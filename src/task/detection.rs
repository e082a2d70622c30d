//! Detection: the outputs of a detector, of whatever form, become boxes with labels in pixels of the frame.
//!
//! One way for all heads: scores first, boxes only for those that are sure enough, suppression in pixels of the input,
//! then back to the frame, where boxes are cut off at its edges. A box without area, inverted or outside of the frame, is
//! none. Promises that the answer is bounded and finite; a model that answers NaN or infinity, or a confidence that is no
//! probability, has failed. Pure.
//!
//! **Thresholds.** A box is kept from `confidence_from` on (the references of the families keep what is above it: they
//! differ at the very number only). It is suppressed by an overlap above `overlap_up_to`. **Bound.** The best 10,000
//! candidates (3,000 oriented ones) enter suppression; see [`crate::fusion::boxes`]. **Order.** See [`Detected`].

mod boxes;
mod dense;
mod distribution;
mod keep;
mod masks;
mod outputs;
mod probiou;
pub(crate) mod rows;
mod scores;

use crate::fusion::boxes::{Outline, Shape};
use crate::models::passport::detection::{Detection, Head};
use crate::models::passport::{Activation, Input, Passport};
use crate::name::Name;
use crate::task::geometry::Geometry;
use crate::task::{Detected, Findings};
use crate::tensor::Tensor;
use outputs::{Block, Outputs};
use scores::{Scored, Scoring, Surest};

/// What the reading of one answer needs to know.
struct Look<'a> {
    task: &'a Detection,
    labels: &'a [Name],
    inputs: &'a [Input],
    outputs: Outputs<'a>,
    geometry: &'a Geometry,
}

/// A box that is sure enough, in pixels of the image input.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Its place among the boxes of the head.
    place: usize,
    /// The place of its label among the passport's.
    label: usize,
    confidence: f64,
    /// An outline with an area.
    shape: Shape,
}

impl Found {
    fn new(scored: Scored, shape: Shape) -> Self {
        Self { place: scored.place, label: scored.label, confidence: scored.confidence, shape }
    }
}

/// Reads the outputs of a detector, in the order of its passport. `geometry` leads from its image input to the frame.
///
/// # Errors
/// One sentence naming the output, the place and what is wrong with it: a shape that does not fit the labels, a number
/// that is not finite or no probability, a label that does not exist.
pub fn decode(
    passport: &Passport,
    task: &Detection,
    outputs: &[Tensor],
    geometry: &Geometry,
) -> Result<Findings, String> {
    let outputs = Outputs::new(passport, outputs);
    let look = Look { task, labels: &passport.labels.names, inputs: &passport.inputs, outputs, geometry };
    let found = match &task.head {
        Head::Yolov5 => dense::rows(&look),
        Head::Yolov8 => dense::planes(false, &look),
        Head::Yolov8Obb => dense::planes(true, &look),
        Head::EndToEnd => rows::end_to_end(&look),
        Head::BoxesScores(head) => dense::apart(head, &look),
        Head::BoxesLabelsScores(head) => rows::read_apart(head, &look),
        Head::Rows(head) => rows::read(head, &look),
        Head::Distribution(head) => distribution::read(head, &look),
    }?;
    let masks = masks::Reader::new(&look)?;
    let mut detections = Vec::new();
    for found in keep::keep(found, task)? {
        if detections.len() == task.most {
            break;
        }
        let Some(mut detected) = look.in_frame(&found) else { continue };
        if let (Some(masks), Some(outline)) = (&masks, Outline::of(&found.shape)) {
            let mask = masks.mask(&found, outline.bounds(), &look)?;
            detected.covered = Some(mask.covered);
            detected.mask = Some(mask.map);
        }
        detections.push(detected);
    }
    Ok(Findings::Detection { detections })
}

impl Look<'_> {
    /// Refuses an output with another count of numbers for each box than the passport names; with masks there may be
    /// more, the coefficients.
    fn fits(&self, block: &Block<'_>, seen: usize, wanted: usize) -> Result<(), String> {
        if seen == wanted || (seen > wanted && self.task.masks.is_some()) {
            return Ok(());
        }
        let labels = self.labels.len();
        Err(block.told(format!("there are {seen} numbers for each box, {wanted} are wanted for {labels} labels")))
    }

    /// The sure ones of rows whose scores begin at column `first`.
    fn score_rows(&self, block: &Block<'_>, rows: &[f32], columns: usize, first: usize) -> Result<Vec<Scored>, String> {
        let scoring = Scoring::new(block, self.labels, self.task.confidence_from, self.task.every_label);
        let mut surest = Surest::default();
        if block.activation == Activation::Softmax {
            scoring.softmax_rows(rows, columns, first, None, &mut surest)?;
        } else {
            scoring.rows(rows, columns, first, false, &mut surest)?;
        }
        Ok(surest.into_inner())
    }

    /// Gives the sure ones the outline at their place; those without area are none.
    fn boxes(surest: Surest, outline: impl Fn(usize) -> Result<Option<Shape>, String>) -> Result<Vec<Found>, String> {
        let outlined = |scored: Scored| Ok(outline(scored.place)?.map(|shape| Found::new(scored, shape)));
        surest.into_inner().into_iter().filter_map(|scored| outlined(scored).transpose()).collect()
    }

    /// A box in the frame; `None` where nothing of it lies within.
    fn in_frame(&self, found: &Found) -> Option<Detected> {
        let (corners, oriented) = match found.shape {
            Shape::Upright(corners) => (self.geometry.box_to_frame(corners), None),
            Shape::Oriented(points) => {
                let points = points.map(|[x, y]| self.geometry.to_frame(x, y).into());
                (cut_off(bounds(&points), self.geometry.frame), Some(points))
            }
        };
        let label = self.labels.get(found.label)?.clone();
        let [left, top, right, bottom] = corners;
        let detected = Detected { label, confidence: found.confidence, corners, oriented, covered: None, mask: None };
        (left < right && top < bottom).then_some(detected)
    }
}

/// The upright box around points.
fn bounds(points: &[[f64; 2]; 4]) -> [f64; 4] {
    let nothing = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    points
        .iter()
        .fold(nothing, |[left, top, right, bottom], &[x, y]| [left.min(x), top.min(y), right.max(x), bottom.max(y)])
}

/// A box within a frame.
fn cut_off([left, top, right, bottom]: [f64; 4], (width, height): (u32, u32)) -> [f64; 4] {
    let (width, height) = (f64::from(width), f64::from(height));
    [left.clamp(0.0, width), top.clamp(0.0, height), right.clamp(0.0, width), bottom.clamp(0.0, height)]
}

/// The probability, 0 to 1, that detections give to any defect: the confidence of the surest defect, 0 without one.
#[must_use]
pub fn defect_score(detections: &[Detected], passport: &Passport) -> f64 {
    let defects = detections.iter().filter(|detected| passport.labels.defects.contains(&detected.label));
    defects.map(|detected| detected.confidence).fold(0.0, f64::max)
}

/// The greatest confidence of each label that was found, the surest first; a label that is not listed has 0.
#[must_use]
pub fn classes(detections: &[Detected]) -> Vec<(&Name, f64)> {
    let mut classes: Vec<(&Name, f64)> = Vec::new();
    for found in detections {
        match classes.iter_mut().find(|(label, _)| **label == found.label) {
            Some((_, greatest)) => *greatest = greatest.max(found.confidence),
            None => classes.push((&found.label, found.confidence)),
        }
    }
    classes
}

#[cfg(test)]
mod tests;
