//! Text: where lines stand in a frame, what a line says, and what all of them say together.
//!
//! [`detect`] reads the map of a text detector, [`recognise`] the steps of a text recogniser, [`joined`] and [`reading`]
//! bring both together. Pure. Promises at most [`MAX_LINES`] lines, confidences from 0 to 1, and one order of the lines
//! whatever order they were found in. Does not look for words, and does not turn a line that stands on its head.

mod components;
mod ctc;
mod order;
mod rectangle;
mod score;

use crate::models::passport::text::{TextDetection, TextRecognition};
use crate::models::passport::{Activation, Passport};
use crate::task::geometry::Geometry;
use crate::task::output::Answer;
use crate::task::{Findings, TextLine};
use crate::tensor::Tensor;
use components::Components;
pub use ctc::Step;
pub use order::in_reading_order;
use rectangle::Oriented;

/// The most lines of one frame; of more, the surest are kept.
pub const MAX_LINES: usize = 1000;

/// The shortest side of a line, in pixels of the map before it is grown and in pixels of the frame after.
const SHORTEST_SIDE: f64 = 3.0;

/// How far a probability may lie outside 0 to 1 by rounding; what is less is cut off.
const ROUNDING: f32 = 1e-4;

/// Finds lines in a map of the probability of text, as differentiable binarisation does (Liao et al. 2020, "Real-time
/// scene text detection with differentiable binarization"): pixels above `pixel_from` that touch, or have one pixel
/// between them, are a line; the smallest rectangle around it is kept if its mean probability is at least `line_from`,
/// and grown on every side by its area times `grow` over its perimeter.
///
/// A line has no text yet; its corners are in pixels of the frame, cut off at the frame's edges.
///
/// # Errors
/// One sentence naming the output: another shape than `[1, 1, height, width]`, a number that is no probability.
pub fn detect(
    passport: &Passport,
    task: &TextDetection,
    outputs: &[Tensor],
    geometry: &Geometry,
) -> Result<Findings, String> {
    let answer = Answer::first(passport, outputs)?;
    let told = |why: String| answer.told(&why);
    let shape = answer.tensor.shape();
    let (height, width) = match *shape {
        [1, 1, height, width] | [1, height, width] if height > 0 && width > 0 => (height, width),
        _ => return Err(told(format!("the shape is {shape:?}, [1, 1, height, width] is wanted"))),
    };
    let map = probabilities(&answer.float32(), width, answer.output.activation).map_err(told)?;
    #[expect(clippy::cast_precision_loss, reason = "the sides of a map are far below 2^52")]
    let to_input = (f64::from(geometry.input.0) / width as f64, f64::from(geometry.input.1) / height as f64);
    let mut lines = Vec::new();
    let components = Components::of(&map, width, |probability| f64::from(probability) > task.pixel_from);
    for hull in components.hulls() {
        let Some(rectangle) = Oriented::around(&hull) else { continue };
        if rectangle.shortest_side() < SHORTEST_SIDE {
            continue;
        }
        let confidence = score::mean_within(&map, width, &rectangle.corners());
        if confidence < task.line_from {
            continue;
        }
        let corners = rectangle.grown(rectangle.area() * task.grow / rectangle.perimeter()).corners().map(|[x, y]| {
            let (x, y) = geometry.to_frame_clamped(x * to_input.0, y * to_input.1);
            [x, y]
        });
        let [start, end, _, below] = corners;
        if distance(start, end) > SHORTEST_SIDE && distance(start, below) > SHORTEST_SIDE {
            lines.push(TextLine { text: String::new(), confidence, corners: Some(corners) });
        }
    }
    lines.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
    lines.truncate(MAX_LINES);
    Ok(Findings::Text { lines: in_reading_order(lines) })
}

