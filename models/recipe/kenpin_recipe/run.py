"""One run: a model, trained for one fold with one seed; which runs it needs, and its scores on what was held out.

A run's folder holds `settings.sha256`, `history.csv`, `run.json`, `weights.pt`, `model.onnx` and, last of all,
`scores.csv`: a run that has its scores is finished and is not done again; without its scores alone, it is exported and
scored again.
"""

import csv
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from . import split
from .data import ELPV_KINDS, Sample
from .experiment import Experiment, ExperimentError, Model
from .places import Places

NO_PART_OF_TRAINING = ("name", "tier", "description", "folds", "seeds")
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
    """The runs of the same fold that must be done before `run`: what it starts from, and who teaches it."""
    model, how = experiment.model(run.model), experiment.distil
    wanted = [] if model.start in ("random", "imagenet") else [model.start]
    if model.method != "labels" and not how.teacher.endswith(".onnx"):
        wanted.append(how.teacher)
    if model.method == "several":
        wanted += how.specialists
    return [Run(name, run.fold, experiment.seed) for name in dict.fromkeys(wanted)]


def digest(experiment: Experiment, places: Places, run: Run) -> str:
    """SHA-256 of all that a training is made of: settings, pictures, lists, and the same of the runs it needs."""
    model, told = experiment.model(run.model), hashlib.sha256()
    settings = {key: value for key, value in asdict(model).items() if key not in NO_PART_OF_TRAINING}
    parts = [settings, asdict(experiment.pixels), asdict(experiment.augment)]
    if model.tier in ("student", "trial"):
        parts.append(asdict(experiment.distil))
    told.update(json.dumps([*parts, run.fold, run.seed], sort_keys=True).encode())
    for name in ("pixels.csv", "train.txt", "validation.txt", "test.txt"):
        told.update((places.lists / name).read_bytes())
    for need in needs(experiment, run):
        told.update(digest(experiment, places, need).encode())
    return told.hexdigest()


def claim(experiment: Experiment, places: Places, run: Run) -> None:
    """Take the run's folder for what is asked now; an error where it holds a training of something else."""
    path, wanted = run.folder(places) / "settings.sha256", digest(experiment, places, run)
    if path.is_file() and path.read_text().strip() != wanted:
        raise ExperimentError(
            f"{path.parent} holds a training with other settings or pictures than {experiment.file} and the lists in "
            f"{places.lists} say now: delete it to train {run.model} anew"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{wanted}\n")


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
