"""How each method learns a new type from the support of an episode, and what it says to the query.

frozen-prototype   frozen ImageNet features (1,280 of EfficientNet-lite0), nearest class mean
frozen-logistic    the same features, logistic regression
prototypical       embedding trained by episodes on pseudo-tasks of the old type, nearest class mean
reptile            weights from Reptile on the same pseudo-tasks, a few gradient steps on all trained blocks
fine-tune          network trained plainly on the old type, the same gradient steps
fine-tune-head     the features of that network, a new logistic regression as its head
unadapted          that network as it is: it never sees the support
"""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from . import meta, network
from .direction import Direction
from .episodes import Episode

Judge = Callable[[Episode], np.ndarray]
"""Scores of the query of an episode, above 0 where defective is likelier, [n]."""


def unadapted(direction: Direction) -> Judge:
    margin = _margin(network.answers(direction.plain(), direction.new.maps))
    return lambda episode: margin[episode.query]


def frozen_prototype(direction: Direction) -> Judge:
    return _nearest(torch.from_numpy(_standardised(direction.old.features, direction.new.features)))


def frozen_logistic(direction: Direction) -> Judge:
    return _logistic(_standardised(direction.old.features, direction.new.features), direction)


def prototypical(direction: Direction) -> Judge:
    return _nearest(network.answers(direction.prototypical(), direction.new.maps))


def reptile(direction: Direction) -> Judge:
    return _gradient(direction.reptile(), direction)


def fine_tune(direction: Direction) -> Judge:
    return _gradient(direction.plain(), direction)


def fine_tune_head(direction: Direction) -> Judge:
    trained = direction.plain()
    old, new = (network.answers(trained.pooled, cells.maps).numpy() for cells in (direction.old, direction.new))
    return _logistic(_standardised(old, new), direction)


METHODS: dict[str, Callable[[Direction], Judge]] = {
    "frozen-prototype": frozen_prototype,
    "frozen-logistic": frozen_logistic,
    "prototypical": prototypical,
    "reptile": reptile,
    "fine-tune": fine_tune,
    "fine-tune-head": fine_tune_head,
}


def _nearest(embeddings: torch.Tensor) -> Judge:
    """Judge by the nearer of two prototypes; embeddings of all cells [n, d]."""

    def judge(episode: Episode) -> np.ndarray:
        centres = meta.prototypes(embeddings[episode.support], torch.from_numpy(episode.labels))
        return _margin(meta.prototypical_logits(embeddings[episode.query], centres))

    return judge


def _logistic(features: np.ndarray, direction: Direction) -> Judge:
    """Judge by a logistic regression fitted on the support; features of all cells [n, d]."""
    inverse_penalty = direction.settings.frozen.inverse_penalty

    def judge(episode: Episode) -> np.ndarray:
        head = LogisticRegression(C=inverse_penalty, max_iter=1000)
        head.fit(features[episode.support], episode.labels)
        return head.decision_function(features[episode.query])

    return judge


def _gradient(start: network.Late, direction: Direction) -> Judge:
    """Judge by a copy of `start` after some steps down the gradient of the support."""
    how, maps = direction.settings.adaptation, direction.new.maps

    def judge(episode: Episode) -> np.ndarray:
        labels = torch.from_numpy(episode.labels)
        adapted = meta.adapt(start, maps[episode.support], labels, how.steps, how.learning_rate)
        return _margin(network.answers(adapted, maps[episode.query]))

    return judge


def _standardised(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Features of the new type with mean and deviation of the old one: nothing of the query is used."""
    return StandardScaler().fit(old).transform(new)


def _margin(logits: torch.Tensor) -> np.ndarray:
    """Logit of defective less that of good, [n]."""
    return (logits[:, 1] - logits[:, 0]).numpy()
