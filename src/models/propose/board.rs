//! What of a graph does not go with which board: file versions, operator sets, operators that split a graph.

use crate::models::graph::Graph;

/// The newest ONNX file version that ONNX Runtime 1.17 reads, the newest that fits JetPack 5 and 6.0.
const IR_OF_JETPACK_6_0: u32 = 9;

/// The newest operator set that TensorRT 8.5 and 8.6 (JetPack 5 and 6.0) were made for.
const OPSET_OF_TENSORRT_8: u32 = 17;

/// Operators that ONNX Runtime keeps away from TensorRT unless told otherwise.
const SPLITTING: [&str; 3] = ["NonMaxSuppression", "NonZero", "RoiAlign"];

/// One sentence for each thing to know before the model goes on a board.
pub(super) fn notes(graph: &Graph) -> Vec<String> {
    let mut notes = Vec::new();
    if graph.ir_version > IR_OF_JETPACK_6_0 {
        notes.push(format!(
            "JetPack 6.0 and older cannot run this file: it is of IR version {}, and ONNX Runtime 1.17, the newest that fits \
             them, reads up to {IR_OF_JETPACK_6_0}; export with a lower `ir_version` for such a board",
            graph.ir_version
        ));
    }
    if graph.opset() > OPSET_OF_TENSORRT_8 {
        notes.push(format!(
            "JetPack 6.0 and older may not run all of this file on TensorRT: it is of operator set {}, and TensorRT 8 was \
             made for {OPSET_OF_TENSORRT_8}; newer operators fall back to CUDA or the processor",
            graph.opset()
        ));
    }
    let splitting: Vec<&str> = SPLITTING.into_iter().filter(|name| graph.operators.contains_key(*name)).collect();
    if !splitting.is_empty() {
        notes.push(format!(
            "{} in the graph splits it on TensorRT: export without suppression in the graph and let the passport do it \
             (`overlap_up_to`)",
            splitting.join(", ")
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_of_today_is_told_from_one_that_old_boards_run() {
        let graph = |ir_version, opset, operators: &[&str]| Graph {
            ir_version,
            opsets: [(String::new(), opset)].into(),
            operators: operators.iter().map(|name| ((*name).to_owned(), 1)).collect(),
            ..Graph::default()
        };
        assert_eq!(notes(&graph(9, 17, &["Conv"])), Vec::<String>::new());
        let told = notes(&graph(10, 20, &["Conv", "NonMaxSuppression"]));
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told[0].starts_with("JetPack 6.0 and older cannot run") && told[0].contains("version 10"), "{told:?}");
    }
}
