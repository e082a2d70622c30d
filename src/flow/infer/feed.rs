//! Feed: everything a model is asked about becomes its input tensors, in the graph's order.
//!
//! Pixels go through [`Preparation`]; sizes, readings, tokens, other models' findings and constants are numbers put in
//! place here. Tensors are made once and filled anew for each question; nothing is allocated for a model that only looks
//! at pixels.

use std::sync::Arc;

use super::prepare::Preparation;
use super::session::{Tensor, TensorDataMut};
use super::tokens::Texts;
use crate::flow::{Findings, Frame, Reading};
use crate::models::passport::input::{Finding, FindingsInput, FrameSize, FrameSizeInput, ReadingValue, ReadingsInput};
use crate::models::passport::{Input, Model};
use crate::name::Name;
use crate::task::{
    self,
    geometry::{Geometry, Region},
};
use crate::value::Value;

/// What a model is asked about.
#[derive(Debug, Clone)]
pub struct Question {
    /// The frame, for models that look at pixels.
    pub frame: Option<Arc<Frame>>,
    /// The part of the frame that is meant.
    pub region: Region,
    /// The part's readings.
    pub readings: Arc<Vec<Reading>>,
    /// What other models of the same panel found.
    pub found: Vec<Found>,
}

/// What another model found, with what is needed to read it.
#[derive(Debug, Clone)]
pub struct Found {
    /// The other model.
    pub model: Arc<Model>,
    /// Its findings.
    pub findings: Findings,
}

/// The input tensors of one model.
#[derive(Debug)]
pub struct Feed {
    inputs: Vec<Input>,
    tensors: Vec<Tensor>,
    preparation: Preparation,
    texts: Texts,
}

impl Feed {
    /// Works out how the inputs of a model are fed; constants are filled in now.
    ///
    /// # Errors
    /// One sentence naming the input that cannot be fed as the passport says.
    pub fn new(model: &Model) -> Result<Self, String> {
        let inputs = model.passport.inputs.clone();
        let mut tensors: Vec<_> = inputs.iter().map(|input| Tensor::zeros(input.shape(), input.element())).collect();
        for (input, tensor) in inputs.iter().zip(&mut tensors) {
            if let Input::Constant(constant) = input {
                fill(tensor, constant.values.iter().copied(), &constant.name)?;
            }
        }
        Ok(Self {
            inputs,
            tensors,
            preparation: Preparation::new(&model.passport.images())?,
            texts: Texts::new(model)?,
        })
    }

    /// Fills the tensors for one question. They hold until the next call; the geometry leads from the first image input
    /// back to the frame.
    ///
    /// # Errors
    /// One sentence naming the input and what it lacks: a frame, a reading, a finding.
    pub fn fill(&mut self, question: &Question) -> Result<(&[Tensor], Geometry), String> {
        let mut geometry = Geometry::identity(0, 0);
        let mut images = 0;
        for (input, tensor) in self.inputs.iter().zip(&mut self.tensors) {
            if input.image().is_none() {
                continue;
            }
            let frame = question.frame.as_ref().ok_or_else(|| format!("input \"{}\" wants a frame", input.name()))?;
            let seen = self.preparation.fill(images, &frame.image, question.region, tensor)?;
            if images == 0 {
                geometry = seen;
            }
            images += 1;
        }
        for (input, tensor) in self.inputs.iter().zip(&mut self.tensors) {
            let told = |why: String| format!("input \"{}\": {why}", input.name());
            match input {
                Input::Image(_) | Input::Constant(_) | Input::Text(_) => {}
                Input::FrameSize(sizes) => frame_size(sizes, &geometry, tensor).map_err(told)?,
                Input::Readings(readings) => numbers(readings, &question.readings, tensor).map_err(told)?,
                Input::Findings(findings) => stacked(findings, &question.found, tensor).map_err(told)?,
            }
        }
        self.texts.fill(&question.readings, &mut self.tensors)?;
        Ok((&self.tensors, geometry))
    }
}

