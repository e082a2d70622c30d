//! Semantic segmentation: a number for each label and pixel, or the label of each pixel, becomes areas with labels.
//!
//! Labels that exclude each other (softmax, probabilities that sum to 1, one plane for two labels, whole numbers): a pixel
//! is of its most probable label, of equals the first, and the probability of a defect at a pixel is the sum over the
//! defect labels. Labels that do not (sigmoid, independent): a pixel is of every label above 0.5, and defects count by the
//! greatest. The probability of a defect in the frame is the greatest that an area of the passport's `area_from` reaches:
//! a panel's threshold then asks whether at least that area is a defect with at least that probability, and a speck
//! smaller than the area raises no alarm. Pure. Refuses numbers that are not finite.

use std::sync::Arc;

use super::geometry::Geometry;
use super::output::Answer;
use super::shown::Shown;
use super::{Area, Findings, Map};
use crate::models::passport::segmentation::Segmentation;
use crate::models::passport::{Activation, Labels, Passport};

/// How far a probability out of a graph may lie outside 0 to 1: rounding, which is cut off.
const ROUNDING: f32 = 1e-4;

/// The probability of each label over the shown pixels.
struct Planes {
    planes: Vec<Vec<f32>>,
    exclusive: bool,
}

/// Reads the first output of a segmentation.
///
/// # Errors
/// One sentence naming the output and the place in it: another shape than the passport's or than a plane a label, a number
/// that is not finite, no probability or no label's place, more numbers than are read; or that there was no frame.
pub fn decode(
    task: &Segmentation,
    passport: &Passport,
    outputs: &[crate::tensor::Tensor],
    geometry: &Geometry,
) -> Result<Findings, String> {
    let answer = Answer::first(passport, outputs)?;
    let labels = &passport.labels;
    let (rows, columns) = answer.rows_and_columns(labels.names.len())?;
    let shown = Shown::of(geometry, rows, columns).map_err(|why| answer.told(&why))?;
    let planes = if answer.is_whole() {
        places(&answer, labels, columns, &shown)
    } else {
        probabilities(&answer, labels, (rows, columns), &shown)
    };
    let Planes { planes, exclusive } = planes.map_err(|why| answer.told(&why))?;
    let counts =
        if exclusive { most_probable(&planes) } else { planes.iter().map(|plane| above_half(plane)).collect() };
    let reached: Vec<f32> = planes.iter().map(|plane| shown.reached(plane, task.area_from)).collect();
    let areas = labels.names.iter().zip(counts).zip(&reached).map(|((label, count), &peak)| Area {
        label: label.clone(),
        share: shown.share_of(count),
        peak: f64::from(peak),
    });
    let areas = areas.collect();
    let defects: Vec<usize> = (0..labels.names.len())
        .filter(|&place| labels.names.get(place).is_some_and(|label| labels.defects.contains(label)))
        .collect();
    let score = match defects.as_slice() {
        [_, _, ..] if exclusive => shown.reached(&sum(&planes, &defects), task.area_from),
        _ => defects.iter().filter_map(|&place| reached.get(place).copied()).fold(0.0, f32::max),
    };
    let maps: Vec<Arc<Map>> = planes.into_iter().map(|plane| Arc::new(shown.map(plane))).collect();
    Ok(Findings::Segmentation { score: f64::from(score), areas, maps })
}

/// Whole numbers: each pixel has the place of its label among the names, which is then certain.
fn places(answer: &Answer<'_>, labels: &Labels, columns: usize, shown: &Shown) -> Result<Planes, String> {
    let count = labels.names.len();
    let numbers: Vec<f64> = answer.tensor.data().numbers().collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the count of labels, from 0")]
    let place = |number: f64| (number >= 0.0 && number < count_of(count)).then_some(number as usize);
    if let Some(at) = numbers.iter().position(|number| place(*number).is_none()) {
        let (row, column, number) = (at / columns, at % columns, numbers.get(at).copied().unwrap_or_default());
        return Err(format!("the number at row {row}, column {column} is {number}, there are {count} labels"));
    }
    let mut planes = vec![vec![0.0; shown.cells()]; count];
    for (at, &number) in shown.cut(&numbers).enumerate() {
        if let Some(one) = place(number).and_then(|place| planes.get_mut(place)).and_then(|plane| plane.get_mut(at)) {
            *one = 1.0;
        }
    }
    Ok(Planes { planes, exclusive: true })
}

#[expect(clippy::cast_precision_loss, reason = "a count of labels")]
const fn count_of(labels: usize) -> f64 {
    labels as f64
}

