//! Numbers for the inputs of a model that are not fed with pixels: sizes, readings, other models' findings, constants.
//!
//! Pure. Nothing is fed that the element type cannot hold, and nothing stands in for what is missing but what the passport
//! names.

use half::f16;

use super::{Found, reading};
use crate::flow::{Findings, Reading};
use crate::models::passport::input::{
    ConstantInput, Finding, FindingsInput, FindingsValue, FrameSize, FrameSizeInput, ReadingValue, ReadingsInput,
};
use crate::task;
use crate::task::geometry::Geometry;
use crate::tensor::{Element, Tensor, TensorDataMut};
use crate::value::Value;

/// The same numbers every time.
pub(super) fn constant(input: &ConstantInput, tensor: &mut Tensor) -> Result<(), String> {
    fill(tensor, input.values.iter().copied().map(Ok))
}

/// The size of the frame, where the model was shown one.
pub(super) fn frame_size(input: &FrameSizeInput, geometry: &Geometry, tensor: &mut Tensor) -> Result<(), String> {
    if geometry.frame.0 == 0 || geometry.frame.1 == 0 {
        return Err("the size of a frame is wanted, but no input is an image".into());
    }
    let number = |size: &FrameSize| match size {
        FrameSize::FrameHeight => f64::from(geometry.frame.1),
        FrameSize::FrameWidth => f64::from(geometry.frame.0),
        FrameSize::InputHeight => f64::from(geometry.input.1),
        FrameSize::InputWidth => f64::from(geometry.input.0),
        FrameSize::ScaleY => geometry.scale.1,
        FrameSize::ScaleX => geometry.scale.0,
    };
    fill(tensor, input.values.iter().map(number).map(Ok))
}

/// Numbers from the part's readings.
pub(super) fn readings(input: &ReadingsInput, readings: &[Reading], tensor: &mut Tensor) -> Result<(), String> {
    fill(tensor, input.values.iter().map(|value| number(value, readings)))
}

/// The number that a reading gives.
fn number(wanted: &ReadingValue, readings: &[Reading]) -> Result<f64, String> {
    let key = &wanted.key;
    let Some(value) = reading(readings, wanted.sensor.as_ref(), key) else {
        return wanted.missing.ok_or_else(|| match &wanted.sensor {
            Some(sensor) => format!("no reading of sensor {sensor} has the key \"{key}\""),
            None => format!("no reading of the part has the key \"{key}\""),
        });
    };
    if !wanted.one_of.is_empty() {
        let text = value.to_string();
        let place = wanted.one_of.iter().position(|known| *known == text);
        let place = place.ok_or_else(|| format!("\"{key}\" is {text:?}, one of {:?} is wanted", wanted.one_of))?;
        return Ok(f64::from(u32::try_from(place).unwrap_or(u32::MAX)));
    }
    match value {
        Value::Number(number) => Ok(*number),
        Value::Flag(truth) => Ok(f64::from(u8::from(*truth))),
        Value::Text(text) => Err(format!("\"{key}\" is {text:?}, a number is wanted")),
    }
}

/// Numbers that other models found, laid end to end.
pub(super) fn findings(input: &FindingsInput, found: &[Found], tensor: &mut Tensor) -> Result<(), String> {
    let mut values = Vec::with_capacity(tensor.data().len());
    for wanted in &input.values {
        gather(wanted, found, &mut values)?;
    }
    fill(tensor, values.into_iter().map(Ok))
}

fn gather(wanted: &FindingsValue, found: &[Found], values: &mut Vec<f64>) -> Result<(), String> {
    let name = &wanted.model;
    let Found { model, findings } = found
        .iter()
        .find(|found| found.model.passport.name == *name)
        .ok_or_else(|| format!("there are no findings of model {name}"))?;
    match (&wanted.finding, findings) {
        (Finding::Score, _) => values.push(
            task::defect_score(findings, &model.passport)
                .ok_or_else(|| format!("model {name} says nothing of defects"))?,
        ),
        (Finding::Label(label), _) => {
            if !model.passport.labels.names.contains(label) {
                return Err(format!("model {name} has no label {label}"));
            }
            // A detector speaks of what it found only: what it did not find has the probability 0.
            let classes = task::classes(findings);
            let known = classes.iter().find(|(known, _)| *known == label);
            values.push(known.map_or(0.0, |(_, probability)| *probability));
        }
        (Finding::Vector, Findings::Embedding { vector }) => values.extend(vector.iter().map(|&x| f64::from(x))),
        (Finding::Vector, Findings::Regression { values: found }) => values.extend(found.iter().map(|q| q.value)),
        (Finding::Vector, _) => return Err(format!("model {name} gives no vector")),
    }
    Ok(())
}

/// Writes numbers into a tensor; a tensor of whole numbers is given the nearest ones.
///
/// # Errors
/// A sentence with the place of a number that the element type cannot hold, or with both counts where they differ.
fn fill(tensor: &mut Tensor, values: impl Iterator<Item = Result<f64, String>>) -> Result<(), String> {
    let element = tensor.element();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "held to the range, or to what is finite"
    )]
    match tensor.data_mut() {
        TensorDataMut::F16(room) => put(room, values, element, |x| Some(f16::from_f64(x)).filter(|x| x.is_finite())),
        TensorDataMut::F32(room) => put(room, values, element, |x| Some(x as f32).filter(|x| x.is_finite())),
        TensorDataMut::F64(room) => put(room, values, element, |x| Some(x).filter(|x| x.is_finite())),
        TensorDataMut::U8(room) => put(room, values, element, |x| whole(x, 0.0, 255.0).map(|x| x as u8)),
        TensorDataMut::I32(room) => {
            put(room, values, element, |x| whole(x, i32::MIN.into(), i32::MAX.into()).map(|x| x as i32))
        }
        TensorDataMut::I64(room) => put(room, values, element, |x| whole(x, -SAFE, SAFE).map(|x| x as i64)),
    }
}

/// The whole numbers up to here are told apart by binary64.
const SAFE: f64 = 9_007_199_254_740_992.0;

/// The nearest whole number, where it lies within a range.
fn whole(number: f64, least: f64, most: f64) -> Option<f64> {
    Some(number.round()).filter(|whole| (least..=most).contains(whole))
}

fn put<T>(
    room: &mut [T],
    values: impl Iterator<Item = Result<f64, String>>,
    element: Element,
    narrow: impl Fn(f64) -> Option<T>,
) -> Result<(), String> {
    let mut seen = 0;
    for value in values {
        let value = value?;
        let number = narrow(value)
            .ok_or_else(|| format!("the number at place {seen} is {value}, which {element} cannot hold"))?;
        if let Some(to) = room.get_mut(seen) {
            *to = number;
        }
        seen += 1;
    }
    if seen == room.len() { Ok(()) } else { Err(format!("there is room for {} numbers, there are {seen}", room.len())) }
}