fn frame_size(input: &FrameSizeInput, geometry: &Geometry, tensor: &mut Tensor) -> Result<(), String> {
    let number = |size: &FrameSize| match size {
        FrameSize::FrameHeight => f64::from(geometry.frame.1),
        FrameSize::FrameWidth => f64::from(geometry.frame.0),
        FrameSize::InputHeight => f64::from(geometry.input.1),
        FrameSize::InputWidth => f64::from(geometry.input.0),
        FrameSize::ScaleY => geometry.scale.1,
        FrameSize::ScaleX => geometry.scale.0,
    };
    fill(tensor, input.values.iter().map(number), &input.name)
}

fn numbers(input: &ReadingsInput, readings: &[Reading], tensor: &mut Tensor) -> Result<(), String> {
    let values = input.values.iter().map(|value| number(value, readings)).collect::<Result<Vec<_>, _>>()?;
    fill(tensor, values.into_iter(), &input.name)
}

/// The number that a reading gives.
fn number(wanted: &ReadingValue, readings: &[Reading]) -> Result<f64, String> {
    let key = &wanted.key;
    let Some(value) = reading(readings, wanted.sensor.as_ref(), key) else {
        return wanted.missing.ok_or_else(|| format!("no reading of the part has the key \"{key}\""));
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

/// The value under a key, of one sensor or of the first that has it.
pub(super) fn reading<'r>(readings: &'r [Reading], sensor: Option<&Name>, key: &str) -> Option<&'r Value> {
    let asked = readings.iter().filter(|reading| sensor.is_none_or(|sensor| reading.sensor == *sensor));
    asked.into_iter().find_map(|reading| reading.values.get(key))
}

fn stacked(input: &FindingsInput, found: &[Found], tensor: &mut Tensor) -> Result<(), String> {
    let mut values = Vec::with_capacity(tensor.data().len());
    for wanted in &input.values {
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
                let classes = task::classes(findings);
                let found = classes.iter().find(|(known, _)| *known == label);
                values.push(found.map_or(0.0, |(_, probability)| *probability));
            }
            (Finding::Vector, Findings::Embedding { vector }) => values.extend(vector.iter().map(|&x| f64::from(x))),
            (Finding::Vector, Findings::Regression { values: found }) => values.extend(found.iter().map(|q| q.value)),
            (Finding::Vector, _) => return Err(format!("model {name} gives no vector")),
        }
    }
    fill(tensor, values.into_iter(), &input.name)
}

/// Writes numbers into a tensor; whole-number tensors are given the nearest whole number.
fn fill(tensor: &mut Tensor, values: impl ExactSizeIterator<Item = f64>, name: &str) -> Result<(), String> {
    let (seen, wanted) = (values.len(), tensor.data().len());
    if seen != wanted {
        return Err(format!("input \"{name}\" has room for {wanted} numbers, there are {seen}"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates; the element type is the passport's"
    )]
    match tensor.data_mut() {
        TensorDataMut::F16(numbers) => numbers.iter_mut().zip(values).for_each(|(to, x)| *to = half::f16::from_f64(x)),
        TensorDataMut::F32(numbers) => numbers.iter_mut().zip(values).for_each(|(to, x)| *to = x as f32),
        TensorDataMut::F64(numbers) => numbers.iter_mut().zip(values).for_each(|(to, x)| *to = x),
        TensorDataMut::U8(numbers) => numbers.iter_mut().zip(values).for_each(|(to, x)| *to = x.round() as u8),
        TensorDataMut::I32(numbers) => numbers.iter_mut().zip(values).for_each(|(to, x)| *to = x.round() as i32),
        TensorDataMut::I64(numbers) => numbers.iter_mut().zip(values).for_each(|(to, x)| *to = x.round() as i64),
    }
    Ok(())
}