/// Logits or probabilities, a plane a label or one for two labels.
fn probabilities(
    answer: &Answer<'_>,
    labels: &Labels,
    (rows, columns): (usize, usize),
    shown: &Shown,
) -> Result<Planes, String> {
    let activation = answer.output.activation.unwrap_or(Activation::None);
    let numbers = answer.float32();
    let count = labels.names.len();
    let seen = numbers.len() / (rows * columns);
    let single = seen == 1 && count == 2 && activation != Activation::Softmax;
    if seen != count && !single {
        return Err(format!("the answer has {seen} planes, there are {count} labels"));
    }
    let wrong = |number: &f32| match activation {
        Activation::None | Activation::Independent => !(-ROUNDING..=1.0 + ROUNDING).contains(number),
        _ => !number.is_finite(),
    };
    if let Some(at) = numbers.iter().position(wrong) {
        let (plane, rest) = (at / (rows * columns), at % (rows * columns));
        let label = labels.names.get(if single { 1 } else { plane }).map(ToString::to_string).unwrap_or_default();
        let number = numbers.get(at).copied().unwrap_or_default();
        let wanted = if number.is_finite() { "a probability from 0 to 1" } else { "a finite number" };
        let (row, column) = (rest / columns, rest % columns);
        return Err(format!(
            "the number of label {label} at row {row}, column {column} is {number}, {wanted} is wanted"
        ));
    }
    let cut = numbers.chunks_exact(rows * columns).map(|plane| shown.cut(plane).copied().collect());
    let mut planes: Vec<Vec<f32>> = cut.collect();
    match activation {
        Activation::Softmax => softmax(&mut planes),
        Activation::Sigmoid => planes.iter_mut().flatten().for_each(|number| *number = sigmoid(*number)),
        _ => planes.iter_mut().flatten().for_each(|number| *number = number.clamp(0.0, 1.0)),
    }
    if single {
        let first = planes.iter().flatten().map(|second| 1.0 - second).collect();
        planes.insert(0, first);
    }
    let exclusive = single || matches!(activation, Activation::Softmax | Activation::None);
    Ok(Planes { planes, exclusive })
}

/// At each pixel, exponentials over their sum across the planes; of `x - max(x)`, so that none overflows.
fn softmax(planes: &mut [Vec<f32>]) {
    let Some(mut greatest) = planes.first().cloned() else { return };
    for plane in planes.iter().skip(1) {
        greatest.iter_mut().zip(plane).for_each(|(greatest, &number)| *greatest = greatest.max(number));
    }
    let mut sums = vec![0.0_f32; greatest.len()];
    for plane in planes.iter_mut() {
        for ((number, greatest), sum) in plane.iter_mut().zip(&greatest).zip(&mut sums) {
            *number = (*number - greatest).exp();
            *sum += *number;
        }
    }
    for plane in planes {
        plane.iter_mut().zip(&sums).for_each(|(number, sum)| *number /= sum);
    }
}

/// The logistic function, written so that neither branch overflows.
fn sigmoid(number: f32) -> f32 {
    let power = (-number.abs()).exp();
    if number >= 0.0 { 1.0 / (1.0 + power) } else { power / (1.0 + power) }
}

/// At how many pixels each plane is the greatest; of equals the first.
fn most_probable(planes: &[Vec<f32>]) -> Vec<usize> {
    let mut counts = vec![0; planes.len()];
    let Some(mut greatest) = planes.first().cloned() else { return counts };
    let mut owners = vec![0_usize; greatest.len()];
    for (place, plane) in planes.iter().enumerate().skip(1) {
        for ((greatest, owner), &number) in greatest.iter_mut().zip(&mut owners).zip(plane) {
            if number > *greatest {
                (*greatest, *owner) = (number, place);
            }
        }
    }
    for owner in owners {
        if let Some(count) = counts.get_mut(owner) {
            *count += 1;
        }
    }
    counts
}

fn above_half(plane: &[f32]) -> usize {
    plane.iter().filter(|number| **number > 0.5).count()
}

/// At each pixel, the sum of some planes, at most 1.
fn sum(planes: &[Vec<f32>], chosen: &[usize]) -> Vec<f32> {
    let mut sums = vec![0.0_f32; planes.first().map_or(0, Vec::len)];
    for plane in chosen.iter().filter_map(|&place| planes.get(place)) {
        sums.iter_mut().zip(plane).for_each(|(sum, number)| *sum += number);
    }
    for sum in &mut sums {
        *sum = sum.min(1.0);
    }
    sums
}

#[cfg(test)]
mod tests;
