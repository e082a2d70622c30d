//! What a session is to the rest of Kenpin: plain tensors in, plain tensors out, and a signature to hold against the
//! passport.
//!
//! Knows nothing of any library and of no model's meaning. Two inhabitants implement [`Session`]: ONNX Runtime and tract.

use std::fmt;

use crate::flow::Placement;
use crate::models::ModelError;
use crate::models::passport::{Element, Passport};

/// The numbers of a tensor, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub enum TensorData {
    /// IEEE 754 binary32.
    F32(Vec<f32>),
    /// Unsigned 8-bit integers.
    U8(Vec<u8>),
    /// Signed 64-bit integers.
    I64(Vec<i64>),
}

/// A dense tensor in main memory. The number of elements is always the product of the shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: TensorData,
}

impl Tensor {
    /// Joins numbers with a shape.
    ///
    /// # Errors
    /// A sentence with both counts when the shape does not hold exactly as many elements as there are numbers.
    pub fn new(shape: Vec<usize>, data: TensorData) -> Result<Self, String> {
        let want = shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis));
        let seen = match &data {
            TensorData::F32(numbers) => numbers.len(),
            TensorData::U8(numbers) => numbers.len(),
            TensorData::I64(numbers) => numbers.len(),
        };
        if want == Some(seen) {
            Ok(Self { shape, data })
        } else {
            Err(format!("a tensor of shape {shape:?} wants {want:?} elements, there are {seen}"))
        }
    }

    /// A tensor of zeroes.
    #[must_use]
    pub fn zeros(shape: &[usize], element: Element) -> Self {
        let count = shape.iter().product();
        let data = match element {
            Element::Float32 => TensorData::F32(vec![0.0; count]),
            Element::Uint8 => TensorData::U8(vec![0; count]),
            Element::Int64 => TensorData::I64(vec![0; count]),
        };
        Self { shape: shape.to_vec(), data }
    }

    /// The length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers.
    #[must_use]
    pub const fn data(&self) -> &TensorData {
        &self.data
    }

    /// The numbers, to be overwritten in place; their count cannot change.
    pub fn data_mut(&mut self) -> TensorDataMut<'_> {
        match &mut self.data {
            TensorData::F32(numbers) => TensorDataMut::F32(numbers),
            TensorData::U8(numbers) => TensorDataMut::U8(numbers),
            TensorData::I64(numbers) => TensorDataMut::I64(numbers),
        }
    }

    /// The element type.
    #[must_use]
    pub const fn element(&self) -> Element {
        match self.data {
            TensorData::F32(_) => Element::Float32,
            TensorData::U8(_) => Element::Uint8,
            TensorData::I64(_) => Element::Int64,
        }
    }
}

/// The numbers of a tensor, to be overwritten in place.
#[derive(Debug)]
pub enum TensorDataMut<'a> {
    /// IEEE 754 binary32.
    F32(&'a mut [f32]),
    /// Unsigned 8-bit integers.
    U8(&'a mut [u8]),
    /// Signed 64-bit integers.
    I64(&'a mut [i64]),
}

/// A model made ready to run. Lives on one thread, which alone calls it.
pub trait Session: Send {
    /// The graph's inputs and outputs as the runtime tells them.
    fn signature(&self) -> &Signature;

    /// Where the session runs.
    fn placement(&self) -> &Placement;

    /// Runs the graph once: `inputs` in the graph's order, the answer in the order of the passport's outputs.
    ///
    /// # Errors
    /// [`ModelError::Run`] with what the runtime said. The session can be called again after an error.
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>, ModelError>;
}

/// The element type of a port: one that Kenpin knows, or the runtime's word for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortElement {
    /// A known type.
    Known(Element),
    /// The runtime's word for a type that Kenpin feeds nothing with.
    Other(String),
}

impl fmt::Display for PortElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(element) => element.fmt(f),
            Self::Other(word) => f.write_str(word),
        }
    }
}

/// One input or output of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The graph's name of it.
    pub name: String,
    /// The length of each axis; `None` where the graph leaves it open.
    pub shape: Vec<Option<usize>>,
    /// The element type.
    pub element: PortElement,
}

