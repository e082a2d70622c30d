//! Feed: everything a model is asked about becomes its input tensors, in the graph's order.
//!
//! Pixels go through [`Preparation`], texts through `tokens`, sizes, readings, other models' findings and constants
//! through `numbers`. Tensors are made once and filled anew for each question; nothing is allocated for a model that only
//! looks at pixels.

mod numbers;

use std::sync::Arc;

use super::prepare::Preparation;
use super::session::Tensor;
use super::tokens::Texts;
use crate::flow::{Findings, Frame, Reading};
use crate::models::passport::{Input, Model};
use crate::name::Name;
use crate::task::geometry::{Geometry, Region};
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
                numbers::constant(constant, tensor).map_err(|why| format!("input \"{}\": {why}", constant.name))?;
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
                Input::FrameSize(sizes) => numbers::frame_size(sizes, &geometry, tensor).map_err(told)?,
                Input::Readings(readings) => numbers::readings(readings, &question.readings, tensor).map_err(told)?,
                Input::Findings(findings) => numbers::findings(findings, &question.found, tensor).map_err(told)?,
            }
        }
        self.texts.fill(&question.readings, &mut self.tensors)?;
        Ok((&self.tensors, geometry))
    }
}

/// The value under a key, of one sensor or of the first that has it.
pub(super) fn reading<'r>(readings: &'r [Reading], sensor: Option<&Name>, key: &str) -> Option<&'r Value> {
    let asked = readings.iter().filter(|reading| sensor.is_none_or(|sensor| reading.sensor == *sensor));
    asked.into_iter().find_map(|reading| reading.values.get(key))
}

#[cfg(test)]
mod tests;
