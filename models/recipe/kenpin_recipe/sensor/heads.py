"""Numeric heads: one linear layer over the numbers of a sensor reading, standardisation folded in. Simulated data only.

linear    ridge regression on the annotators' defect probability (Hoerl and Kennard 1970); its answer is a probability,
          cut to EDGE..1 - EDGE
logistic  logistic regression on whether the cell counts as defective, with an L2 penalty
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ..data import ELPV_KINDS, Sample
from ..onnx_file import IR_VERSION, OPSET
from . import simulation

INPUT = "readings"
KEYS = ("type", *simulation.NUMBERS)  # in the order they are fed; the type is its place in ELPV_KINDS
EDGE = 1e-3  # the least probability that the linear head tells
RIDGE, PENALTY = 1.0, 1.0  # of standardised numbers


def numbers(cells: list[Sample]) -> np.ndarray:
    """What the heads are fed of each cell, float32 [n, len(KEYS)], in the units of `simulation.Measurement`."""
    read = [simulation.readings(cell) for cell in cells]
    return np.array([[ELPV_KINDS.index(row["type"]), *(row[key] for key in KEYS[1:])] for row in read], np.float32)


def linear(cells: list[Sample]) -> onnx.ModelProto:
    """The linear head fitted on `cells`; its graph answers `probabilities` [1, 2]."""
    fitted = make_pipeline(StandardScaler(), Ridge(alpha=RIDGE))
    fitted.fit(numbers(cells), np.array([cell.probability for cell in cells]))
    weight, offset = _folded(fitted)
    return _graph("sensor-linear", np.stack([-weight, weight]), np.array([1 - offset, offset]), "probabilities")


def logistic(cells: list[Sample]) -> onnx.ModelProto:
    """The logistic head fitted on `cells`; its graph answers `logits` [1, 2]."""
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY))
    fitted.fit(numbers(cells), np.array([cell.defective for cell in cells]))
    weight, offset = _folded(fitted)
    half = np.array([-0.5, 0.5])
    return _graph("sensor-logistic", np.outer(half, weight), half * offset, "logits")


def _folded(fitted: Pipeline) -> tuple[np.ndarray, float]:
    """Weights [len(KEYS)] and offset for numbers that are not standardised."""
    scale, layer = fitted[0], fitted[1]
    weight = np.ravel(layer.coef_) / scale.scale_
    return weight, float(np.ravel(layer.intercept_)[0] - weight @ scale.mean_)


def _graph(name: str, weight: np.ndarray, offset: np.ndarray, output: str) -> onnx.ModelProto:
    """One linear layer, weight [2, len(KEYS)] and offset [2]; probabilities are cut to EDGE..1 - EDGE."""
    constants = {"weight": weight.astype(np.float32), "offset": offset.astype(np.float32)}
    if output == "probabilities":
        constants |= {"least": np.float32(EDGE), "most": np.float32(1 - EDGE)}
        nodes = [
            helper.make_node("Gemm", [INPUT, "weight", "offset"], ["uncut"], transB=1),
            helper.make_node("Clip", ["uncut", "least", "most"], [output]),
        ]
    else:
        nodes = [helper.make_node("Gemm", [INPUT, "weight", "offset"], [output], transB=1)]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, len(KEYS)])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model
