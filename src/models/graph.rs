//! Graph: what an ONNX file says of itself, without running it and without reading its weights.
//!
//! A file is read through a small window, so its size costs no memory; one beyond [`MAX_BYTES`] is refused, for protobuf
//! knows no larger message. Promises inputs without the initialisers that old files list among them, in the graph's
//! order. Checks nothing: whether the graph is sound is the runtime's to say.

pub mod activation;
pub mod append;
mod pin;
mod window;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use prost::Message as _;
use serde::Serialize;

use super::ModelError;
use crate::tensor::Element;
use window::Window;

/// The largest ONNX file, in bytes: the largest protobuf message, 2 GiB less one byte. Larger weights lie in files beside.
pub const MAX_BYTES: u64 = (1 << 31) - 1;

/// What an ONNX file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Graph {
    /// The version of the file's form.
    pub ir_version: u32,
    /// The version of each operator set by its domain; the default domain is `""`.
    pub opsets: BTreeMap<String, u32>,
    /// The program that wrote it, with its version; empty where it does not say.
    pub producer: String,
    /// What the exporter wrote beside the graph.
    pub metadata: BTreeMap<String, String>,
    /// The inputs that are fed, in the graph's order.
    pub inputs: Vec<Port>,
    /// The outputs, in the graph's order.
    pub outputs: Vec<Port>,
    /// How often each operator stands in the graph and its sub-graphs; those of other domains as `domain:operator`.
    pub operators: BTreeMap<String, usize>,
    /// The files that hold weights, as the graph names them.
    pub external: BTreeSet<PathBuf>,
    /// The labels that a classifier of `ai.onnx.ml` states, in its order.
    pub labels: Vec<String>,
}

/// One input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// The graph's name of it.
    pub name: String,
    /// Its axes; `None` where the graph does not say how many there are, or it is no tensor.
    pub axes: Option<Vec<Axis>>,
    /// The element type; `None` for one that Kenpin neither feeds nor reads.
    pub element: Option<Element>,
    /// The operator that an output comes out of, such as `Softmax`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
}

/// The length of an axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Axis {
    /// Always this.
    Fixed(usize),
    /// Left open under a name, which may be empty. Axes of one name have one length.
    Open(String),
}

impl Axis {
    /// The length, where it is fixed.
    #[must_use]
    pub const fn fixed(&self) -> Option<usize> {
        match self {
            Self::Fixed(length) => Some(*length),
            Self::Open(_) => None,
        }
    }
}

impl Port {
    /// The length of each axis, `None` where it is open; no axes where the graph does not say.
    #[must_use]
    pub fn lengths(&self) -> Vec<Option<usize>> {
        self.axes.iter().flatten().map(Axis::fixed).collect()
    }
}

impl std::fmt::Display for Port {
    /// `name float32 [1, 3, height, width]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let element = self.element.map_or("of another type", Element::as_str);
        let axis = |axis: &Axis| match axis {
            Axis::Fixed(length) => length.to_string(),
            Axis::Open(name) if name.is_empty() => "?".into(),
            Axis::Open(name) => name.clone(),
        };
        match &self.axes {
            Some(axes) => {
                let axes: Vec<String> = axes.iter().map(axis).collect();
                write!(f, "{} {element} [{}]", self.name, axes.join(", "))
            }
            None => write!(f, "{} {element}", self.name),
        }
    }
}

impl std::fmt::Display for Graph {
    /// A line for each thing.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "IR version {}, written by {:?}", self.ir_version, self.producer)?;
        for (domain, version) in &self.opsets {
            writeln!(f, "operator set {version} of {}", if domain.is_empty() { "ai.onnx" } else { domain })?;
        }
        self.inputs.iter().try_for_each(|port| writeln!(f, "input {port}"))?;
        self.outputs.iter().try_for_each(|port| writeln!(f, "output {port}"))?;
        for (operator, count) in &self.operators {
            writeln!(f, "operator {operator} x {count}")?;
        }
        self.external.iter().try_for_each(|path| writeln!(f, "weights in {}", path.display()))?;
        for (key, value) in &self.metadata {
            let value: String = value.chars().take(200).collect();
            writeln!(f, "metadata {key} = {value:?}")?;
        }
        Ok(())
    }
}

impl Graph {
    /// Reads the ONNX file at `path`.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`]: not there, larger than [`MAX_BYTES`], or no ONNX file.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let refused = |cause: String| ModelError::Unreadable { path: path.into(), cause };
        let file = File::open(path).map_err(|error| refused(error.to_string()))?;
        let bytes = file.metadata().map_err(|error| refused(error.to_string()))?.len();
        let length = within(bytes).map_err(refused)?;
        let mut window = Window::new(file, length);
        let model = wire::Model::decode(&mut window);
        if let Some(error) = window.failure() {
            return Err(refused(error.to_string()));
        }
        model.map_err(|error| error.to_string()).and_then(Self::of).map_err(refused)
    }

    /// The version of the default operator set; 0 where the file has none.
    #[must_use]
    pub fn opset(&self) -> u32 {
        let default = self.opsets.get("").or_else(|| self.opsets.get("ai.onnx"));
        default.copied().unwrap_or_default()
    }

    fn of(model: wire::Model) -> Result<Self, String> {
        let graph = model.graph.ok_or("it is no ONNX file: there is no graph in it")?;
        let mut survey = Survey::default();
        survey.graph(&graph);
        model.functions.iter().for_each(|function| survey.nodes(&function.node));
        let weights: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let inputs = graph.input.iter().filter(|input| !weights.contains(input.name.as_str()));
        let producer = format!("{} {}", model.producer_name, model.producer_version);
        let positive = |number: i64| u32::try_from(number).unwrap_or_default();
        Ok(Self {
            ir_version: positive(model.ir_version),
            opsets: model.opset_import.into_iter().map(|set| (set.domain, positive(set.version))).collect(),
            producer: producer.trim().to_owned(),
            metadata: model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect(),
            inputs: inputs.map(|input| port(input, &graph)).collect(),
            outputs: graph.output.iter().map(|output| port(output, &graph)).collect(),
            operators: survey.operators,
            external: survey.external,
            labels: survey.labels,
        })
    }
}

