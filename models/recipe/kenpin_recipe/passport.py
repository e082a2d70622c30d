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
    """What a passport says beside what the files themselves tell."""

    name: str
    task: str
    description: str
    tier: str
    licence: str  # SPDX expression
    origin: str
    labels: tuple[str, ...] = ()  # of a classifier; those called "defective" are defects


def write(passport: Passport, inputs: str, output: str, folder: Path) -> None:
    """Write `passport.toml` beside the model file it describes, from its `[[inputs]]` and `[[outputs]]` tables."""
    text = f"""\
schema = "kenpin.passport/1"
name = {json.dumps(passport.name)}
task = {json.dumps(passport.task)}
description = {json.dumps(passport.description)}
tier = {json.dumps(passport.tier)}
licence = {json.dumps(passport.licence)}
origin = {json.dumps(passport.origin)}

[file]
path = "{FILE}"
sha256 = "{sha256(folder / FILE)}"
ir_version = {onnx_file.IR_VERSION}
opset = {onnx_file.OPSET}

{inputs}
{output}"""
    if passport.labels:
        defects = [name for name in passport.labels if name == "defective"]
        text += f"\n[labels]\nnames = {json.dumps(passport.labels)}\ndefects = {json.dumps(defects)}\n"
    (folder / "passport.toml").write_text(text)


def image(pixels: Pixels, size: int) -> str:
    """The `[[inputs]]` table of a picture, stretched to `size` x `size`."""
    return f"""\
[[inputs]]
name = "{onnx_file.INPUT}"
kind = "image"
shape = [1, {pixels.channels}, {size}, {size}]
layout = "nchw"
element = "float32"
colour = "{pixels.colour}"
fit = "stretch"
filter = "bilinear"
scale = {1 / 255!r}
mean = {[pixels.mean] * pixels.channels}
standard_deviation = {[pixels.standard_deviation] * pixels.channels}
"""


def numbers(name: str, count: int, activation: str | None) -> str:
    """The `[[outputs]]` table of `count` numbers."""
    table = f'[[outputs]]\nname = "{name}"\nshape = [1, {count}]\nelement = "float32"\n'
    return table + (f'activation = "{activation}"\n' if activation else "")


def name_reference(folder: Path, file: str, tolerance: float) -> None:
    """Put `[reference]` at the end of the passport, in place of an older one."""
    path = folder / "passport.toml"
    before = path.read_text().split("\n[reference]\n")[0].rstrip("\n")
    told = f'path = "{file}"\nsha256 = "{sha256(folder / file)}"\ntolerance = {tolerance}\n'
    path.write_text(f"{before}\n\n[reference]\n{told}")


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(folder: Path) -> dict:
    """The passport in `folder` as a table."""
    return tomllib.loads((folder / "passport.toml").read_text())
