//! A head at the end of an ONNX file: nodes that turn its embedding into scores. What was there stays as it is, byte by byte.
//!
//! A protobuf message grows by the bytes of further fields (Protocol Buffers, "Encoding": repeated fields are joined), so nothing
//! of the file has to be understood but where its graph ends. The operators are those of operator set 7 and later, without
//! attributes: their meaning has not changed since. Whether the whole is sound is the runtime's to say.

use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field};

use super::{MAX_BYTES, wire};

/// The field of a `ModelProto` that holds the graph.
const GRAPH: u32 = 7;

/// binary32 in `TensorProto.DataType`.
const FLOAT: i32 = 1;

/// Whole numbers of 64 bits in `TensorProto.DataType`.
pub(super) const INT64: i32 = 7;

/// What every name of an appended node, weight and output begins with.
const PREFIX: &str = "kenpin.taught.";

/// The oldest operator set whose operators broadcast as these nodes want it.
const OLDEST_OPSET: i64 = 7;

/// The oldest version of the form in which weights need not be inputs.
const OLDEST_IR: i64 = 4;

/// What is appended.
#[derive(Debug, Clone, PartialEq)]
pub enum Head {
    /// A score for each class: weights, a row for each, and biases.
    Linear {
        /// As many rows as classes, as long as the embedding.
        weights: Vec<Vec<f32>>,
        /// One for each class.
        biases: Vec<f32>,
    },
    /// The Euclidean distance to the nearest of some centres, for one embedding a run.
    Nearest {
        /// At least one, as long as the embedding.
        centres: Vec<Vec<f32>>,
    },
}

impl Head {
    /// The name of the output that the file gets.
    #[must_use]
    pub const fn output(&self) -> &'static str {
        match self {
            Self::Linear { .. } => "kenpin.taught.scores",
            Self::Nearest { .. } => "kenpin.taught.distance",
        }
    }
}

/// The nodes, weights and outputs that are added to a `GraphProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Tail {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<Step>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Weights>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<wire::ValueInfo>,
}

/// A `NodeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Step {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    /// Each an `AttributeProto`, as its bytes: what is not understood is kept.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub(super) attribute: Vec<Vec<u8>>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

/// A `TensorProto` with its numbers.
#[derive(Clone, PartialEq, prost::Message)]
struct Weights {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

impl Tail {
    /// A weight, row by row; its name.
    fn weight(&mut self, rows: &[Vec<f32>]) -> String {
        let name = format!("{PREFIX}weight{}", self.initializer.len());
        let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.initializer.push(Weights {
            dims: vec![length(rows.len()), length(rows.first().map_or(0, Vec::len))],
            data_type: FLOAT,
            name: name.clone(),
            raw_data: rows.iter().flatten().flat_map(|number| number.to_le_bytes()).collect(),
        });
        name
    }

    /// A node; the name of what comes out of it.
    fn step(&mut self, op_type: &str, input: &[&str]) -> String {
        let name = format!("{PREFIX}step{}", self.node.len());
        self.node.push(Step {
            input: input.iter().map(ToString::to_string).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op_type.to_owned(),
            ..Step::default()
        });
        name
    }

    /// The sum of the squares of each row, as a column; `length` is that of a row.
    fn squares(&mut self, of: &str, length: usize) -> String {
        let ones = self.weight(&vec![vec![1.0]; length]);
        let squared = self.step("Mul", &[of, of]);
        self.step("MatMul", &[&squared, &ones])
    }

