"""Reference inputs and answers that travel with a model: Kenpin must reproduce them before the model judges.

`reference.safetensors` holds, for each of a few parts, the picture (`<part>.frame`), what the graph is fed
(`<part>.input.<name>`) and what comes out (`<part>.output.<name>`). `reference.json` holds answers to a few more,
for parity tests against pictures that are not in the repository.
"""

import json
import re
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from . import onnx_file, passport, score
from .data import MODES, Sample, opened
from .experiment import Pixels

FILE = "reference.safetensors"
TOLERANCE = 1e-3
INTEGERS_TOLERANCE = 0.1  # versions and processors round sums of integers differently: 0.033 seen from 1.17.3 to 1.32
WITH_TENSORS, WITH_ANSWERS = 2, 8


def write(
    folder: Path,
    samples: list[Sample],
    pixels: Pixels,
    size: int,
    output: str = onnx_file.OUTPUT,
    tolerance: float = TOLERANCE,
) -> None:
    """Write tensors of the first of `samples` into `folder` and name their file in its passport. No labels are used."""
    chosen, tensors = samples[:WITH_TENSORS], {}
    for sample, answer in zip(chosen, score.logits(folder / passport.FILE, chosen, pixels)):
        name = re.sub("[^A-Za-z0-9_-]", "-", sample.stem)  # a dot would end it
        tensors[f"{name}.frame"] = _frame(sample, pixels)
        tensors[f"{name}.input.{onnx_file.INPUT}"] = score.tensor(sample.path, size, pixels)
        tensors[f"{name}.output.{output}"] = answer[None]
    path = folder / FILE
    save_file(tensors, path)
    path.chmod(0o644)  # the package writes for its owner only
    passport.name_reference(folder, FILE, tolerance)


def write_answers(folder: Path, samples: list[Sample], pixels: Pixels, tolerance: float = TOLERANCE) -> None:
    """Write `reference.json` of a classifier: what it answers to some of `samples`, taken evenly."""
    chosen = samples[:: max(1, len(samples) // WITH_ANSWERS)][:WITH_ANSWERS]
    answers = score.logits(folder / passport.FILE, chosen, pixels)
    table = {
        "output": onnx_file.OUTPUT,
        "tolerance": tolerance,
        "cells": {
            sample.stem: {"logits": raw.tolist(), "probabilities": chance.tolist()}
            for sample, raw, chance in zip(chosen, answers, score.softmax(answers))
        },
    }
    (folder / "reference.json").write_text(json.dumps(table, indent=2) + "\n")


def _frame(sample: Sample, pixels: Pixels) -> np.ndarray:
    """The picture as it is, uint8 [h, w] or [h, w, 3]."""
    with opened(sample.path) as image:
        return np.array(image.convert(MODES[pixels.colour]))
