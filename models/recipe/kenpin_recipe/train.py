"""Training of one network: AdamW, a learning rate schedule, averaged weights, a checkpoint after each epoch.

On one process or on several, as `parallel.py` says; the loop is the same.
"""

import copy
import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from . import schedule
from .augment import augment
from .average import Average
from .experiment import Experiment, Model, Pixels
from .parallel import OneProcess

AVERAGE_DECAY = 0.98  # per step: the mean of about the last 50 steps
FASTER_HEAD = 2.0  # the last layer starts from noise: it learns this many times as fast


@dataclass
class Lesson:
    """What a network learns from.

    Images uint8 [views, n, channels, h, w]; targets float [views, n, t]; `loss` is the mean over a batch of
    answers [batch, a] and targets [batch, t].
    """

    images: torch.Tensor
    targets: torch.Tensor
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def label_loss(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of logits [n, 2] against the chance of the second class [n, 1]."""
    return nn.functional.cross_entropy(answer, torch.cat([1 - target, target], 1))


def normalise(pixels: Pixels, images: torch.Tensor) -> torch.Tensor:
    """Grey levels 0..255 to what a network takes in."""
    scaled = (images.float() / 255 - pixels.mean) / pixels.standard_deviation
    return scaled.contiguous(memory_format=torch.channels_last)


class Training:
    """The training of `network` on `lesson`, from its checkpoint in `folder` if there is one.

    `checkpoint.pt` holds all that an interrupted training goes on from, `history.csv` a line for each epoch.
    """

    def __init__(self, experiment: Experiment, model: Model, lesson: Lesson, processes: OneProcess, folder: Path):
        self.experiment, self.model, self.lesson = experiment, model, lesson
        self.processes, self.folder = processes, folder
        self.steps = math.ceil(lesson.images.shape[1] / model.batch)

    def run(self, network: nn.Module, seed: int) -> tuple[nn.Module, float]:
        """A trained copy of `network` on the CPU, with averaged weights, and the CPU seconds it took.

        Rank 0's is trained; the other processes get one that is not. `network` itself is used up.
        """
        answer = copy.deepcopy(network)
        torch.manual_seed(seed)
        network.to(memory_format=torch.channels_last)
        self.processes.prepare(network, self.lesson.loss)
        groups = _groups(self.processes.part, self.model.learning_rate)
        self.optimiser = torch.optim.AdamW(groups, weight_decay=self.model.weight_decay)
        total = self.steps * self.model.epochs
        self.schedule = schedule.make(self.model.schedule, self.optimiser, total, self.processes.total)
        self.average = Average(self.processes.part, AVERAGE_DECAY)
        self.generator = torch.Generator().manual_seed(seed)
        history = self._resume()
        before, started = history[-1]["cpu_seconds"] if history else 0.0, time.process_time()
        first, hidden = self.steps * len(history), self.processes.rank > 0
        with tqdm(total=total, initial=first, desc=self.folder.parent.name, unit="step", disable=hidden) as bar:
            for epoch in range(len(history), self.model.epochs):
                loss = self._epoch(bar)
                self.schedule.epoch(loss)
                line = {"epoch": epoch + 1, "loss": round(loss, 5), "rate": self.optimiser.param_groups[0]["lr"]}
                history.append(line | {"cpu_seconds": round(before + time.process_time() - started, 1)})
                self._save(history)
        with self.average.applied():
            weights = self.processes.weights()
        if self.processes.rank == 0:
            answer.load_state_dict(weights)
        return answer, history[-1]["cpu_seconds"]

    def _epoch(self, bar: tqdm) -> float:
        """One pass over the lesson; the mean loss."""
        self.processes.part.train()
        lesson, generator = self.lesson, self.generator
        views, count = lesson.images.shape[:2]
        total = 0.0
        for batch in torch.randperm(count, generator=generator).split(self.model.batch):
            batch = batch[: len(batch) // self.processes.micro_batches * self.processes.micro_batches]
            if len(batch) < self.processes.world:  # what is left at the end is too little to share
                continue
            view = torch.randint(views, batch.shape, generator=generator)
            images = augment(lesson.images[view, batch].float(), self.experiment.augment, generator)
            self.optimiser.zero_grad()
            loss = self.processes.step(normalise(self.experiment.pixels, images), lesson.targets[view, batch])
            self.optimiser.step()
            self.schedule.step()
            self.average.update()
            total += loss.item() * len(batch)
            bar.update()
        return total / count

    def _resume(self) -> list[dict]:
        """Go on from the checkpoint, if rank 0 has one: the history so far."""
        path = self.folder / "checkpoint.pt"
        kept = (
            torch.load(path, weights_only=True, map_location="cpu")
            if self.processes.rank == 0 and path.is_file()
            else None
        )
        kept = self.processes.share(kept)
        if kept is None:
            return []
        self.processes.load(self.optimiser, self.average, kept["state"])
        self.schedule.load_state_dict(kept["schedule"])
        self.generator.set_state(kept["generator"])
        torch.set_rng_state(kept["torch"])
        return kept["history"]

    def _save(self, history: list[dict]) -> None:
        """Replace checkpoint and history, so that a power cut leaves the old or the new."""
        state = self.processes.state(self.optimiser, self.average)
        if self.processes.rank > 0:
            return
        kept = {"state": state, "schedule": self.schedule.state_dict(), "history": history}
        kept |= {"generator": self.generator.get_state(), "torch": torch.get_rng_state()}
        torch.save(kept, self.folder / "checkpoint.new")
        (self.folder / "checkpoint.new").replace(self.folder / "checkpoint.pt")
        with (self.folder / "history.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, history[0].keys(), lineterminator="\n")
            table.writeheader()
            table.writerows(history)


def _groups(part: nn.Module, rate: float) -> list[dict]:
    """Parameters to train, those of the last layer at a higher rate."""
    chosen = [(name, weights) for name, weights in part.named_parameters() if weights.requires_grad]
    head = [weights for name, weights in chosen if "classify." in name]
    rest = [weights for name, weights in chosen if "classify." not in name]
    return [{"params": some, "lr": times * rate} for some, times in ((rest, 1.0), (head, FASTER_HEAD)) if some]
