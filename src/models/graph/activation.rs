//! Class activation: a copy of an ONNX file that also tells what each place of its last features says to each class (Zhou,
//! Khosla, Lapedriza, Oliva and Torralba, "Learning deep features for discriminative localization", 2016).
//!
//! Where a model takes the mean over the places of its last feature map and nothing but linear nodes stand behind it, the mean and
//! those nodes may change places: the nodes are applied to each place by itself, and the mean of what they say is the answer. The
//! copy gets the same nodes again, on the same weights, with a place in each row. A model with a hidden layer behind the mean, or
//! with several means, has no such map, and is told so. Nothing of the file itself is changed.

use std::collections::BTreeMap;

use prost::Message as _;

use super::append::{INT64, Step, Tail, spliced};
use super::wire;

/// What every name of an appended node and output begins with.
const PREFIX: &str = "kenpin.activation.";

/// The output with a row for each place, in the order of the rows of the feature map, and a column for each number of the answer.
pub const SCORES: &str = "kenpin.activation.scores";

/// The output with the lengths of the feature map: pictures, features, rows, columns.
pub const LENGTHS: &str = "kenpin.activation.lengths";

/// `AttributeProto.type` of one whole number.
const INT: i32 = 2;

/// What the graph itself makes of the linear numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing: they are its answer.
    Linear,
    /// Exponentials over their sum.
    Softmax,
    /// The logistic function of each.
    Sigmoid,
}

/// A copy of a model that tells its class activations.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The ONNX file: that of the model with the outputs [`SCORES`] and [`LENGTHS`] behind its own.
    pub file: Vec<u8>,
    /// What the graph makes of the mean of the scores.
    pub end: End,
}

/// The graph with its nodes whole.
#[derive(Clone, PartialEq, prost::Message)]
struct Whole {
    #[prost(message, optional, tag = "7")]
    graph: Option<Nodes>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Nodes {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Step>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<wire::Tensor>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<wire::ValueInfo>,
}

/// An `AttributeProto` with one whole number, or several.
#[derive(Clone, PartialEq, prost::Message)]
struct Numbers {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    r#type: i32,
}

/// The copy of the ONNX file `model` that tells what each place says to each number of its output `answer`, for one picture a run.
///
/// # Errors
/// One sentence: no ONNX file, an output that it does not have, or what stands between its features and the answer that is not
/// linear.
pub fn open(model: &[u8], answer: &str) -> Result<Opened, String> {
    let read = Whole::decode(model).map_err(|error| format!("it is no ONNX file: {error}"))?;
    let graph = read.graph.as_ref().ok_or("it is no ONNX file: there is no graph in it")?;
    let port = graph.output.iter().find(|output| output.name == answer);
    let port = port.ok_or_else(|| format!("it has no output {answer:?}"))?;
    let end = Walk::new(graph).back(answer)?;
    let element = port.r#type.as_ref().and_then(|of| of.tensor_type.as_ref()).map_or(0, |tensor| tensor.elem_type);
    Ok(Opened { file: spliced(model, &tail(&end, element).encode_to_vec())?, end: end.end })
}

/// What stands at the end of a graph.
struct Found<'g> {
    /// The name of the last feature map.
    features: &'g str,
    /// The linear nodes behind the mean over its places, the first first; of each the place of the input that is fed.
    linear: Vec<(&'g Step, usize)>,
    end: End,
}

/// A way through a graph from its answer back to its features.
struct Walk<'g> {
    graph: &'g Nodes,
    /// Which node each tensor comes out of.
    makers: BTreeMap<&'g str, &'g Step>,
}