/// The inputs and outputs of a graph, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signature {
    /// The inputs.
    pub inputs: Vec<Port>,
    /// The outputs.
    pub outputs: Vec<Port>,
}

impl Signature {
    /// Holds the graph against its passport: inputs by place, outputs by name, shapes where the graph states them.
    ///
    /// # Errors
    /// [`ModelError::Signature`] for the first difference, with the value of the graph and that of the passport.
    pub fn check(&self, passport: &Passport) -> Result<(), ModelError> {
        let differs = |what: String, seen: String, wanted: String| {
            Err(ModelError::Signature { model: passport.name.to_string(), what, seen, wanted })
        };
        let seen = names(self.inputs.iter().map(|port| port.name.as_str()));
        let wanted = names(passport.inputs.iter().map(|input| input.name.as_str()));
        if seen != wanted {
            return differs("the list of inputs".into(), seen, wanted);
        }
        for (port, input) in self.inputs.iter().zip(&passport.inputs) {
            if let Some((what, seen, wanted)) = difference(port, &input.shape, input.element) {
                return differs(format!("the {what} of input \"{}\"", input.name), seen, wanted);
            }
        }
        for output in &passport.outputs {
            let Some(port) = self.outputs.iter().find(|port| port.name == output.name) else {
                let seen = names(self.outputs.iter().map(|port| port.name.as_str()));
                return differs("the list of outputs".into(), seen, format!("\"{}\" among them", output.name));
            };
            if let Some((what, seen, wanted)) = difference(port, &output.shape, output.element) {
                return differs(format!("the {what} of output \"{}\"", output.name), seen, wanted);
            }
        }
        Ok(())
    }
}

/// What differs first between a port and what the passport says of it: the thing, the value seen, the value wanted.
fn difference(port: &Port, shape: &[usize], element: Element) -> Option<(&'static str, String, String)> {
    let fits = port.shape.len() == shape.len()
        && port.shape.iter().zip(shape).all(|(seen, wanted)| seen.is_none_or(|seen| seen == *wanted));
    if !fits {
        return Some(("shape", shape_text(&port.shape), format!("{shape:?}")));
    }
    (port.element != PortElement::Known(element))
        .then(|| ("element type", port.element.to_string(), element.to_string()))
}

/// A shape in a sentence, an open axis as `?`.
fn shape_text(shape: &[Option<usize>]) -> String {
    let axes: Vec<String> = shape.iter().map(|axis| axis.map_or_else(|| "?".into(), |axis| axis.to_string())).collect();
    format!("[{}]", axes.join(", "))
}

/// Names in a sentence, quoted.
fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    if quoted.is_empty() { "none".into() } else { quoted.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_holds_as_many_numbers_as_its_shape() {
        assert!(Tensor::new(vec![2, 3], TensorData::U8(vec![0; 6])).is_ok());
        let refusal = Tensor::new(vec![2, 3], TensorData::F32(vec![0.0; 5])).unwrap_err();
        assert_eq!(refusal, "a tensor of shape [2, 3] wants Some(6) elements, there are 5");
        assert!(Tensor::new(vec![usize::MAX, 2], TensorData::F32(vec![])).is_err());
        assert_eq!(Tensor::zeros(&[1, 4], Element::Int64).data(), &TensorData::I64(vec![0; 4]));
    }

    #[test]
    fn open_axes_match_any_length_and_show_as_a_question_mark() {
        let port = Port { name: "x".into(), shape: vec![None, Some(2)], element: PortElement::Known(Element::Float32) };
        assert_eq!(difference(&port, &[7, 2], Element::Float32), None);
        let (what, seen, wanted) = difference(&port, &[7, 3], Element::Float32).unwrap();
        assert_eq!((what, seen.as_str(), wanted.as_str()), ("shape", "[?, 2]", "[7, 3]"));
        let (what, seen, wanted) = difference(&port, &[7, 2], Element::Uint8).unwrap();
        assert_eq!((what, seen.as_str(), wanted.as_str()), ("element type", "float32", "uint8"));
    }
}