/// Reads the steps of a text recogniser; see [`steps`]. The line has the mean probability of its characters as its
/// confidence, 0 where it is empty, and no corners: those are known to whoever cut it out.
///
/// # Errors
/// One sentence, as of [`steps`].
pub fn recognise(passport: &Passport, task: &TextRecognition, outputs: &[Tensor]) -> Result<Findings, String> {
    let steps = steps(passport, task, outputs)?;
    let text: String = steps.iter().map(|step| step.character.as_str()).collect();
    #[expect(clippy::cast_precision_loss, reason = "the steps of a line are few")]
    let confidence = steps.iter().map(|step| step.probability).sum::<f64>() / steps.len().max(1) as f64;
    Ok(Findings::Text { lines: vec![TextLine { text, confidence, corners: None }] })
}

/// The characters of a line with the probability of each: at every step the surest class, repeats told once, blanks left
/// out (greedy decoding of connectionist temporal classification, Graves et al. 2006).
///
/// # Errors
/// One sentence naming the output: another shape than `[1, steps, classes]` or `[steps, 1, classes]`, as many classes as
/// characters and a blank, a number that is no probability.
pub fn steps(passport: &Passport, task: &TextRecognition, outputs: &[Tensor]) -> Result<Vec<Step>, String> {
    let answer = Answer::first(passport, outputs)?;
    let told = |why: String| answer.told(&why);
    let characters = task.characters.list().map_err(told)?;
    let (shape, activation, numbers) = (answer.tensor.shape(), answer.output.activation, answer.float32());
    let classes = characters.len() + 1;
    match *shape {
        [1, _, seen] | [_, 1, seen] if seen == classes => {}
        _ => return Err(told(format!("the shape is {shape:?}, [1, steps, {classes}] is wanted"))),
    }
    if activation == Some(Activation::Softmax) {
        finite(&numbers, classes).map_err(told)?;
    } else {
        probabilities(&numbers, classes, activation).map_err(told)?;
    }
    Ok(ctc::greedy(&numbers, characters, task.blank, activation))
}

/// A line that was found and then read: the place of the one, the text and the confidence of the other.
#[must_use]
pub fn joined(found: &TextLine, read: TextLine) -> TextLine {
    TextLine { corners: found.corners, ..read }
}

/// What the lines of a frame say together: those of at least `confidence_from` in reading order, a space between them.
/// `None` when nothing is left.
#[must_use]
pub fn reading(lines: &[TextLine], confidence_from: f64) -> Option<String> {
    let sure = lines.iter().filter(|line| line.confidence >= confidence_from && !line.text.trim().is_empty());
    let ordered = in_reading_order(sure.cloned().collect());
    let texts: Vec<&str> = ordered.iter().map(|line| line.text.trim()).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

/// The distance between two points.
fn distance([x, y]: [f64; 2], [to_x, to_y]: [f64; 2]) -> f64 {
    (to_x - x).hypot(to_y - y)
}

/// Every number is finite, or one sentence about the first that is not; `row` numbers stand in a row.
fn finite(numbers: &[f32], row: usize) -> Result<(), String> {
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(at) => Err(format!("{} is {}, a finite number is wanted", place(at, row), numbers[at])),
    }
}

/// Where a number stands, in a sentence.
fn place(at: usize, row: usize) -> String {
    format!("the number at row {}, place {}", at / row.max(1), at % row.max(1))
}

/// Every number as a probability.
fn probabilities(numbers: &[f32], row: usize, activation: Option<Activation>) -> Result<Vec<f32>, String> {
    finite(numbers, row)?;
    if activation == Some(Activation::Sigmoid) {
        return Ok(numbers.iter().map(|number| 1.0 / (1.0 + (-number).exp())).collect());
    }
    match numbers.iter().position(|number| !(-ROUNDING..=1.0 + ROUNDING).contains(number)) {
        None => Ok(numbers.iter().map(|number| number.clamp(0.0, 1.0)).collect()),
        Some(at) => Err(format!("{} is {}, a probability from 0 to 1 is wanted", place(at, row), numbers[at])),
    }
}

#[cfg(test)]
mod tests;