    /// Calls what comes out last by its name, and says it is an output of these axes.
    pub(super) fn finish(&mut self, name: &str, elem_type: i32, dim: Vec<wire::Dimension>) {
        if let Some(output) = self.node.last_mut().and_then(|step| step.output.first_mut()) {
            name.clone_into(output);
        }
        let tensor_type = Some(wire::TensorType { elem_type, shape: Some(wire::Shape { dim }) });
        self.output.push(wire::ValueInfo { name: name.to_owned(), r#type: Some(wire::Type { tensor_type }) });
    }
}

/// The ONNX file `model` with a head behind its output `embedding`, a row of `length` numbers of binary32; with `unit_length` the
/// row is divided by its Euclidean length first.
///
/// # Errors
/// One sentence: no ONNX file, one of an old version, an output that it does not have, a name that is taken, a head of another
/// length, or a file beyond [`MAX_BYTES`].
pub fn append(model: &[u8], embedding: &str, length: usize, unit_length: bool, head: &Head) -> Result<Vec<u8>, String> {
    let read = wire::Model::decode(model).map_err(|error| format!("it is no ONNX file: {error}"))?;
    let graph = read.graph.as_ref().ok_or("it is no ONNX file: there is no graph in it")?;
    let opset = read.opset_import.iter().find(|set| matches!(set.domain.as_str(), "" | "ai.onnx"));
    let opset = opset.map_or(0, |set| set.version);
    if opset < OLDEST_OPSET || read.ir_version < OLDEST_IR {
        return Err(format!(
            "it has operator set {opset} and IR version {}, want {OLDEST_OPSET} and {OLDEST_IR} or newer: export it anew",
            read.ir_version
        ));
    }
    let taken = graph.node.iter().flat_map(|node| &node.output).chain(graph.initializer.iter().map(|one| &one.name));
    if let Some(name) = taken.into_iter().find(|name| name.starts_with(PREFIX)) {
        return Err(format!("{name:?} is in it already: want the embedding model itself, not one that was taught"));
    }
    let port = graph.output.iter().find(|output| output.name == embedding);
    let port = port.ok_or_else(|| format!("it has no output {embedding:?}"))?;
    let rows = match head {
        Head::Linear { weights, .. } => weights,
        Head::Nearest { centres } => centres,
    };
    if let Some(row) = rows.iter().find(|row| row.len() != length) {
        return Err(format!("the head has {} numbers a row, the embedding has {length}", row.len()));
    }
    let tail = tail(port, length, unit_length, head).encode_to_vec();
    let whole = spliced(model, &tail)?;
    let small = u64::try_from(whole.len()).is_ok_and(|bytes| bytes <= MAX_BYTES);
    if small { Ok(whole) } else { Err(format!("with its head it has {} bytes, at most {MAX_BYTES} fit", whole.len())) }
}

/// The nodes of a head behind `port`.
fn tail(port: &wire::ValueInfo, length: usize, unit_length: bool, head: &Head) -> Tail {
    let mut tail = Tail::default();
    let mut vector = port.name.clone();
    if unit_length {
        let squares = tail.squares(&vector, length);
        let norm = tail.step("Sqrt", &[&squares]);
        vector = tail.step("Div", &[&vector, &norm]);
    }
    let fixed = |length: usize| wire::Dimension { dim_value: i64::try_from(length).ok(), dim_param: None };
    match head {
        Head::Linear { weights, biases } => {
            let turned: Vec<Vec<f32>> = (0..length).map(|at| weights.iter().map(|row| row[at]).collect()).collect();
            let (turned, biases) = (tail.weight(&turned), tail.weight(std::slice::from_ref(biases)));
            let product = tail.step("MatMul", &[&vector, &turned]);
            tail.step("Add", &[&product, &biases]);
            // The batch stays open where it was.
            let shape = port.r#type.as_ref().and_then(|of| of.tensor_type.as_ref()?.shape.as_ref());
            let batch = shape.and_then(|shape| shape.dim.first().cloned()).unwrap_or_else(|| fixed(1));
            tail.finish(head.output(), FLOAT, vec![batch, fixed(weights.len())]);
        }
        Head::Nearest { centres } => {
            let centres = tail.weight(centres);
            let away = tail.step("Sub", &[&vector, &centres]);
            let squares = tail.squares(&away, length);
            // Over all axes, which stay as axes of 1.
            let least = tail.step("ReduceMin", &[&squares]);
            tail.step("Sqrt", &[&least]);
            tail.finish(head.output(), FLOAT, vec![fixed(1), fixed(1)]);
        }
    }
    tail
}

/// The bytes of a `ModelProto` with `tail` at the end of its graph.
pub(super) fn spliced(model: &[u8], tail: &[u8]) -> Result<Vec<u8>, String> {
    let told = |error: prost::DecodeError| format!("it is no ONNX file: {error}");
    let (mut rest, mut whole, mut graphs) = (model, Vec::with_capacity(model.len() + tail.len() + 16), 0);
    while !rest.is_empty() {
        let field = rest;
        let (tag, kind) = decode_key(&mut rest).map_err(told)?;
        if (tag, kind) == (GRAPH, WireType::LengthDelimited) {
            let length = decode_varint(&mut rest).map_err(told)?;
            let length = usize::try_from(length).ok().filter(|length| *length <= rest.len());
            let (graph, behind) = rest.split_at(length.ok_or("it is no ONNX file: its graph ends behind the file")?);
            encode_key(GRAPH, WireType::LengthDelimited, &mut whole);
            encode_varint((graph.len() + tail.len()) as u64, &mut whole);
            whole.extend_from_slice(graph);
            whole.extend_from_slice(tail);
            (rest, graphs) = (behind, graphs + 1);
        } else {
            skip_field(kind, tag, &mut rest, DecodeContext::default()).map_err(told)?;
            whole.extend_from_slice(&field[..field.len() - rest.len()]);
        }
    }
    if graphs == 1 { Ok(whole) } else { Err(format!("it has {graphs} graphs, want one")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::graph::Graph;
    use std::path::Path;

    fn embedding() -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/embedding/model.onnx");
        std::fs::read(path).unwrap()
    }

    fn linear(length: usize) -> Head {
        Head::Linear { weights: vec![vec![0.5; length]; 3], biases: vec![0.0; 3] }
    }

    #[test]
    fn what_was_there_stays_and_the_head_is_read_back() {
        let before = embedding();
        let after = append(&before, "vector", 8, true, &linear(8)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Graph::read(&path).unwrap()
        };
        let (old, new) = (read(&before), read(&after));
        assert_eq!(new.outputs[..old.outputs.len()].iter().map(|port| &port.name).collect::<Vec<_>>(), ["vector"]);
        let added = new.outputs.last().unwrap();
        assert_eq!((added.name.as_str(), added.made_by.as_deref()), ("kenpin.taught.scores", Some("Add")));
        assert_eq!(added.lengths().last(), Some(&Some(3)));
        assert_eq!((old.inputs, old.opsets, old.metadata), (new.inputs, new.opsets, new.metadata));
        let count = |graph: &std::collections::BTreeMap<String, usize>, of: &str| graph.get(of).copied().unwrap_or(0);
        assert_eq!(count(&new.operators, "MatMul"), count(&old.operators, "MatMul") + 2);
        let nearest = append(&before, "vector", 8, false, &Head::Nearest { centres: vec![vec![1.0; 8]] }).unwrap();
        assert!(
            read(&nearest).outputs.last().unwrap().to_string().starts_with("kenpin.taught.distance float32 [1, 1]")
        );
    }

    #[test]
    fn what_cannot_be_appended_is_told() {
        let told = |model: &[u8], output: &str, head: &Head| append(model, output, 8, false, head).unwrap_err();
        let model = embedding();
        assert_eq!(told(&model, "other", &linear(8)), "it has no output \"other\"");
        assert_eq!(told(&model, "vector", &linear(7)), "the head has 7 numbers a row, the embedding has 8");
        assert!(told(b"\x00\x01 not a protobuf", "vector", &linear(8)).starts_with("it is no ONNX file"));
        assert!(told(b"", "vector", &linear(8)).contains("there is no graph in it"));
        assert!(told(&model[..model.len() / 2], "vector", &linear(8)).starts_with("it is no ONNX file"));
        let taught = append(&model, "vector", 8, false, &linear(8)).unwrap();
        assert!(told(&taught, "vector", &linear(8)).contains("is in it already"));
        let old = wire::Model { ir_version: 3, ..wire::Model::decode(model.as_slice()).unwrap() }.encode_to_vec();
        assert!(told(&old, "vector", &linear(8)).contains("IR version 3, want 7 and 4 or newer"));
    }
}
