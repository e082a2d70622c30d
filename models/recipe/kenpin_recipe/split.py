"""The parts of a data set, made once and kept as lists: test, training with its folds, validation.

Cross-validation has `folds` folds: the training list is parted into all but one of them, and the test list is
the last. So the model that is judged on the test list, and shipped, is that of the last fold, and every sample
is scored once by a model that has not seen it.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

from .data import DataError, Sample, pixel_hash
from .experiment import Experiment
from .places import Places

TEST, VALIDATION = "test", "validation"


class Parts(NamedTuple):
    """What a run learns from and what it is scored on."""

    fit: list[Sample]
    held_out: list[Sample]


def write(experiment: Experiment, places: Places, samples: list[Sample]) -> None:
    """Write the lists of stems, and the hash of each sample's pixels. What exists already is never changed."""
    places.lists.mkdir(parents=True, exist_ok=True)
    hashes = places.lists / "pixels.csv"
    lines = [f"{sample.stem},{pixel_hash(sample)}" for sample in samples]
    if not hashes.is_file():
        hashes.write_text("\n".join(["part,sha256", *lines]) + "\n")
    elif changed := set(lines) ^ set(hashes.read_text().splitlines()[1:]):
        raise DataError(
            f"{len(changed)} pictures, such as {min(changed).split(',')[0]}, are not those that {hashes} was made of: "
            "give another --out, or delete it to begin anew"
        )
    if all(_path(places, part).is_file() for part in (TEST, "train", VALIDATION)):
        print(f"split of {experiment.dataset} exists and stays as it is")
        return
    split = experiment.split
    train, test = _in_two(samples, round(len(samples) * split.test_share), experiment.seed)
    _, validation = _in_two(train, round(len(train) * split.validation_share), experiment.seed)
    for part, chosen in ((TEST, test), ("train", train), (VALIDATION, validation)):
        _path(places, part).write_text("".join(f"{stem}\n" for stem in sorted(s.stem for s in chosen)))
        print(f"{part}: {len(chosen)} samples, {sum(s.defective for s in chosen)} defective")


def folds(experiment: Experiment) -> list[str]:
    """The names of the folds; the last is the test list."""
    return [str(number) for number in range(1, experiment.split.folds)] + [TEST]


def parts(experiment: Experiment, places: Places, samples: list[Sample], fold: str) -> Parts:
    """The samples that fold `fold` learns from and is scored on.

    `validation` holds the validation list out of the training list and leaves the test list alone: for trying
    things out.
    """
    train, test = listed(places, samples, "train"), listed(places, samples, TEST)
    if fold == TEST:
        return Parts(train, test)
    if fold == VALIDATION:
        held_out = listed(places, samples, VALIDATION)
        return Parts(without(train, held_out), held_out)
    held_out = _fold(experiment, train, int(fold))
    return Parts(without(train, held_out) + test, held_out)


def _fold(experiment: Experiment, train: list[Sample], number: int) -> list[Sample]:
    """The samples of fold `number`, from 1, of the training list; stratified on probability and kind."""
    train = sorted(train, key=lambda sample: sample.stem)
    splitter = StratifiedKFold(experiment.split.folds - 1, shuffle=True, random_state=experiment.seed)
    chosen = list(splitter.split(np.zeros(len(train)), _strata(train)))[number - 1][1]
    return [train[i] for i in chosen]


def listed(places: Places, samples: list[Sample], part: str) -> list[Sample]:
    """The samples of one list: `train`, `validation` or `test`."""
    path = _path(places, part)
    if not path.is_file():
        raise DataError(f"there is no list {path}: run `python -m kenpin_recipe split` first")
    stems = path.read_text().split("\n")
    known = {sample.stem: sample for sample in samples}
    if missing := [stem for stem in stems if stem and stem not in known]:
        raise DataError(f"{path} names {missing[0]} and {len(missing) - 1} more that the data set does not have")
    return [known[stem] for stem in stems if stem]


def _in_two(samples: list[Sample], second: int, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Part `samples` in two, the second of `second` samples, stratified on probability and kind."""
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=second, random_state=seed)
    one, two = next(splitter.split(samples, _strata(samples)))
    return [samples[i] for i in one], [samples[i] for i in two]


def _strata(samples: list[Sample]) -> list[str]:
    return [f"{sample.probability:.2f} {sample.kind}" for sample in samples]


def without(samples: list[Sample], others: list[Sample]) -> list[Sample]:
    """Those of `samples` that are not among `others`."""
    stems = {sample.stem for sample in others}
    return [sample for sample in samples if sample.stem not in stems]


def _path(places: Places, part: str) -> Path:
    return places.lists / f"{part}.txt"
