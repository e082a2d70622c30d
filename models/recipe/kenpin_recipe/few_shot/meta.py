"""Learning to learn: prototypical networks (Snell et al. 2017) and Reptile (Nichol et al. 2018), beside plain training.

All three train a `Late` network on the same cached feature maps of one cell type.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import trange

from .episodes import Episode, EpisodeError, Task, training_episode
from .settings import Settings


@dataclass
class Bank:
    """What training sees: cells of one type in every imaging and view, already past the frozen blocks."""

    maps: dict[str, torch.Tensor]  # imaging to [views, n, c, h, w]
    truth: np.ndarray  # 0 good, 1 defective, [n]
    tasks: list[Task]

    def draw(self, imaging: str, cells: np.ndarray, generator: np.random.Generator) -> torch.Tensor:
        """Maps of `cells` in one imaging, each in a view drawn for it."""
        maps = self.maps[imaging]
        views = generator.integers(len(maps), size=len(cells))
        return maps[torch.from_numpy(views), torch.from_numpy(cells)].contiguous(memory_format=torch.channels_last)


def prototypes(embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean embedding of each class, [2, d]; embeddings [n, d], labels 0 or 1 [n] (Snell et al. 2017, eq. 1)."""
    return torch.stack([embeddings[labels == label].mean(0) for label in (0, 1)])


def prototypical_logits(embeddings: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Minus the squared Euclidean distance to each prototype, [n, 2] (Snell et al. 2017, eq. 2)."""
    return -(embeddings[:, None] - centres[None]).square().sum(2)


def prototypical_loss(
    support: torch.Tensor, labels: torch.Tensor, query: torch.Tensor, truth: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy of the query under the prototypes of the support; embeddings [n, d] and labels [n] of each."""
    return F.cross_entropy(prototypical_logits(query, prototypes(support, labels)), truth)


def adapt(
    network: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, steps: int, learning_rate: float
) -> nn.Module:
    """A copy of `network` after `steps` of gradient descent on the cross-entropy of the whole support."""
    adapted = copy.deepcopy(network)
    parameters = list(adapted.parameters())
    for _ in range(steps):
        gradients = torch.autograd.grad(F.cross_entropy(adapted(inputs), labels), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                parameter -= learning_rate * gradient
    return adapted


def reptile_step(network: nn.Module, adapted: nn.Module, rate: float) -> None:
    """Move the weights w of `network` towards the adapted ones v: w + rate * (v - w) (Nichol et al. 2018, alg. 1)."""
    with torch.no_grad():
        for parameter, goal in zip(network.parameters(), adapted.parameters()):
            parameter.lerp_(goal, rate)


def train_prototypical(network: nn.Module, bank: Bank, settings: Settings) -> None:
    """Episodic training of an embedding network, in place."""
    how = settings.prototypical
    optimiser, schedule = _optimiser(network, how.learning_rate, how.weight_decay, how.steps)
    for task, episode, generator in _episodes(bank, settings, how.steps, "prototypical"):
        cells = np.concatenate([episode.support, episode.query])
        embeddings = network(bank.draw(task.imaging, cells, generator))
        support, query = embeddings.split([len(episode.support), len(episode.query)])
        labels, truth = _tensor(episode.labels), _tensor(bank.truth[episode.query])
        _descend(prototypical_loss(support, labels, query, truth), optimiser, schedule)


def train_reptile(network: nn.Module, bank: Bank, settings: Settings) -> None:
    """Reptile over the pseudo-tasks, in place. A task is learnt from all cells of its episode."""
    how = settings.reptile
    for step, (task, episode, generator) in enumerate(_episodes(bank, settings, how.steps, "reptile")):
        cells = np.concatenate([episode.support, episode.query])
        inputs, labels = bank.draw(task.imaging, cells, generator), _tensor(bank.truth[cells])
        adapted = adapt(network, inputs, labels, how.inner_steps, how.inner_learning_rate)
        reptile_step(network, adapted, how.outer_rate * (1 - step / how.steps))


def train_plain(network: nn.Module, bank: Bank, settings: Settings) -> None:
    """Ordinary training on the type, in place: no episodes, half of each batch defective."""
    how = settings.plain
    optimiser, schedule = _optimiser(network, how.learning_rate, how.weight_decay, how.steps)
    generator = np.random.default_rng(settings.seed)
    classes = [np.flatnonzero(bank.truth == label) for label in (0, 1)]
    for _ in trange(how.steps, desc="plain", leave=False):
        imaging = how.imaging[generator.integers(len(how.imaging))]
        cells = np.concatenate([generator.choice(members, how.batch // 2, replace=False) for members in classes])
        error = F.cross_entropy(network(bank.draw(imaging, cells, generator)), _tensor(bank.truth[cells]))
        _descend(error, optimiser, schedule)


def _episodes(
    bank: Bank, settings: Settings, count: int, title: str
) -> Iterator[tuple[Task, Episode, np.random.Generator]]:
    """Episodes of pseudo-tasks drawn at random; a cluster with too few cells for the shots drawn is passed over."""
    generator = np.random.default_rng(settings.seed)
    for _ in trange(count, desc=title, leave=False):
        while True:
            task = bank.tasks[generator.integers(len(bank.tasks))]
            shots = int(generator.choice(settings.tasks.shots))
            try:
                episode = training_episode(task, bank.truth, shots, settings.tasks.queries, generator)
            except EpisodeError:
                continue
            yield task, episode, generator
            break


def _optimiser(network: nn.Module, rate: float, decay: float, steps: int):
    """AdamW whose rate falls along half a cosine."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)


def _descend(error: torch.Tensor, optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler):
    """One step down the gradient of `error`."""
    optimiser.zero_grad()
    error.backward()
    optimiser.step()
    schedule.step()


def _tensor(labels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(labels.astype(np.int64))
