"""Post-training quantisation to 8-bit integers, in the form that ONNX Runtime and TensorRT both take.

QDQ nodes around the convolutions and matrix products; activations and weights signed and symmetric with zero
point 0, weights with a scale for each output channel, biases left in float: TensorRT's rules for explicitly
quantised networks (TensorRT developer guide, "Working with quantized types"). Ranges are found on real pictures: a
far percentile of what is seen, for single values far out would cost all others their resolution. The first layers
may stay in float: few channels carry the whole picture there, and they cost little.
"""

import contextlib
import io
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from .data import Sample
from .experiment import Pixels
from .score import tensor

OPERATORS = ("Conv", "Gemm")
PERCENTILE = 99.999


class Pictures(CalibrationDataReader):
    """Feeds pictures one by one to the calibration."""

    def __init__(self, file: Path, samples: list[Sample], pixels: Pixels):
        fed = onnx.load(file).graph.input[0]
        size = fed.type.tensor_type.shape.dim[3].dim_value
        self.left = ({fed.name: tensor(sample.path, size, pixels)} for sample in samples)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input, none at the end."""
        return next(self.left, None)


def write(parent: Path, samples: list[Sample], pixels: Pixels, path: Path, float_layers: int) -> None:
    """Write `parent`, an ONNX file in float, as `path` in 8 bits, calibrated on `samples`.

    The first `float_layers` convolutions stay as they are.
    """
    shaped = path.with_suffix(".shaped")
    quant_pre_process(parent, shaped, skip_optimization=True, skip_symbolic_shape=True)
    layers = [node.name for node in onnx.load(shaped).graph.node if node.op_type in OPERATORS]
    with contextlib.redirect_stdout(io.StringIO()):  # the package prints
        quantize_static(
            shaped,
            path,
            Pictures(parent, samples, pixels),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            nodes_to_exclude=layers[:float_layers],
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "CalibPercentile": PERCENTILE,
            },
        )
    shaped.unlink()


def departures(path: Path, float_layers: int) -> list[str]:
    """What in a quantised file is not in the form above, a sentence each; none when all is well."""
    graph = onnx.load(path).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    producers = {output: node for node in graph.node for output in node.output}
    found = []
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero = values.get(node.input[2]) if len(node.input) > 2 else None
            if zero is None or zero.dtype != np.int8 or np.any(zero):
                found.append(f"{node.name}: want a signed zero point of 0")
    for node in [node for node in graph.node if node.op_type in OPERATORS][float_layers:]:
        found += _departures_of(node, producers, values)
    return found


def _departures_of(node: onnx.NodeProto, producers: dict, values: dict) -> list[str]:
    """The same for one convolution or matrix product."""
    found = []
    for fed in node.input[:2]:
        if fed not in producers or producers[fed].op_type != "DequantizeLinear":
            found.append(f"{node.name}: input {fed} is not quantised")
    weight = producers.get(node.input[1])
    if weight is not None and values[weight.input[1]].size != values[weight.input[0]].shape[0]:
        found.append(f"{node.name}: want a scale for each output channel of its weights")
    if len(node.input) > 2 and (node.input[2] not in values or values[node.input[2]].dtype != np.float32):
        found.append(f"{node.name}: want its bias in float")
    return found
