"""Episodes: a few labelled cells a class (support), and others to be judged (query).

Training sees one cell type only, so its episodes come from pseudo-tasks: that type x a cluster of its cells in the
frozen features x a way of imaging. They are stand-ins for new types and nothing more.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize


class EpisodeError(Exception):
    """There are too few cells for an episode."""


@dataclass(frozen=True)
class Episode:
    """Support and query as indices of cells; no cell is in both."""

    support: np.ndarray  # [2 * shots], the good ones first
    query: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """Labels of the support, 0 good, 1 defective, [2 * shots]."""
        return np.repeat([0, 1], len(self.support) // 2)


@dataclass(frozen=True)
class Task:
    """A pseudo-task: some of the cells, imaged in one way."""

    cells: np.ndarray  # indices
    imaging: str


def pseudo_tasks(features: np.ndarray, clusters: int, imaging: tuple[str, ...], seed: int) -> list[Task]:
    """Every cluster of the features [n, d] and the whole of them, in every imaging.

    Clusters are of directions (features of length 1): of the plain features one cluster would hold nearly all cells.
    """
    cluster = KMeans(clusters, n_init=4, random_state=seed).fit_predict(normalize(features))
    groups = [np.arange(len(features)), *(np.flatnonzero(cluster == index) for index in range(clusters))]
    return [Task(group, one) for group in groups for one in imaging]


def training_episode(
    task: Task, truth: np.ndarray, shots: int, queries: int, generator: np.random.Generator
) -> Episode:
    """`shots` and at most `queries` cells a class of the task, balanced; truth is 0 or 1 for each cell, [n].

    Raises EpisodeError where a class has no cell left to ask for.
    """
    classes = [generator.permutation(task.cells[truth[task.cells] == label]) for label in (0, 1)]
    queries = min(queries, *(len(members) - shots for members in classes))
    if queries < 1:
        raise EpisodeError(f"{shots} shots need more cells a class than {', '.join(str(len(c)) for c in classes)}")
    return Episode(
        np.concatenate([members[:shots] for members in classes]),
        np.concatenate([members[shots : shots + queries] for members in classes]),
    )


def evaluation_episodes(truth: np.ndarray, shots: int, queries: int, count: int, seed: int) -> list[Episode]:
    """`count` episodes of a new type: balanced support; the query is drawn from all other cells as they come.

    The same arguments give the same episodes, so that every method is measured on the same ones.
    Raises EpisodeError where a class has too few cells.
    """
    rare = min(int(truth.sum()), int(len(truth) - truth.sum()))
    if rare <= shots:
        raise EpisodeError(f"{shots} shots: the rarer class has {rare} cells, want more than {shots}")
    generator = np.random.default_rng([seed, shots])
    episodes = []
    for _ in range(count):
        support = np.concatenate(
            [generator.choice(np.flatnonzero(truth == label), shots, replace=False) for label in (0, 1)]
        )
        others = np.setdiff1d(np.arange(len(truth)), support)
        query = np.sort(generator.choice(others, min(queries, len(others)), replace=False))
        episodes.append(Episode(support, query))
    return episodes