impl<'g> Walk<'g> {
    fn new(graph: &'g Nodes) -> Self {
        let made = graph.node.iter().flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)));
        Self { graph, makers: made.collect() }
    }

    fn back(&self, answer: &'g str) -> Result<Found<'g>, String> {
        let (mut at, mut linear, mut end) = (answer, Vec::new(), End::Linear);
        // Each step leads to another node, unless the graph is a ring, which a runtime refuses.
        for steps in 0..=self.graph.node.len() {
            let maker = self.makers.get(at).ok_or_else(|| format!("no mean over places stands before {answer:?}"))?;
            let operator = if matches!(maker.domain.as_str(), "" | "ai.onnx") { maker.op_type.as_str() } else { "" };
            let fed = match operator {
                "Softmax" | "Sigmoid" if steps == 0 => {
                    end = if operator == "Softmax" { End::Softmax } else { End::Sigmoid };
                    0
                }
                "Identity" | "Dropout" | "Flatten" | "Reshape" | "Squeeze" | "GlobalAveragePool" => 0,
                "ReduceMean" if over_places(maker) => 0,
                "Gemm" | "MatMul" | "Add" => self.fed(maker)?,
                _ => return Err(format!("{} stands between its features and its answer", maker.op_type)),
            };
            let input = maker.input.get(fed).ok_or_else(|| format!("its node {:?} has no input", maker.name))?;
            match operator {
                "GlobalAveragePool" | "ReduceMean" => {
                    linear.reverse();
                    return Ok(Found { features: input, linear, end });
                }
                "Gemm" | "MatMul" | "Add" => linear.push((*maker, fed)),
                _ => {}
            }
            at = input;
        }
        Err("its nodes stand in a ring".into())
    }

    /// The place of the input of a linear node that is no weight.
    fn fed(&self, node: &Step) -> Result<usize, String> {
        let varying: Vec<usize> = (0..node.input.len()).filter(|&place| !self.weight(&node.input[place])).collect();
        let first_only = node.op_type != "Add";
        let turned = node.op_type == "Gemm" && attribute(node, "transA").is_some_and(|number| number.i != 0);
        match varying.as_slice() {
            [place] if !turned && (!first_only || *place == 0) => Ok(*place),
            _ => Err(format!("{} between its features and its answer is not linear in one place", node.op_type)),
        }
    }

    /// Whether a tensor is a weight, or made of weights by one node.
    fn weight(&self, name: &str) -> bool {
        let maker = |name: &str| self.makers.get(name).copied();
        let held = |name: &str| name.is_empty() || self.graph.initializer.iter().any(|tensor| tensor.name == name);
        let constant = |name: &str| held(name) || maker(name).is_some_and(|node| node.op_type == "Constant");
        let made = |node: &Step| !node.input.is_empty() && node.input.iter().all(|input| constant(input));
        constant(name) || maker(name).is_some_and(made)
    }
}

/// An attribute of a node that holds whole numbers.
fn attribute(node: &Step, name: &str) -> Option<Numbers> {
    let mut read = node.attribute.iter().filter_map(|bytes| Numbers::decode(bytes.as_slice()).ok());
    read.find(|attribute| attribute.name == name)
}

/// Whether a mean is taken over the rows and columns of a map, and over nothing else.
fn over_places(node: &Step) -> bool {
    let axes = attribute(node, "axes").map(|attribute| attribute.ints).unwrap_or_default();
    let mut axes: Vec<i64> = axes.into_iter().map(|axis| if axis < 0 { axis + 4 } else { axis }).collect();
    axes.sort_unstable();
    axes == [2, 3]
}

