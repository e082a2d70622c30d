//! tract: the same session in pure Rust, for machines without an ONNX Runtime library. The only file that touches tract.
//!
//! Runs on the processor, single-threaded, on the thread that calls it. Slower than ONNX Runtime; never chosen silently.

use std::collections::BTreeMap;
use std::sync::Arc;

use tract_onnx::prelude::{
    DatumType, Framework, InferenceFact, InferenceModel, InferenceModelExt, IntoRunnable, IntoTValue, TValue,
    TractResult, TypedRunnableModel,
};
use tract_onnx::tract_hir::infer::{Factoid, GenericFactoid};

use super::hold;
use super::session::{Port, PortElement, Session, Signature, Tensor, TensorData};
use crate::flow::Placement;
use crate::models::ModelError;
use crate::models::passport::{Element, Model, Passport};
use crate::models::reference::Case;

/// The version of the crate this file is written against; a test holds it to the lock file.
const VERSION: &str = "0.23";

/// A model on tract.
#[derive(Debug)]
pub(super) struct TractSession {
    plan: Arc<TypedRunnableModel>,
    model: String,
    signature: Signature,
    placement: Placement,
    answers: Vec<Tensor>,
}

impl TractSession {
    /// Makes a session from a model's file and warms it up on `cases`; see [`hold::warm_up`]. `fallback`
    /// says why tract serves, where it was not the first choice.
    ///
    /// # Errors
    /// [`ModelError::Signature`], [`ModelError::Reference`], or [`ModelError::Run`] with what tract said.
    pub(super) fn open(model: &Model, cases: &[Case], fallback: Option<&str>) -> Result<Self, ModelError> {
        let passport = &model.passport;
        if let Some(external) = passport.file.external.first() {
            let path = external.path.display();
            return Err(run_error(passport.name.as_str(), format!("tract reads no external weights ({path})")));
        }
        let refuse = |error: &tract_onnx::prelude::TractError| run_error(passport.name.as_str(), format!("{error:#}"));
        let graph = tract_onnx::onnx().model_for_path(model.file()).map_err(|error| refuse(&error))?;
        let signature = signature_of(&graph).map_err(|error| refuse(&error))?;
        signature.check(passport)?;
        let plan = runnable(graph, passport).map_err(|error| refuse(&error))?;
        let nodes = plan.model().nodes().len();
        let placement = Placement {
            backend: "tract".into(),
            version: VERSION.into(),
            provider: "cpu".into(),
            nodes: BTreeMap::from([("cpu".into(), nodes)]),
            fallback: fallback.map(str::to_owned),
        };
        let mut session = Self { plan, model: passport.name.to_string(), signature, placement, answers: Vec::new() };
        hold::warm_up(&mut session, passport, cases)?;
        Ok(session)
    }
}

impl Session for TractSession {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<&[Tensor], ModelError> {
        if inputs.len() != self.signature.inputs.len() {
            let text = format!("{} tensors for {} inputs", inputs.len(), self.signature.inputs.len());
            return Err(run_error(&self.model, text));
        }
        let told = |error: tract_onnx::prelude::TractError| run_error(&self.model, format!("{error:#}"));
        let values = inputs.iter().map(value).collect::<TractResult<_>>().map_err(told)?;
        let answer = self.plan.run(values).map_err(told)?;
        self.answers = answer.iter().map(extract).collect::<TractResult<_>>().map_err(told)?;
        Ok(&self.answers)
    }
}

/// Fixes the shapes to the passport's, keeps the passport's outputs in its order, and optimises.
fn runnable(mut graph: InferenceModel, passport: &Passport) -> TractResult<Arc<TypedRunnableModel>> {
    for (place, input) in passport.inputs.iter().enumerate() {
        graph.set_input_fact(place, InferenceFact::dt_shape(datum_type(input.element()), input.shape()))?;
    }
    let outlets: Vec<_> = passport
        .outputs
        .iter()
        .filter_map(|output| place_of(&graph, &output.name))
        .filter_map(|place| graph.output_outlets().ok()?.get(place).copied())
        .collect();
    graph.select_output_outlets(&outlets)?;
    graph.into_optimized()?.into_runnable()
}

/// The place of a named output among the graph's.
fn place_of(graph: &InferenceModel, name: &str) -> Option<usize> {
    output_names(graph).iter().position(|known| known == name)
}

