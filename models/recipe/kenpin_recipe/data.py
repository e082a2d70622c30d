"""The samples of a data set: pictures with the chance of a defect, and pixels as a network sees them.

Two sources: package `elpv-dataset` (2,624 electroluminescence images of solar cells, 300 x 300 pixels, 8-bit
grey, each with the annotators' defect probability 0, 1/3, 2/3 or 1 and the kind of cell), and any folder that
holds `good/` and `bad/` with pictures of any size.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from .experiment import Pixels

ELPV_KINDS = ("mono", "poly")
MODES = {"grey": "L", "rgb": "RGB"}
GREY, COLOUR = ("1", "L"), ("P", "RGB", "RGBA", "LA")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
FEWEST = 10  # samples of either class that a folder must have: a quarter of them is held out


class DataError(Exception):
    """The data set is missing or not as expected."""


@dataclass(frozen=True)
class Sample:
    """One labelled picture of a part."""

    stem: str  # of the file name, such as cell0001; unique in the data set
    path: Path
    probability: float  # of a defect, 0..1
    kind: str  # of part, such as mono or poly; "part" where there is only one

    @property
    def defective(self) -> bool:
        """The truth that every figure is judged by."""
        return self.probability > 0.5


def read_elpv() -> list[Sample]:
    """All cells of the installed package, in the order of its `labels.csv` (path, probability, kind)."""
    package = importlib.util.find_spec("elpv_dataset")
    if package is None or package.origin is None:
        raise DataError("package elpv-dataset is not installed: run `make setup`")
    folder, samples = Path(package.origin).parent / "data", []
    for line in (folder / "labels.csv").read_text().splitlines():
        path, probability, kind = line.split()
        if kind not in ELPV_KINDS:
            raise DataError(f"{path}: kind is '{kind}', want mono or poly")
        samples.append(Sample(Path(path).stem, folder / path, float(probability), kind))
    return samples


def read_folder(folder: Path) -> list[Sample]:
    """All pictures in `good/` and `bad/` (or `defective/`) of a folder, in the order of their names."""
    samples = []
    bad = "defective" if (folder / "defective").is_dir() else "bad"
    for name, probability in (("good", 0.0), (bad, 1.0)):
        if not (folder / name).is_dir():
            raise DataError(f"{folder} has no folder '{name}': want good/ and bad/ with pictures")
        paths = sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in SUFFIXES)
        if len(paths) < FEWEST:
            raise DataError(f"{folder / name} has {len(paths)} pictures, want at least {FEWEST}")
        samples += [Sample(f"{name}/{path.name}", path, probability, "part") for path in paths]
    return samples


def colour_of(samples: list[Sample]) -> str:
    """`grey` where every picture is, else `rgb`."""
    for sample in samples:
        with opened(sample.path) as image:
            if image.mode not in GREY:
                return "rgb"
    return "grey"


def load_pixels(path: Path, size: int, pixels: Pixels) -> np.ndarray:
    """One picture, uint8 [channels, size, size]: stretched by Pillow's antialiased bilinear."""
    with opened(path) as image:
        image = image.convert(MODES[pixels.colour]).resize((size, size), Image.Resampling.BILINEAR)
        return np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)


def load_images(samples: list[Sample], size: int, pixels: Pixels) -> np.ndarray:
    """All pictures of `samples`, uint8 [n, channels, size, size]."""
    bar = tqdm(samples, desc="load", unit="picture", leave=False)
    return np.stack([load_pixels(sample.path, size, pixels) for sample in bar])


def pixel_hash(sample: Sample) -> str:
    """SHA-256 over width, height, mode and decoded pixels, row by row: the same however the file is compressed."""
    with opened(sample.path) as image:
        digest = hashlib.sha256(f"{image.width} {image.height} {image.mode}\n".encode())
        digest.update(image.tobytes())
    return digest.hexdigest()


def opened(path: Path) -> Image.Image:
    """A picture of 8 bits, decoded whole."""
    try:
        image = Image.open(path)
        image.load()
    except (OSError, UnidentifiedImageError) as why:
        raise DataError(f"{path} is not a picture that can be read: {why}") from why
    if image.mode not in GREY + COLOUR:
        raise DataError(f"{path} is of mode {image.mode}, want 8 bits a channel: convert it first, as the camera will")
    return image
