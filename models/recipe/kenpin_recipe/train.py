"""Training of one model: AdamW, warm-up and cosine, averaged weights, best epoch by validation loss."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from . import metrics, networks
from .answers import load_checkpoint, logits, normalise
from .augment import augment
from .calibrate import calibrate
from .data import Cell, load_images, select
from .distill import soft_labels
from .experiment import Experiment, Model
from .places import checkpoint

AVERAGE_DECAY = 0.98  # per step: the mean of about the last 50 steps
WARM_UP = 0.1  # share of all steps


@dataclass
class Part:
    """Images uint8 [n, 1, h, w], and as target the chance of the second class, float [n]."""

    images: torch.Tensor
    target: torch.Tensor
    truth: torch.Tensor  # 0 or 1


def train(experiment: Experiment, model: Model, cells: list[Cell]) -> None:
    """Train `model`; after each epoch its checkpoint holds the best weights so far."""
    started = time.process_time()
    torch.manual_seed(experiment.seed)
    fit_cells = select(cells, experiment.dataset, "fit", model.cells)
    fit = load_part(model, fit_cells)
    validation = load_part(model, select(cells, experiment.dataset, "validation", model.cells))
    if model.soft_label_share:
        fit.target = torch.lerp(fit.target, soft_labels(experiment, fit_cells), model.soft_label_share)
    network = networks.build(model)
    if model.start not in ("random", "imagenet"):
        taken = networks.load_common(network, load_checkpoint(model.start)["weights"])
        print(f"{model.name}: {taken} weights taken from {model.start}")
    path = checkpoint(model.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept, history = {}, []
    for averaged in _epochs(experiment, model, network, fit):
        answer = logits(experiment.pixels, averaged, validation.images)
        history.append(_figures(answer, validation))
        tqdm.write(f"{model.name} epoch {len(history)}: {history[-1]}")
        if history[-1]["loss"] == min(line["loss"] for line in history):
            weights = {name: value.clone() for name, value in averaged.state_dict().items()}
            kept = {"weights": weights, "calibration": calibrate(answer, validation.truth)}
        torch.save({**kept, "history": history, "cpu_seconds": time.process_time() - started}, path)


def load_part(model: Model, cells: list[Cell]) -> Part:
    """Images and targets of `cells` for the task of `model`."""
    images = torch.from_numpy(load_images(cells, model.size)).unsqueeze(1)
    truth = torch.from_numpy(metrics.truth(model, cells))
    if model.task == "defect" and model.soft_targets:
        target = torch.tensor([cell.probability for cell in cells])
    else:
        target = truth.float()
    return Part(images, target, truth)


def loss(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of logits [n, 2] against the chance of the second class [n]."""
    return F.cross_entropy(answer, torch.stack([1 - target, target], 1))


def _epochs(experiment: Experiment, model: Model, network: nn.Module, fit: Part) -> Iterator[nn.Module]:
    """Train epoch by epoch; after each one, the network with averaged weights."""
    network.to(memory_format=torch.channels_last)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True)
    steps = model.epochs * math.ceil(len(fit.images) / model.batch)
    optimiser = torch.optim.AdamW(
        [p for p in network.parameters() if p.requires_grad],
        lr=model.learning_rate,
        weight_decay=model.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / steps))
    generator = torch.Generator().manual_seed(experiment.seed)
    with tqdm(total=steps, desc=model.name, unit="step") as bar:
        for _ in range(model.epochs):
            network.train()
            for batch in torch.randperm(len(fit.images), generator=generator).split(model.batch):
                images = augment(fit.images[batch].float(), experiment.augment, generator)
                error = loss(network(normalise(experiment.pixels, images)), fit.target[batch])
                optimiser.zero_grad()
                error.backward()
                optimiser.step()
                schedule.step()
                average.update_parameters(network)
                bar.update()
            yield average.module


def _rate(progress: float) -> float:
    """Share of the full learning rate at `progress` 0..1: linear warm-up, then half a cosine."""
    if progress < WARM_UP:
        return progress / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def _figures(answer: torch.Tensor, part: Part) -> dict[str, float]:
    """Loss against the targets, accuracy and AUC against the truth; logits [n, 2]."""
    right = (answer.argmax(1) == part.truth).float().mean()
    figures = {
        "loss": loss(answer, part.target).item(),
        "accuracy": right.item(),
        "auc": float(roc_auc_score(part.truth, answer[:, 1] - answer[:, 0])),
    }
    return {name: round(value, 4) for name, value in figures.items()}