/// The names of the graph's outputs: the label of the outlet, else the name of its node.
fn output_names(graph: &InferenceModel) -> Vec<String> {
    let outlets = graph.output_outlets().unwrap_or_default();
    let name = |outlet: &tract_onnx::prelude::OutletId| {
        graph.outlet_label(*outlet).map_or_else(|| graph.node(outlet.node).name.clone(), str::to_owned)
    };
    outlets.iter().map(name).collect()
}

/// What tract tells of a graph's inputs and outputs.
fn signature_of(graph: &InferenceModel) -> TractResult<Signature> {
    let mut graph = graph.clone();
    // Output shapes come from the analysis; where it cannot go on, they stay open and the run will tell.
    let _ = graph.analyse(true);
    let mut signature = Signature::default();
    for (place, outlet) in graph.input_outlets()?.iter().enumerate() {
        let name = graph.node(outlet.node).name.clone();
        signature.inputs.push(port(name, graph.input_fact(place)?));
    }
    for (place, name) in output_names(&graph).into_iter().enumerate() {
        signature.outputs.push(port(name, graph.output_fact(place)?));
    }
    Ok(signature)
}

fn port(name: String, fact: &InferenceFact) -> Port {
    let axis = |axis: &GenericFactoid<_>| axis.concretize().and_then(|axis: tract_onnx::prelude::TDim| usize_of(&axis));
    let element = match fact.datum_type.concretize() {
        Some(DatumType::F16) => PortElement::Known(Element::Float16),
        Some(DatumType::F32) => PortElement::Known(Element::Float32),
        Some(DatumType::F64) => PortElement::Known(Element::Float64),
        Some(DatumType::U8) => PortElement::Known(Element::Uint8),
        Some(DatumType::I32) => PortElement::Known(Element::Int32),
        Some(DatumType::I64) => PortElement::Known(Element::Int64),
        Some(other) => PortElement::Other(format!("{other:?}")),
        None => PortElement::Other("unknown".into()),
    };
    Port { name, shape: fact.shape.dims().map(axis).collect(), element }
}

/// An axis where it is a number.
fn usize_of(axis: &tract_onnx::prelude::TDim) -> Option<usize> {
    axis.to_i64().ok().and_then(|axis| usize::try_from(axis).ok())
}

const fn datum_type(element: Element) -> DatumType {
    match element {
        Element::Float16 => DatumType::F16,
        Element::Float32 => DatumType::F32,
        Element::Float64 => DatumType::F64,
        Element::Uint8 => DatumType::U8,
        Element::Int32 => DatumType::I32,
        Element::Int64 => DatumType::I64,
    }
}

/// A tensor as tract reads it: one copy, for tract keeps what it is fed.
fn value(tensor: &Tensor) -> TractResult<TValue> {
    use tract_onnx::prelude::Tensor as Inner;
    let shape = tensor.shape();
    Ok(match tensor.data() {
        TensorData::F16(numbers) => Inner::from_shape(shape, numbers)?,
        TensorData::F32(numbers) => Inner::from_shape(shape, numbers)?,
        TensorData::F64(numbers) => Inner::from_shape(shape, numbers)?,
        TensorData::U8(numbers) => Inner::from_shape(shape, numbers)?,
        TensorData::I32(numbers) => Inner::from_shape(shape, numbers)?,
        TensorData::I64(numbers) => Inner::from_shape(shape, numbers)?,
    }
    .into_tvalue())
}

/// Copies one output out of tract's memory.
fn extract(value: &TValue) -> TractResult<Tensor> {
    let plain = value.try_as_plain_ram()?;
    let data = match value.datum_type() {
        DatumType::F16 => TensorData::F16(plain.as_slice::<half::f16>()?.to_vec()),
        DatumType::F64 => TensorData::F64(plain.as_slice::<f64>()?.to_vec()),
        DatumType::U8 => TensorData::U8(plain.as_slice::<u8>()?.to_vec()),
        DatumType::I32 => TensorData::I32(plain.as_slice::<i32>()?.to_vec()),
        DatumType::I64 => TensorData::I64(plain.as_slice::<i64>()?.to_vec()),
        _ => TensorData::F32(plain.as_slice::<f32>()?.to_vec()),
    };
    Tensor::new(value.shape().to_vec(), data).map_err(tract_onnx::prelude::TractError::msg)
}

fn run_error(model: &str, cause: String) -> ModelError {
    ModelError::Run { model: model.into(), cause }
}
