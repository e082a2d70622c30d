"""One run: a model, trained for one fold with one seed, written as ONNX and scored on what was held out.

A run's folder holds `history.csv`, `run.json`, `weights.pt`, `model.onnx` and, last of all, `scores.csv`: a run that
has its scores is finished and is not done again; without its scores alone, it is exported and scored again.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from . import distil, networks, onnx_file, score, split
from .augment import copies, shrink
from .data import ELPV_KINDS, DataError, Sample, load_images
from .experiment import Experiment, ExperimentError, Model
from .parallel import OneProcess
from .places import Places
from .train import Lesson, Training, label_loss

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
    if model.method in ("soft", "features"):
        wanted.append(Run(how.teacher, run.fold, experiment.seed))
    if model.method == "several":
        wanted += [
            Run(name, fold, experiment.seed)
            for name in (how.teacher, *how.specialists)
            for fold in split.folds(experiment)
        ]
    return wanted


def do(experiment: Experiment, places: Places, samples: list[Sample], run: Run, processes: OneProcess) -> None:
    """Train, write and score one run; every process of `processes` must call it. Rank 0 alone exports."""
    model, folder = experiment.model(run.model), run.folder(places)
    folder.mkdir(parents=True, exist_ok=True)
    fit, held_out = (_of_kind(part, model) for part in split.parts(experiment, places, samples, run.fold))
    network = networks.build(model, experiment.pixels)
    if not (folder / "weights.pt").is_file():
        _start(experiment, places, model, run, network)
        lesson, trained = _lesson(experiment, places, model, run, fit, network)
        seconds = Training(experiment, model, lesson, processes, folder).run(trained, run.seed)
        if processes.rank > 0:
            return
        told = {"fit": len(fit), "held_out": len(held_out), "cpu_seconds": seconds}
        (folder / "run.json").write_text(json.dumps(told) + "\n")
        torch.save(network.state_dict(), folder / "weights.new")
        (folder / "weights.new").replace(folder / "weights.pt")
        (folder / "checkpoint.pt").unlink()
    network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    shown = networks.Mirrored(network, model.size) if model.views > 1 else network
    onnx_file.write(shown, model.size, experiment.pixels.channels, folder / "model.onnx")
    write_scores(folder, held_out, score.differences(folder / "model.onnx", held_out, experiment.pixels))


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


def _of_kind(samples: list[Sample], model: Model) -> list[Sample]:
    chosen = [sample for sample in samples if model.kind in ("all", sample.kind)]
    if not chosen:
        raise DataError(f"{model.name} is for the kind '{model.kind}', and no sample is of it")
    return chosen


def _start(experiment: Experiment, places: Places, model: Model, run: Run, network: nn.Module) -> None:
    """Give `network` the weights of the model it starts from, trained for the same fold."""
    if model.start in ("random", "imagenet"):
        return
    folder = Run(model.start, run.fold, experiment.seed).folder(places)
    if not (folder / "weights.pt").is_file():
        raise ExperimentError(f"{model.name} starts from {model.start}, fold {run.fold}, which is not trained yet")
    networks.take_over(network, torch.load(folder / "weights.pt", weights_only=True))


def _lesson(experiment, places, model: Model, run: Run, fit: list[Sample], network) -> tuple[Lesson, nn.Module]:
    """What is learned in a run, and the module that learns it."""
    if model.task == "kind":
        chance = torch.from_numpy(truth(model, fit)).float()
    else:
        chance = torch.tensor([sample.probability for sample in fit])
    if model.tier not in ("student", "trial"):
        images = torch.from_numpy(load_images(fit, model.size, experiment.pixels))[None]
        return Lesson(images, chance[None, :, None], label_loss), network
    how = experiment.distil
    size = teacher_size(experiment)
    large = torch.from_numpy(load_images(fit, size, experiment.pixels))
    large = copies(large, experiment.augment, how.views, experiment.seed)
    images = torch.stack([shrink(view, model.size) for view in large])
    labels = chance.expand(how.views, -1)
    if model.method == "labels":
        return Lesson(images, labels[:, :, None], label_loss), network
    logits, features = _taught(experiment, places, model, run, fit, large)
    targets = torch.stack([labels, logits], 2)
    if model.method != "features":
        return Lesson(images, targets, distil.soft_loss(how)), network
    targets = torch.cat([targets, torch.from_numpy(distil.standardised(features))], 2)
    return Lesson(images, targets, distil.soft_loss(how)), distil.WithFeatures(network, features.shape[2])


def teacher_size(experiment: Experiment) -> int:
    """Pixels, width and height, of what the teachers are shown."""
    names = [experiment.distil.teacher, *experiment.distil.specialists]
    sizes = {model.size for model in experiment.models if model.name in names}
    if len(sizes) != 1:
        raise ExperimentError(f"teacher and specialists have inputs of {sorted(sizes)} pixels, want one size")
    return sizes.pop()


def _taught(experiment, places, model: Model, run: Run, fit: list[Sample], images) -> tuple[torch.Tensor, np.ndarray]:
    """The teachers' logit differences [views, n] and the general teacher's features [views, n, f]."""
    how, cache = experiment.distil, places.work / "answers"

    def ask(name: str, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        file = Run(name, run.fold, experiment.seed).folder(places) / "model.onnx"
        return distil.answers(file, images[:, chosen], experiment.pixels, cache / f"{name}-{run.fold}.npz")

    logits, features = ask(how.teacher, np.arange(len(fit)))
    if model.method == "several":
        weight = specialists_weight(experiment, places, fit)
        for name in how.specialists:
            chosen = np.flatnonzero([sample.kind == experiment.model(name).kind for sample in fit])
            logits[:, chosen] += weight * (ask(name, chosen)[0] - logits[:, chosen])
    return torch.from_numpy(logits), features


def specialists_weight(experiment: Experiment, places: Places, fit: list[Sample]) -> float:
    """Weight of the specialists beside the general teacher, 0..1 in tenths: the greatest AUC on `fit`.

    Judged by scores of models that have not seen the sample: those of the fold that holds it out.
    """
    how = experiment.distil
    general = pooled(experiment, places, how.teacher)
    special = {}
    for name in how.specialists:
        special |= pooled(experiment, places, name)
    known = [sample for sample in fit if sample.stem in general and sample.stem in special]
    one = np.array([general[sample.stem] for sample in known])
    two = np.array([special[sample.stem] for sample in known])
    right = [sample.defective for sample in known]
    weights = [tenths / 10 for tenths in range(11)]
    return max(weights, key=lambda weight: roc_auc_score(right, (1 - weight) * one + weight * two))


def pooled(experiment: Experiment, places: Places, name: str) -> dict[str, float]:
    """The out-of-fold logit differences of a model by stem, first seed, over all folds."""
    return {
        stem: logit
        for fold in split.folds(experiment)
        for stem, logit in read_scores(Run(name, fold, experiment.seed).folder(places)).items()
    }
