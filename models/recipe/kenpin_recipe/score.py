"""Answers of an exported model: ONNX Runtime on the file, pixels as its passport says."""

from pathlib import Path

import numpy as np
import onnxruntime
from tqdm import tqdm

from . import passport
from .data import Cell, load_pixels


def logits(folder: Path, cells: list[Cell]) -> np.ndarray:
    """Logits of the model in `folder` for each cell, float32 [n, 2]."""
    table = passport.read(folder)
    image, output = table["inputs"][0], table["outputs"][0]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / table["file"]["path"], options, providers=["CPUExecutionProvider"]
    )
    answers = []
    for cell in tqdm(cells, desc=table["name"], unit="cell", leave=False):
        fed = _tensor(load_pixels(cell.path, image["shape"][3]), image)
        answers.append(session.run([output["name"]], {image["name"]: fed})[0][0])
    return np.stack(answers)


def tensor(folder: Path, cell: Cell) -> np.ndarray:
    """What the model in `folder` is fed for one cell, float32 [1, 1, h, w]."""
    image = passport.read(folder)["inputs"][0]
    return _tensor(load_pixels(cell.path, image["shape"][3]), image)


def softmax(answers: np.ndarray) -> np.ndarray:
    """Probabilities of logits [n, 2]."""
    powers = np.exp(answers - answers.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _tensor(pixels: np.ndarray, image: dict) -> np.ndarray:
    """Grey pixels [h, w] as the input a passport declares, float32 [1, 1, h, w]."""
    scaled = pixels.astype(np.float32) * np.float32(image["scale"])
    mean, deviation = np.float32(image["mean"][0]), np.float32(image["standard_deviation"][0])
    return ((scaled - mean) / deviation).reshape(image["shape"])
