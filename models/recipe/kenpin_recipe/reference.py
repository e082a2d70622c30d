"""Reference inputs and answers that travel with a model: Kenpin must reproduce them before the model judges.

`reference.safetensors` holds, for each cell, the picture (`<cell>.frame`), what the graph is fed
(`<cell>.input.<name>`) and what comes out (`<cell>.output.<name>`).
"""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from . import passport, score
from .data import Cell

FILE = "reference.safetensors"
CELLS = 2
TOLERANCE = 1e-3


def write(folder: Path, cells: list[Cell]) -> None:
    """Write the answers to the first cells into `folder` and name the file in its passport."""
    table = passport.read(folder)
    image, output = table["inputs"][0]["name"], table["outputs"][0]["name"]
    chosen = cells[:CELLS]
    tensors = {}
    for cell, answer in zip(chosen, score.logits(folder, chosen)):
        tensors[f"{cell.stem}.frame"] = _frame(cell)
        tensors[f"{cell.stem}.input.{image}"] = score.tensor(folder, cell)
        tensors[f"{cell.stem}.output.{output}"] = answer[None]
    path = folder / FILE
    save_file(tensors, path)
    path.chmod(0o644)  # the package writes for its owner only
    _name(folder, hashlib.sha256(path.read_bytes()).hexdigest())


def _frame(cell: Cell) -> np.ndarray:
    """The grey levels of a cell as they are, uint8 [h, w]."""
    with Image.open(cell.path) as image:
        return np.array(image)


def _name(folder: Path, digest: str) -> None:
    """Put `[reference]` at the end of the passport, in place of an older one."""
    path = folder / "passport.toml"
    before = path.read_text().split("\n[reference]\n")[0].rstrip("\n")
    path.write_text(f'{before}\n\n[reference]\npath = "{FILE}"\nsha256 = "{digest}"\ntolerance = {TOLERANCE}\n')