/// The nodes and outputs that are added: the features with a row for each place, and the linear nodes again on them.
fn tail(found: &Found<'_>, element: i32) -> Tail {
    let mut tail = Tail::default();
    let step = |tail: &mut Tail, op_type: &str, input: Vec<String>, attribute: Vec<Vec<u8>>| {
        let name = format!("{PREFIX}step{}", tail.node.len());
        let output = vec![name.clone()];
        tail.node.push(Step {
            input,
            output,
            name: name.clone(),
            op_type: op_type.into(),
            attribute,
            ..Step::default()
        });
        name
    };
    let features = || vec![found.features.to_owned()];
    step(&mut tail, "Shape", features(), Vec::new());
    tail.finish(LENGTHS, INT64, vec![wire::Dimension { dim_value: Some(4), dim_param: None }]);
    let axis = Numbers { name: "axis".into(), i: 2, ints: Vec::new(), r#type: INT };
    let flat = step(&mut tail, "Flatten", features(), vec![axis.encode_to_vec()]);
    let mut rows = step(&mut tail, "Transpose", vec![flat], Vec::new());
    for (node, fed) in &found.linear {
        let mut input = node.input.clone();
        input[*fed] = rows;
        rows = step(&mut tail, &node.op_type, input, node.attribute.clone());
    }
    let open = || wire::Dimension { dim_value: None, dim_param: None };
    tail.finish(SCORES, element, vec![open(), open()]);
    tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::graph::Graph;
    use std::path::Path;

    fn fixture(name: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("model.onnx");
        std::fs::read(path).unwrap()
    }

    #[test]
    fn the_copy_keeps_all_and_tells_more() {
        for (name, answer, end) in [
            ("tests/fixtures/onnx/colour", "logits", End::Linear),
            ("tests/fixtures/onnx/bytes", "probabilities", End::Softmax),
            ("models/elpv-teacher", "logits", End::Linear),
        ] {
            let before = fixture(name);
            let after = open(&before, answer).unwrap();
            assert_eq!(after.end, end, "{name}");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("m.onnx");
            let read = |bytes: &[u8]| {
                std::fs::write(&path, bytes).unwrap();
                Graph::read(&path).unwrap()
            };
            let (old, new) = (read(&before), read(&after.file));
            assert_eq!((&new.inputs, &new.opsets), (&old.inputs, &old.opsets));
            assert_eq!(new.outputs[..old.outputs.len()], old.outputs);
            let added: Vec<String> = new.outputs[old.outputs.len()..].iter().map(ToString::to_string).collect();
            assert_eq!(added, ["kenpin.activation.lengths int64 [4]", "kenpin.activation.scores float32 [?, ?]"]);
            assert_eq!(new.operators["Gemm"], old.operators["Gemm"] + 1, "the linear node stands there again");
        }
    }

    #[test]
    fn a_graph_that_has_no_such_map_is_told_why() {
        let told = |name: &str, answer: &str| open(&fixture(name), answer).unwrap_err();
        assert_eq!(
            told("tests/fixtures/onnx/corner", "logits"),
            "Unsqueeze stands between its features and its answer"
        );
        assert_eq!(
            told("tests/fixtures/families/two-images", "logit"),
            "Concat stands between its features and its answer"
        );
        assert!(told("models/elpv-student-int8", "logits").contains("stands between its features and its answer"));
        assert_eq!(told("tests/fixtures/onnx/colour", "other"), "it has no output \"other\"");
        assert!(open(b"\x00\x01 not a protobuf", "y").unwrap_err().starts_with("it is no ONNX file"));
        assert!(open(b"", "y").unwrap_err().contains("there is no graph in it"));
    }

    fn node(op_type: &str, input: &[&str], output: &str) -> Step {
        let input = input.iter().map(ToString::to_string).collect();
        Step { input, output: vec![output.into()], op_type: op_type.into(), ..Step::default() }
    }

    fn graph(node: Vec<Step>) -> Nodes {
        let initializer = ["w", "b"].map(|name| wire::Tensor { name: name.into(), ..wire::Tensor::default() }).into();
        Nodes { node, initializer, output: Vec::new() }
    }

    #[test]
    fn the_way_back_takes_linear_nodes_only() {
        let mean = || node("GlobalAveragePool", &["features"], "mean");
        let two = graph(vec![mean(), node("MatMul", &["mean", "w"], "hidden"), node("Add", &["b", "hidden"], "y")]);
        let found = Walk::new(&two).back("y").unwrap();
        assert_eq!(found.features, "features");
        let fed: Vec<(&str, usize)> = found.linear.iter().map(|(node, fed)| (node.op_type.as_str(), *fed)).collect();
        assert_eq!(fed, [("MatMul", 0), ("Add", 1)]);
        let none = graph(vec![mean(), node("Flatten", &["mean"], "y")]);
        assert!(Walk::new(&none).back("y").unwrap().linear.is_empty(), "the features are the scores");
        let told = |nodes: Vec<Step>| Walk::new(&graph(nodes)).back("y").err().unwrap();
        let hidden = vec![mean(), node("Relu", &["mean"], "lit"), node("MatMul", &["lit", "w"], "y")];
        assert_eq!(told(hidden), "Relu stands between its features and its answer");
        let product = vec![mean(), node("MatMul", &["mean", "mean"], "y")];
        assert_eq!(told(product), "MatMul between its features and its answer is not linear in one place");
        let skipped = vec![mean(), node("Add", &["mean", "features"], "y")];
        assert_eq!(told(skipped), "Add between its features and its answer is not linear in one place");
        assert_eq!(told(vec![node("Identity", &["y"], "y")]), "its nodes stand in a ring");
        let axes = |ints: Vec<i64>| {
            let attribute = vec![Numbers { name: "axes".into(), ints, ..Numbers::default() }.encode_to_vec()];
            over_places(&Step { attribute, ..node("ReduceMean", &["features"], "y") })
        };
        assert!(axes(vec![2, 3]) && axes(vec![-1, -2]) && !axes(vec![1, 2]) && !axes(vec![1, 2, 3]) && !axes(vec![]));
    }
}
