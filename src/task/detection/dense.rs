//! Dense heads: many boxes in a fixed order, each with a score for each label.

use crate::models::passport::Activation;
use crate::models::passport::detection::{Background, BoxFormat, BoxesScores};

use super::boxes::{Boxes, unit};
use super::scores::{Scoring, Surest};
use super::{Found, Look};

/// Reads `[1, 4 + classes, boxes]`, with the angle behind the classes where the boxes are oriented.
///
/// # Errors
/// One sentence naming the output and what is wrong with it.
pub(super) fn planes(oriented: bool, look: &Look<'_>) -> Result<Vec<Found>, String> {
    let block = look.outputs.first()?;
    let (planes, places) = block.matrix()?;
    let classes = look.labels.len();
    look.fits(block, planes, 4 + classes + usize::from(oriented))?;
    let numbers = &block.numbers;
    let mut surest = Surest::default();
    look.scoring(block).planes(&numbers[4 * places..(4 + classes) * places], places, &mut surest)?;
    let boxes = Boxes::new(block, BoxFormat::CentreSize, (1.0, 1.0));
    Look::boxes(surest, |place| {
        let at = |plane: usize| numbers[plane * places + place];
        boxes.outline(place, [0, 1, 2, 3].map(at), oriented.then(|| at(4 + classes)))
    })
}

/// Reads `[1, boxes, 5 + classes]`: the fifth number is the probability of an object.
///
/// # Errors
/// One sentence naming the output and what is wrong with it.
pub(super) fn rows(look: &Look<'_>) -> Result<Vec<Found>, String> {
    let block = look.outputs.first()?;
    let (_, columns) = block.matrix()?;
    look.fits(block, columns, 5 + look.labels.len())?;
    let mut surest = Surest::default();
    look.scoring(block).rows(&block.numbers, columns, 5, true, &mut surest)?;
    let boxes = Boxes::new(block, BoxFormat::CentreSize, (1.0, 1.0));
    Look::boxes(surest, |place| boxes.outline(place, four(&block.numbers[place * columns..]), None))
}

/// Reads boxes and scores out of two outputs, or out of one in whose rows the scores follow the box.
///
/// # Errors
/// One sentence naming the output and what is wrong with it.
pub(super) fn apart(head: &BoxesScores, look: &Look<'_>) -> Result<Vec<Found>, String> {
    let (boxes, scores) = (look.outputs.named(&head.boxes)?, look.outputs.named(&head.scores)?);
    let ((rows, columns), (score_rows, score_columns)) = (boxes.matrix()?, scores.matrix()?);
    let wanted = look.labels.len() + usize::from(head.background.is_some());
    // How many numbers of a row stand before its scores.
    let before = if head.boxes == head.scores { 4 } else { 0 };
    let box_columns = if before == 4 { 4 + wanted } else { 4 };
    if columns != box_columns {
        return Err(boxes.told(format!("there are {columns} numbers for each box, {box_columns} are wanted")));
    }
    if score_rows != rows || score_columns != before + wanted {
        let what =
            format!("the scores are {score_rows} by {score_columns}, {rows} boxes by {wanted} classes are wanted");
        return Err(scores.told(what));
    }
    let mut surest = Surest::default();
    let scoring = look.scoring(scores);
    if scores.activation == Activation::Softmax {
        scoring.softmax_rows(&scores.numbers, score_columns, before, head.background, &mut surest)?;
    } else {
        let first = before + usize::from(head.background == Some(Background::First));
        scoring.rows(&scores.numbers, score_columns, first, false, &mut surest)?;
    }
    let reader = Boxes::new(boxes, head.format, unit(head.unit, look.inputs, look.geometry));
    Look::boxes(surest, |place| reader.outline(place, four(&boxes.numbers[place * columns..]), None))
}

impl<'a> Look<'a> {
    /// How the scores of an output are judged.
    fn scoring(&'a self, block: &'a super::outputs::Block<'a>) -> Scoring<'a> {
        Scoring::new(block, self.labels, self.task.confidence_from, self.task.every_label)
    }
}

fn four(numbers: &[f32]) -> [f32; 4] {
    let mut four = [f32::NAN; 4];
    four.iter_mut().zip(numbers).for_each(|(to, &number)| *to = number);
    four
}
