"""The passport: what the runtime must know to use a model file (schema kenpin.passport/1)."""

import hashlib
import json
import tomllib
from pathlib import Path

from . import licence, onnx_file
from .data import TYPES
from .experiment import Experiment, Model

FILE = "model.onnx"
LABELS = {"type": TYPES, "defect": ("good", "defective")}


def write(experiment: Experiment, model: Model, folder: Path) -> None:
    """Write `passport.toml` beside the model file it describes."""
    labels = list(LABELS[model.task])
    pixels = experiment.pixels
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    text = f"""\
schema = "kenpin.passport/1"
name = {json.dumps(model.name)}
task = "classification"
description = {json.dumps(model.description)}
tier = {json.dumps(model.tier)}
licence = "{licence.expression(model)}"
origin = "models/recipe, experiment {experiment.file}, ELPV training split, seed {experiment.seed}"

[file]
path = "{FILE}"
sha256 = "{digest}"
ir_version = {onnx_file.IR_VERSION}
opset = {onnx_file.OPSET}

[[inputs]]
name = "{onnx_file.INPUT}"
kind = "image"
shape = [1, 1, {model.size}, {model.size}]
layout = "nchw"
element = "float32"
colour = "grey"
fit = "stretch"
filter = "bilinear"
scale = {1 / 255!r}
mean = [{pixels.mean}]
standard_deviation = [{pixels.standard_deviation}]

[[outputs]]
name = "{onnx_file.OUTPUT}"
shape = [1, 2]
element = "float32"
activation = "softmax"

[labels]
names = {json.dumps(labels)}
defects = {json.dumps([name for name in labels if name == "defective"])}
"""
    (folder / "passport.toml").write_text(text)


def read(folder: Path) -> dict:
    """The passport in `folder` as a table."""
    return tomllib.loads((folder / "passport.toml").read_text())
