"""The ELPV cells: labels, lists of stems, and images as a network sees them.

Source: package `elpv-dataset`; 2,624 electroluminescence images of solar cells, 300 x 300
pixels, 8-bit grey, each with the annotators' defect probability (0, 1/3, 2/3 or 1).
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from .places import MODELS

TYPES = ("mono", "poly")


class DataError(Exception):
    """The data set is missing or not as expected."""


@dataclass(frozen=True)
class Cell:
    """One labelled cell."""

    stem: str  # file name without extension, e.g. cell0001
    path: Path
    probability: float  # of a defect, 0..1
    type: str  # mono or poly

    @property
    def defective(self) -> bool:
        """The truth that every figure is judged by."""
        return self.probability > 0.5


def find(folder: Path | None) -> Path:
    """The folder with `labels.csv`: the one given, or the installed package's."""
    if folder is None:
        package = importlib.util.find_spec("elpv_dataset")
        if package is None or package.origin is None:
            raise DataError("package elpv-dataset is not installed: run `make setup`, or give --data FOLDER")
        folder = Path(package.origin).parent / "data"
    if not (folder / "labels.csv").is_file():
        raise DataError(f"no labels.csv in {folder}")
    return folder


def read_cells(folder: Path) -> list[Cell]:
    """All cells, in the order of `labels.csv` (path, probability, type; blanks between)."""
    cells = []
    for line in (folder / "labels.csv").read_text().splitlines():
        path, probability, kind = line.split()
        if kind not in TYPES:
            raise DataError(f"{path}: type must be mono or poly, not '{kind}'")
        cells.append(Cell(Path(path).stem, folder / path, float(probability), kind))
    return cells


def read_list(dataset: str, part: str) -> list[str]:
    """The stems of one part: `train`, `validation` or `test`."""
    path = MODELS / dataset / f"{part}.txt"
    if not path.is_file():
        raise DataError(f"no {part} list for {dataset}: run `python -m kenpin_recipe split`")
    return path.read_text().split()


def select(cells: list[Cell], dataset: str, part: str, kind: str = "all") -> list[Cell]:
    """Cells of one part and type. `fit` is the training part without its validation cells."""
    if part == "fit":
        stems = set(read_list(dataset, "train")) - set(read_list(dataset, "validation"))
    else:
        stems = set(read_list(dataset, part))
    return [cell for cell in cells if cell.stem in stems and kind in ("all", cell.type)]


def load_pixels(path: Path, size: int) -> np.ndarray:
    """One image, uint8 [size, size]: Pillow's antialiased bilinear on the 8-bit grey image."""
    with Image.open(path) as image:
        if image.mode != "L":
            raise DataError(f"{path.name}: expected 8-bit grey, found mode {image.mode}")
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def load_images(cells: list[Cell], size: int) -> np.ndarray:
    """All images of `cells`, uint8 [n, size, size]."""
    bar = tqdm(cells, desc="load", unit="cell", leave=False)
    return np.stack([load_pixels(cell.path, size) for cell in bar])
