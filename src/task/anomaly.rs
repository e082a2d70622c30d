//! Anomaly: a score, a map or both become how unusual the picture is, and where.
//!
//! The threshold stays outside the graph: raw scores are brought to 0 to 1 as the passport's normalisation says, so that a
//! panel's threshold of 0.5 stands for the one found in validation. Numbers over the border of a letterbox do not count.
//! Pure. Refuses numbers that are not finite, and numbers outside 0 to 1 where no normalisation is given.

use std::sync::Arc;

use super::geometry::Geometry;
use super::output::Answer;
use super::shown::Shown;
use super::{Findings, Map};
use crate::models::passport::Passport;
use crate::models::passport::anomaly::{Anomaly, Normalisation};
use crate::tensor::Tensor;

/// Reads the score and the map.
///
/// # Errors
/// One sentence naming the output and the place in it: another shape than the passport's, a number that is not finite or
/// no probability, more numbers than are read; or that there was no frame to lay a map over.
pub fn decode(
    task: &Anomaly,
    passport: &Passport,
    outputs: &[Tensor],
    geometry: &Geometry,
) -> Result<Findings, String> {
    let map = task.map.as_deref().map(|name| Answer::named(passport, outputs, name)).transpose()?;
    let read = map.map(|answer| raw_map(&answer, geometry)).transpose()?;
    let score = if let Some(name) = &task.score {
        let answer = Answer::named(passport, outputs, name)?;
        score(&answer, task.score_normalisation.as_ref())?
    } else {
        let (answer, (_, numbers)) = map.zip(read.as_ref()).ok_or("there is neither a score nor a map to read")?;
        let raw = quantile(numbers, task.map_quantile.unwrap_or(1.0));
        let (normalisation, key) = match task.score_normalisation.as_ref() {
            Some(own) => (Some(own), "score_normalisation"),
            None => (task.map_normalisation.as_ref(), "map_normalisation"),
        };
        normalised(raw, normalisation, key).map_err(|why| answer.told(&format!("the score of the map {why}")))?
    };
    let Some((answer, (shown, numbers))) = map.zip(read) else {
        return Ok(Findings::Anomaly { score, peak: None, map: None });
    };
    let peak = shown.middle(greatest(&numbers), geometry);
    let map = normalised_map(&answer, &shown, numbers, task.map_normalisation.as_ref())?;
    Ok(Findings::Anomaly { score, peak: Some(peak), map: Some(Arc::new(map)) })
}

/// The one number of an output, brought to 0 to 1.
fn score(answer: &Answer<'_>, normalisation: Option<&Normalisation>) -> Result<f64, String> {
    let mut numbers = answer.tensor.data().numbers();
    let (Some(raw), None) = (numbers.next(), numbers.next()) else {
        let count = answer.tensor.data().len();
        return Err(answer.told(&format!("the answer has {count} numbers, the score is one")));
    };
    normalised(raw, normalisation, "score_normalisation").map_err(|why| answer.told(&format!("the score {why}")))
}

/// A raw number, brought to 0 to 1; `key` would say how.
fn normalised(raw: f64, normalisation: Option<&Normalisation>, key: &str) -> Result<f64, String> {
    const ROUNDING: f64 = 1e-4;
    if !raw.is_finite() {
        return Err(format!("is {raw}, a finite number is wanted"));
    }
    match normalisation {
        Some(normalisation) => Ok(normalisation.apply(raw)),
        None if (-ROUNDING..=1.0 + ROUNDING).contains(&raw) => Ok(raw.clamp(0.0, 1.0)),
        None => Err(format!("is {raw}, a number from 0 to 1 is wanted: a raw score needs `{key}` in the passport")),
    }
}

/// The shown numbers of a map as the model gave them.
fn raw_map(answer: &Answer<'_>, geometry: &Geometry) -> Result<(Shown, Vec<f32>), String> {
    let (rows, columns) = answer.rows_and_columns(1)?;
    let shown = Shown::of(geometry, rows, columns).map_err(|why| answer.told(&why))?;
    let numbers = answer.float32();
    if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
        let (row, column, number) = (at / columns, at % columns, numbers.get(at).copied().unwrap_or_default());
        let told = format!("the number at row {row}, column {column} is {number}, a finite number is wanted");
        return Err(answer.told(&told));
    }
    Ok((shown, shown.cut(&numbers).copied().collect()))
}

/// The shown numbers of a map, brought to 0 to 1.
fn normalised_map(
    answer: &Answer<'_>,
    shown: &Shown,
    mut numbers: Vec<f32>,
    normalisation: Option<&Normalisation>,
) -> Result<Map, String> {
    for number in &mut numbers {
        let level = normalised(f64::from(*number), normalisation, "map_normalisation");
        let level = level.map_err(|why| answer.told(&format!("a number of the map {why}")))?;
        #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1")]
        {
            *number = level as f32;
        }
    }
    Ok(shown.map(numbers))
}

/// The place of the greatest number; of equals the first.
fn greatest(numbers: &[f32]) -> usize {
    let mut found = (0, f32::NEG_INFINITY);
    for (place, &number) in numbers.iter().enumerate() {
        if number > found.1 {
            found = (place, number);
        }
    }
    found.0
}

/// A quantile, 0 to 1, of at least one number: of n numbers in order the one at `(n - 1) * quantile`, interpolated between
/// its neighbours (Hyndman and Fan 1996, definition 7).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place among the numbers of a bounded map"
)]
fn quantile(numbers: &[f32], quantile: f64) -> f64 {
    if quantile >= 1.0 || numbers.len() < 2 {
        return f64::from(numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    }
    let at = (numbers.len() - 1) as f64 * quantile.max(0.0);
    let mut ordered = numbers.to_vec();
    let (_, lower, above) = ordered.select_nth_unstable_by(at.floor() as usize, f32::total_cmp);
    let lower = f64::from(*lower);
    let upper = above.iter().copied().fold(f32::INFINITY, f32::min);
    if upper.is_finite() { lower + (f64::from(upper) - lower) * at.fract() } else { lower }
}

#[cfg(test)]
mod tests;
