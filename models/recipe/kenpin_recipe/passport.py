"""The passport: what the runtime must know to use a model file (schema kenpin.passport/1)."""

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from . import onnx_file
from .experiment import Pixels

FILE = "model.onnx"


@dataclass(frozen=True)
class Passport:
    """What a passport of a classifier of pictures says beside what the file itself tells."""

    name: str
    description: str
    tier: str
    licence: str  # SPDX expression
    origin: str
    size: int  # pixels, width and height of the input
    labels: tuple[str, str]


def write(passport: Passport, pixels: Pixels, folder: Path) -> None:
    """Write `passport.toml` beside the model file it describes."""
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    text = f"""\
schema = "kenpin.passport/1"
name = {json.dumps(passport.name)}
task = "classification"
description = {json.dumps(passport.description)}
tier = {json.dumps(passport.tier)}
licence = {json.dumps(passport.licence)}
origin = {json.dumps(passport.origin)}

[file]
path = "{FILE}"
sha256 = "{digest}"
ir_version = {onnx_file.IR_VERSION}
opset = {onnx_file.OPSET}

[[inputs]]
name = "{onnx_file.INPUT}"
kind = "image"
shape = [1, {pixels.channels}, {passport.size}, {passport.size}]
layout = "nchw"
element = "float32"
colour = "{pixels.colour}"
fit = "stretch"
filter = "bilinear"
scale = {1 / 255!r}
mean = {[pixels.mean] * pixels.channels}
standard_deviation = {[pixels.standard_deviation] * pixels.channels}

[[outputs]]
name = "{onnx_file.OUTPUT}"
shape = [1, 2]
element = "float32"
activation = "softmax"

[labels]
names = {json.dumps(passport.labels)}
defects = {json.dumps([name for name in passport.labels if name == "defective"])}
"""
    (folder / "passport.toml").write_text(text)


def read(folder: Path) -> dict:
    """The passport in `folder` as a table."""
    return tomllib.loads((folder / "passport.toml").read_text())
