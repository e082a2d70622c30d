//! Heads whose graph has settled on one label for each box: rows of named columns, and boxes, labels and scores apart.

use crate::models::passport::detection::{BoxFormat, BoxUnit, BoxesLabelsScores, Column, Rows};

use super::boxes::{Boxes, unit};
use super::outputs::Block;
use super::scores::{Scored, Scoring, Surest};
use super::{Found, Look};

/// The columns of an end-to-end head.
pub(super) const END_TO_END: [Column; 6] =
    [Column::Left, Column::Top, Column::Right, Column::Bottom, Column::Score, Column::Label];

/// Where in a row each thing is.
struct Columns {
    score: usize,
    label: usize,
    sides: [usize; 4],
    format: BoxFormat,
    angle: Option<usize>,
}

impl Columns {
    /// Finds the columns that make a box; `None` where one lacks.
    fn of(columns: &[Column]) -> Option<Self> {
        let at = |wanted: Column| columns.iter().position(|column| *column == wanted);
        let all = |[a, b, c, d]: [Column; 4]| Some([at(a)?, at(b)?, at(c)?, at(d)?]);
        let (sides, format) = None
            .or_else(|| Some((all([Column::Left, Column::Top, Column::Right, Column::Bottom])?, BoxFormat::Corners)))
            .or_else(|| {
                Some((all([Column::CentreX, Column::CentreY, Column::Width, Column::Height])?, BoxFormat::CentreSize))
            })
            .or_else(|| {
                Some((all([Column::Left, Column::Top, Column::Width, Column::Height])?, BoxFormat::CornerSize))
            })?;
        Some(Self { score: at(Column::Score)?, label: at(Column::Label)?, sides, format, angle: at(Column::Angle) })
    }
}

/// Whether columns hold a score, a label and a box.
pub(crate) fn is_complete(columns: &[Column]) -> bool {
    Columns::of(columns).is_some_and(|found| found.angle.is_none() || found.format == BoxFormat::CentreSize)
}

/// Reads rows of named columns; numbers behind them are left to others (the coefficients of masks).
///
/// # Errors
/// One sentence naming the output and what is wrong with it.
pub(super) fn read(head: &Rows, look: &Look<'_>) -> Result<Vec<Found>, String> {
    let block = look.outputs.named(&head.output)?;
    one_output(block, &head.columns, head.unit, head.first_label, head.count.as_deref(), look)
}

/// Reads the rows of an end-to-end head.
///
/// # Errors
/// As [`read`].
pub(super) fn end_to_end(look: &Look<'_>) -> Result<Vec<Found>, String> {
    one_output(look.outputs.first()?, &END_TO_END, BoxUnit::InputPixels, 0, None, look)
}

fn one_output(
    block: &Block<'_>,
    columns: &[Column],
    measure: BoxUnit,
    first_label: u32,
    count: Option<&str>,
    look: &Look<'_>,
) -> Result<Vec<Found>, String> {
    let (rows, width) = block.matrix()?;
    let named = columns.len();
    if width < named || (width > named && look.task.masks.is_none()) {
        return Err(block.told(format!("there are {width} columns, the passport names {named}")));
    }
    let at = Columns::of(columns).ok_or_else(|| block.told("the columns make no box with a score and a label"))?;
    let filled = filled(count, rows, look)?;
    let scoring = Scoring::new(block, look.labels, look.task.confidence_from, false);
    let mut surest = Surest::default();
    for (place, row) in block.numbers.chunks_exact(width.max(1)).take(filled).enumerate() {
        offer(row[at.label], row[at.score], place, first_label, (block, &scoring), look, &mut surest)?;
    }
    let boxes = Boxes::new(block, at.format, unit(measure, look.inputs, look.geometry));
    Look::boxes(surest, |place| {
        let row = &block.numbers[place * width..][..width];
        boxes.outline(place, at.sides.map(|side| row[side]), at.angle.map(|angle| row[angle]))
    })
}

/// Reads boxes, labels and scores out of three outputs.
///
/// # Errors
/// One sentence naming the output and what is wrong with it.
pub(super) fn read_apart(head: &BoxesLabelsScores, look: &Look<'_>) -> Result<Vec<Found>, String> {
    let (boxes, labels, scores) =
        (look.outputs.named(&head.boxes)?, look.outputs.named(&head.labels)?, look.outputs.named(&head.scores)?);
    let (rows, columns) = boxes.matrix()?;
    if columns != 4 {
        return Err(boxes.told(format!("there are {columns} numbers for each box, 4 are wanted")));
    }
    for block in [labels, scores] {
        let seen = block.list()?.len();
        if seen != rows {
            return Err(block.told(format!("there are {seen} numbers for {rows} boxes")));
        }
    }
    let filled = filled(head.count.as_deref(), rows, look)?;
    let scoring = Scoring::new(scores, look.labels, look.task.confidence_from, false);
    let mut surest = Surest::default();
    for (place, (&label, &score)) in labels.numbers.iter().zip(scores.numbers.iter()).take(filled).enumerate() {
        offer(label, score, place, head.first_label, (labels, &scoring), look, &mut surest)?;
    }
    let reader = Boxes::new(boxes, head.format, unit(head.unit, look.inputs, look.geometry));
    Look::boxes(surest, |place| {
        let mut numbers = [0.0; 4];
        numbers.copy_from_slice(&boxes.numbers[place * 4..][..4]);
        reader.outline(place, numbers, None)
    })
}

/// Keeps a row that is sure enough. A row whose label comes before the first is not filled in, whatever else stands in it.
fn offer(
    label: f32,
    score: f32,
    place: usize,
    first: u32,
    (labels, scoring): (&Block<'_>, &Scoring<'_>),
    look: &Look<'_>,
    surest: &mut Surest,
) -> Result<(), String> {
    let label = f64::from(label);
    let first = f64::from(first);
    if label < first {
        return Ok(());
    }
    if let Some(confidence) = scoring.sure(score, place)? {
        let whole = label.fract() == 0.0 && label - first < f64::from(u32::MAX);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole and within u32, asked above"
        )]
        let index = whole.then_some((label - first) as usize).filter(|index| *index < look.labels.len());
        let Some(label) = index else {
            let last = first + f64::from(u32::try_from(look.labels.len()).unwrap_or(u32::MAX)) - 1.0;
            let what =
                format!("the label at place {place} is {label}, a whole number from {first} to {last} is wanted");
            return Err(labels.told(what));
        };
        surest.push(Scored { place, label, confidence });
    }
    Ok(())
}

/// How many boxes are filled in, where an output tells.
fn filled(count: Option<&str>, rows: usize, look: &Look<'_>) -> Result<usize, String> {
    let Some(name) = count else { return Ok(rows) };
    let block = look.outputs.named(name)?;
    let limit = f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
    match block.numbers.as_ref() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "asked in the guard")]
        &[count] if count.fract() == 0.0 && (0.0..=limit).contains(&f64::from(count)) => Ok(count as usize),
        numbers => {
            Err(block.told(format!("it is {numbers:?}, one number from 0 to the {rows} boxes there are is wanted")))
        }
    }
}
