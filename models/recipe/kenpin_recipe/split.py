"""The fixed split, made once and kept in git: test, training, and validation inside training."""

from pathlib import Path

from sklearn.model_selection import StratifiedShuffleSplit

from .data import Cell
from .experiment import Experiment
from .places import MODELS


def write(experiment: Experiment, cells: list[Cell]) -> None:
    """Write the three lists of stems. Lists that exist already are never changed."""
    folder = MODELS / experiment.dataset
    targets = {part: folder / f"{part}.txt" for part in ("test", "train", "validation")}
    if all(path.is_file() for path in targets.values()):
        print(f"split of {experiment.dataset} exists and stays as it is")
        return
    split = experiment.split
    train, test = _part(cells, split.test_cells, experiment.seed)
    _, validation = _part(train, round(len(train) * split.validation_share), experiment.seed)
    folder.mkdir(parents=True, exist_ok=True)
    for part, chosen in (("test", test), ("train", train), ("validation", validation)):
        _write_list(targets[part], chosen)
        print(f"{part}: {len(chosen)} cells, {sum(c.defective for c in chosen)} defective")


def _part(cells: list[Cell], second: int, seed: int) -> tuple[list[Cell], list[Cell]]:
    """Part `cells` in two, the second of `second` cells, stratified on probability and type."""
    strata = [f"{cell.probability:.2f} {cell.type}" for cell in cells]
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=second, random_state=seed)
    one, two = next(splitter.split(cells, strata))
    return [cells[i] for i in one], [cells[i] for i in two]


def _write_list(path: Path, cells: list[Cell]) -> None:
    path.write_text("".join(f"{stem}\n" for stem in sorted(cell.stem for cell in cells)))
