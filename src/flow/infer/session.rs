//! What a session is to the rest of Kenpin: plain tensors in, plain tensors out, and a signature to hold against the
//! passport.
//!
//! Knows nothing of any library and of no model's meaning. Two inhabitants implement [`Session`]: ONNX Runtime and tract.

use std::fmt;

use crate::flow::Placement;
use crate::models::ModelError;
use crate::models::passport::{Input, Passport};
pub use crate::tensor::{Element, Number, Tensor, TensorData, TensorDataMut};

/// A model made ready to run. Lives on one thread, which alone calls it.
pub trait Session: Send {
    /// The graph's inputs and outputs as the runtime tells them.
    fn signature(&self) -> &Signature;

    /// Where the session runs.
    fn placement(&self) -> &Placement;

    /// Runs the graph once: `inputs` in the graph's order, the answer in the order of the passport's outputs. The answer
    /// holds until the next run; its memory is used again.
    ///
    /// # Errors
    /// [`ModelError::Run`] with what the runtime said. The session can be called again after an error.
    fn run(&mut self, inputs: &[Tensor]) -> Result<&[Tensor], ModelError>;
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
        let wanted = names(passport.inputs.iter().map(Input::name));
        if seen != wanted {
            return differs("the list of inputs".into(), seen, wanted);
        }
        for (port, input) in self.inputs.iter().zip(&passport.inputs) {
            if let Some((what, seen, wanted)) = difference(port, input.shape(), input.element()) {
                return differs(format!("the {what} of input \"{}\"", input.name()), seen, wanted);
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

/// The runtime's word for a type that Kenpin has no tensors of, with the way round it for the two that are met.
fn unfed(word: &str) -> String {
    let lower = word.to_lowercase();
    if lower.contains("sequence") || lower.contains("map") {
        "a sequence of maps: export the model again with `zipmap=False` (skl2onnx: `options={\"zipmap\": False}`)"
            .into()
    } else if lower.contains("string") {
        "string, which no tensor of Kenpin holds: turn texts into numbers before the graph (scikit-learn: \
         `OrdinalEncoder`) and list them as `one_of` in the passport"
            .into()
    } else {
        word.to_owned()
    }
}

/// What differs first between a port and what the passport says of it: the thing, the value seen, the value wanted. An
/// axis that the graph leaves open, or the passport (as 0), fits any length.
fn difference(port: &Port, shape: &[usize], element: Element) -> Option<(&'static str, String, String)> {
    if let PortElement::Other(word) = &port.element {
        return Some(("element type", unfed(word), element.to_string()));
    }
    let fits = port.shape.len() == shape.len()
        && port.shape.iter().zip(shape).all(|(seen, wanted)| *wanted == 0 || seen.is_none_or(|seen| seen == *wanted));
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
    fn open_axes_match_any_length_and_show_as_a_question_mark() {
        let port = Port { name: "x".into(), shape: vec![None, Some(2)], element: PortElement::Known(Element::Float32) };
        assert_eq!(difference(&port, &[7, 2], Element::Float32), None);
        let (what, seen, wanted) = difference(&port, &[7, 3], Element::Float32).unwrap();
        assert_eq!((what, seen.as_str(), wanted.as_str()), ("shape", "[?, 2]", "[7, 3]"));
        let (what, seen, wanted) = difference(&port, &[7, 2], Element::Uint8).unwrap();
        assert_eq!((what, seen.as_str(), wanted.as_str()), ("element type", "float32", "uint8"));
    }
}
