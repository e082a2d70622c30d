"""Makes a labelled folder that is not ELPV: patches of a photograph, good as they are, bad with a scratch drawn on them.

    scratched.py PHOTOGRAPH FOLDER [PATCHES]    such as brick.png of the package scikit-image, 120 patches of each class

The photograph is real, the scratches are **simulated**: thin, bent, a little brighter or darker than what they cross.
Patches of different sizes are cut at random places and overlap, so a figure measured on them flatters: this shows that
the recipe works on another set, and is no benchmark.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def scratched(patch: Image.Image, generator: np.random.Generator) -> Image.Image:
    """The patch with one simulated scratch."""
    width, height = patch.size
    start, end = generator.uniform(0.1, 0.9, (2, 2)) * (width, height)
    if np.linalg.norm(end - start) < 0.4 * width:
        end = (width, height) - start
    bend = (start + end) / 2 + generator.normal(0, 0.05 * width, 2)
    steps = np.linspace(0, 1, 30)[:, None]
    line = (1 - steps) ** 2 * start + 2 * steps * (1 - steps) * bend + steps**2 * end
    mask = Image.new("L", patch.size)
    ImageDraw.Draw(mask).line([tuple(point) for point in line], fill=255, width=int(generator.integers(1, 4)))
    change = generator.choice((-1, 1)) * generator.uniform(35, 70)
    shifted = np.clip(np.asarray(patch, np.float64) + change * np.asarray(mask) / 255, 0, 255)
    return Image.fromarray(shifted.astype(np.uint8))


def make(photograph: Image.Image, folder: Path, patches: int, seed: int = 1) -> None:
    """Write `patches` pictures of each class to `folder/good` and `folder/bad`."""
    generator = np.random.default_rng(seed)
    photograph = photograph.convert("L")
    for name in ("good", "bad"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(patches):
            side = int(generator.integers(110, 180))
            left, top = (int(generator.integers(0, extent - side)) for extent in photograph.size)
            patch = photograph.crop((left, top, left + side, top + int(side * generator.uniform(0.8, 1.0))))
            if name == "bad":
                patch = scratched(patch, generator)
            patch.save(folder / name / f"{number:03}.png")


if __name__ == "__main__":
    make(Image.open(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 120)
