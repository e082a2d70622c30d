"""What a run learns: pictures and targets, of the labels or of the teachers."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import distil, onnx_file
from .augment import copies, shrink
from .data import Sample, load_images
from .experiment import Experiment, Model
from .run import Run, truth
from .train import Lesson, label_loss


def make(experiment, places, model: Model, run: Run, fit: list[Sample], network) -> tuple[Lesson, nn.Module]:
    """What `network` learns in a run from the samples of `fit`, and the module that learns it."""
    if model.task == "kind":
        chance = torch.from_numpy(truth(model, fit)).float()
    else:
        chance = torch.tensor([sample.probability for sample in fit])
    if model.tier not in ("student", "trial"):
        images = torch.from_numpy(load_images(fit, model.size, experiment.pixels))[None]
        return Lesson(images, chance[None, :, None], label_loss), network
    how = experiment.distil
    size = max(model.size, *(_size(experiment, name) for name in (how.teacher, *how.specialists)))
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


def _size(experiment: Experiment, teacher: str) -> int:
    """Pixels, width and height, of what a teacher is shown."""
    return onnx_file.size(Path(teacher)) if teacher.endswith(".onnx") else experiment.model(teacher).size


def _taught(experiment, places, model: Model, run: Run, fit: list[Sample], images) -> tuple[torch.Tensor, np.ndarray]:
    """The teachers' logit differences [views, n] and the general teacher's features [views, n, f]."""

    def ask(name: str, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shown = torch.stack([shrink(view[chosen], _size(experiment, name)) for view in images])
        own = Run(name, run.fold, experiment.seed).folder(places) / "model.onnx"
        file = Path(name) if name.endswith(".onnx") else own
        return distil.answers(
            file, shown, experiment.pixels, places.work / "answers" / f"{Path(name).stem}-{run.fold}.npz"
        )

    logits, features = ask(experiment.distil.teacher, np.arange(len(fit)))
    if model.method == "several":
        weight = experiment.distil.specialists_share
        for name in experiment.distil.specialists:
            chosen = np.flatnonzero([sample.kind == experiment.model(name).kind for sample in fit])
            logits[:, chosen] += weight * (ask(name, chosen)[0] - logits[:, chosen])
    return torch.from_numpy(logits), features