/// The length of a file that can be one message.
fn within(bytes: u64) -> Result<usize, String> {
    let length = usize::try_from(bytes).ok().filter(|_| bytes <= MAX_BYTES);
    length.ok_or_else(|| {
        format!(
            "it has {bytes} bytes, and an ONNX file has at most {MAX_BYTES}: export the model with its weights as \
             external data"
        )
    })
}

/// What is gathered from all nodes and weights, those of sub-graphs too.
#[derive(Debug, Default)]
struct Survey {
    operators: BTreeMap<String, usize>,
    external: BTreeSet<PathBuf>,
    labels: Vec<String>,
}

impl Survey {
    fn graph(&mut self, graph: &wire::Graph) {
        graph.initializer.iter().for_each(|tensor| self.tensor(tensor));
        let sparse = graph.sparse_initializer.iter().flat_map(|tensor| [&tensor.values, &tensor.indices]);
        sparse.flatten().for_each(|tensor| self.tensor(tensor));
        self.nodes(&graph.node);
    }

    fn nodes(&mut self, nodes: &[wire::Node]) {
        for node in nodes {
            let operator = match node.domain.as_str() {
                "" | "ai.onnx" => node.op_type.clone(),
                domain => format!("{domain}:{}", node.op_type),
            };
            *self.operators.entry(operator).or_default() += 1;
            for attribute in &node.attribute {
                attribute.t.iter().for_each(|tensor| self.tensor(tensor));
                attribute.g.iter().for_each(|graph| self.graph(graph));
                self.class_labels(attribute);
            }
        }
    }

    fn tensor(&mut self, tensor: &wire::Tensor) {
        if tensor.data_location == 1 {
            let location = tensor.external_data.iter().find(|entry| entry.key == "location");
            self.external.extend(location.map(|entry| PathBuf::from(&entry.value)));
        }
    }

    /// The labels of a classifier of `ai.onnx.ml`, texts or whole numbers; the first one that states them counts.
    fn class_labels(&mut self, attribute: &wire::Attribute) {
        if !self.labels.is_empty() {
            return;
        }
        self.labels = match attribute.name.as_str() {
            "classlabels_strings" => {
                attribute.strings.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
            }
            "classlabels_int64s" | "classlabels_ints" => attribute.ints.iter().map(i64::to_string).collect(),
            _ => return,
        };
    }
}

fn port(value: &wire::ValueInfo, graph: &wire::Graph) -> Port {
    let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let axes = tensor.and_then(|tensor| tensor.shape.as_ref()).map(|shape| shape.dim.iter().map(axis).collect());
    let made_by = graph.node.iter().find(|node| node.output.contains(&value.name)).map(|node| node.op_type.clone());
    Port { name: value.name.clone(), axes, element: tensor.and_then(|tensor| element(tensor.elem_type)), made_by }
}

fn axis(dimension: &wire::Dimension) -> Axis {
    let fixed = dimension.dim_value.and_then(|length| usize::try_from(length).ok()).filter(|&length| length > 0);
    fixed.map_or_else(|| Axis::Open(dimension.dim_param.clone().unwrap_or_default()), Axis::Fixed)
}

/// The element type of a number of `TensorProto.DataType`.
const fn element(number: i32) -> Option<Element> {
    match number {
        1 => Some(Element::Float32),
        2 => Some(Element::Uint8),
        6 => Some(Element::Int32),
        7 => Some(Element::Int64),
        10 => Some(Element::Float16),
        11 => Some(Element::Float64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(name).join("model.onnx")
    }

    #[test]
    fn a_file_says_what_it_wants_and_gives() {
        let graph = Graph::read(&fixture("colour")).unwrap();
        assert_eq!((graph.ir_version, graph.opset(), graph.producer.as_str()), (8, 13, "kenpin-fixture"));
        let shown: Vec<String> = graph.inputs.iter().chain(&graph.outputs).map(ToString::to_string).collect();
        assert_eq!(shown, ["image float32 [batch, 3, 16, 12]", "logits float32 [batch, 3]"]);
        assert_eq!(graph.operators.get("Conv"), Some(&1));
    }

    #[test]
    fn what_is_no_onnx_file_is_refused_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        let told = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Graph::read(&path).unwrap_err().to_string()
        };
        assert!(told(b"").ends_with("it is no ONNX file: there is no graph in it"));
        assert!(told(b"\x00\x01 not a protobuf").contains("m.onnx: "));
        let whole = std::fs::read(fixture("colour")).unwrap();
        assert!(told(&whole[..whole.len() / 2]).contains("m.onnx: "));
        let large = within(MAX_BYTES + 1).unwrap_err();
        assert!(large.contains("2147483648 bytes") && large.contains("external data"), "{large}");
        assert!(within(MAX_BYTES).is_ok());
    }
}
