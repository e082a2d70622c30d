"""Writing a network as one plain ONNX file, and counting what it costs."""

import warnings
from math import prod
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import shape_inference
from onnx.reference import ReferenceEvaluator
from onnx.utils import Extractor
from torch import nn

OPSET = 17
IR_VERSION = 8  # what ONNX Runtime 1.17 reads
INPUT, OUTPUT = "image", "logits"


def write(network: nn.Module, size: int, channels: int, path: Path, output: str = OUTPUT) -> None:
    """Write `network` for one picture of `size` x `size` pixels; what it answers is called `output`."""
    network = network.eval().to(memory_format=torch.contiguous_format)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of padding that is not folded here, but below, and of the exporter's age
        torch.onnx.export(
            network,
            (torch.zeros(1, channels, size, size),),
            str(path),
            input_names=[INPUT],
            output_names=[output],
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    model.ir_version = IR_VERSION
    _fold_pads(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def size(path: Path) -> int:
    """Pixels, width and height, of the picture that a file takes in."""
    return onnx.load(path, load_external_data=False).graph.input[0].type.tensor_type.shape.dim[3].dim_value


def multiply_adds(path: Path) -> int:
    """Multiply-adds of all convolutions and matrix products for one image."""
    graph = shape_inference.infer_shapes(onnx.load(path)).graph
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":  # weight: out, in / groups, height, width
            total += prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
        elif node.op_type == "Gemm":
            total += shapes[node.output[0]][0] * prod(shapes[node.input[1]])
    return total


def operators(path: Path) -> list[str]:
    """Kinds of nodes in the graph, sorted."""
    return sorted({node.op_type for node in onnx.load(path).graph.node})


def _fold_pads(model: onnx.ModelProto) -> None:
    """Move each zero padding into the convolution that follows it.

    The exporter writes padding as a chain of seven nodes that compute a constant; some runtimes
    take offence, and all lose time.
    """
    graph = model.graph
    pads = [node for node in graph.node if node.op_type == "Pad"]
    for pad, amounts in zip(pads, _evaluate(model, [pad.input[1] for pad in pads])):
        readers = [node for node in graph.node if pad.output[0] in node.input]
        if [node.op_type for node in readers] != ["Conv"]:
            continue
        attribute = next(a for a in readers[0].attribute if a.name == "pads")
        top, left, bottom, right = amounts[[2, 3, 6, 7]].tolist()  # n, c, h, w; begins, then ends
        attribute.ints[:] = [old + new for old, new in zip(attribute.ints, (top, left, bottom, right))]
        readers[0].input[0] = pad.input[0]
        graph.node.remove(pad)
    _drop_unused(graph)


def _evaluate(model: onnx.ModelProto, names: list[str]) -> list[np.ndarray]:
    """Values of tensors that depend on no input."""
    if not names:
        return []
    graph = Extractor(shape_inference.infer_shapes(model)).extract_model([], names)
    return ReferenceEvaluator(graph).run(names, {})


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes and initialisers that lead to no output."""
    used = {value.name for value in graph.output}
    for node in reversed(graph.node):  # nodes stand in topological order
        if used.intersection(node.output):
            used.update(node.input)
    for node in [node for node in graph.node if not used.intersection(node.output)]:
        graph.node.remove(node)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
