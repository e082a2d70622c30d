"""Answers of an exported model: ONNX Runtime on the file, pixels as in the daemon."""

from pathlib import Path

import numpy as np
import onnxruntime
from tqdm import tqdm

from .data import Sample, load_pixels
from .experiment import Pixels


def logits(file: Path, samples: list[Sample], pixels: Pixels) -> np.ndarray:
    """Logits of an ONNX file for each sample, float32 [n, 2]."""
    session = opened(file)
    fed = session.get_inputs()[0]
    bar = tqdm(samples, desc="score", unit="picture", leave=False)
    return np.stack([session.run(None, {fed.name: tensor(s.path, fed.shape[3], pixels)})[0][0] for s in bar])


def differences(file: Path, samples: list[Sample], pixels: Pixels) -> np.ndarray:
    """Logit of the second label less that of the first for each sample, float32 [n]."""
    answers = logits(file, samples, pixels)
    return answers[:, 1] - answers[:, 0]


def tensor(path: Path, size: int, pixels: Pixels) -> np.ndarray:
    """What a model is fed for one picture, float32 [1, channels, size, size]: to the last bit what the daemon feeds it."""
    factor = np.float32(1 / 255 / pixels.standard_deviation)
    offset = np.float32(-pixels.mean / pixels.standard_deviation)
    return (load_pixels(path, size, pixels).astype(np.float32) * factor + offset)[None]


def opened(file: Path) -> onnxruntime.InferenceSession:
    """A session on one thread of the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def softmax(answers: np.ndarray) -> np.ndarray:
    """Probabilities of logits [n, 2]."""
    powers = np.exp(answers - answers.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
