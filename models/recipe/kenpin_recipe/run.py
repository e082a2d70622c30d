"""One run: a model, trained for one fold with one seed; which runs it needs, and its scores on what was held out.

A run's folder holds `history.csv`, `run.json`, `weights.pt`, `model.onnx` and, last of all, `scores.csv`: a run that
has its scores is finished and is not done again; without its scores alone, it is exported and scored again.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import split
from .data import ELPV_KINDS, Sample
from .experiment import Experiment, ExperimentError, Model
from .places import Places

LABELS = {"kind": ELPV_KINDS, "defect": ("good", "defective")}


@dataclass(frozen=True)
class Run:
    """Which model, held-out fold and seed."""

    model: str
    fold: str
    seed: int

    def folder(self, places: Places) -> Path:
        """Where the run keeps its files."""
        return places.run(self.model, self.fold, self.seed)

    def is_done(self, places: Places) -> bool:
        """Whether the run has its scores."""
        return (self.folder(places) / "scores.csv").is_file()


def all_of(experiment: Experiment, model: Model) -> list[Run]:
    """The runs that the experiment file asks for."""
    folds = split.folds(experiment) if model.folds == "all" else [model.folds]
    return [Run(model.name, fold, experiment.seed + i) for fold in folds for i in range(model.seeds)]


def shipped(experiment: Experiment, model: Model) -> Run:
    """The run whose model is shipped: that of the test list, first seed."""
    return Run(model.name, split.TEST, experiment.seed)


def needs(experiment: Experiment, run: Run) -> list[Run]:
    """The runs that must be done before `run`: what it starts from, and who teaches it.

    Several teachers are weighted by their out-of-fold scores, so they are wanted of every fold.
    """
    model, how = experiment.model(run.model), experiment.distil
    wanted = [] if model.start in ("random", "imagenet") else [Run(model.start, run.fold, experiment.seed)]
    if model.method in ("soft", "features") and not how.teacher.endswith(".onnx"):
        wanted.append(Run(how.teacher, run.fold, experiment.seed))
    if model.method == "several":
        wanted += [
            Run(name, fold, experiment.seed)
            for name in (how.teacher, *how.specialists)
            for fold in split.folds(experiment)
        ]
    return wanted


def truth(model: Model, samples: list[Sample]) -> np.ndarray:
    """What `model` should answer: the index of the right label, [n]."""
    if model.task == "kind":
        return np.array([ELPV_KINDS.index(sample.kind) for sample in samples])
    return np.array([int(sample.defective) for sample in samples])


def write_scores(folder: Path, samples: list[Sample], logits: np.ndarray) -> None:
    """Write the logit difference of each held-out sample, whole or not at all."""
    with (folder / "scores.new").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["part", "logit"])
        table.writerows((sample.stem, f"{logit:.6f}") for sample, logit in zip(samples, logits))
    (folder / "scores.new").replace(folder / "scores.csv")


def read_scores(folder: Path) -> dict[str, float]:
    """The logit differences of a finished run by stem."""
    try:
        with (folder / "scores.csv").open() as file:
            return {row["part"]: float(row["logit"]) for row in csv.DictReader(file)}
    except FileNotFoundError as why:
        raise ExperimentError(f"{folder.parent.name}, fold {folder.name}, is not trained: run `train` first") from why


def pooled(experiment: Experiment, places: Places, name: str) -> dict[str, float]:
    """The out-of-fold logit differences of a model by stem, first seed, over all folds."""
    return {
        stem: logit
        for fold in split.folds(experiment)
        for stem, logit in read_scores(Run(name, fold, experiment.seed).folder(places)).items()
    }
