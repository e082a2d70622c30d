"""One direction of the comparison: a cell type that training sees and one that comes new, with what is trained once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from .. import data
from ..data import Sample
from . import imaging, meta, network
from .episodes import pseudo_tasks
from .settings import Settings


@dataclass
class Cells:
    """Cells of one type and what the untrained networks make of them."""

    cells: list[Sample]
    images: torch.Tensor  # grey levels, float [n, 1, size, size]
    truth: np.ndarray  # 0 good, 1 defective, [n]
    features: np.ndarray  # frozen features of the whole network, [n, 1280]
    maps: torch.Tensor  # past the frozen blocks, [n, c, h, w]


def read(cells: list[Sample], settings: Settings) -> Cells:
    """Load the images of `cells` and pass them through the untrained networks."""
    how, pixels = settings.network, settings.pixels
    images = torch.from_numpy(data.load_images(cells, how.size, pixels)).float()
    return Cells(
        cells,
        images,
        np.array([int(cell.defective) for cell in cells]),
        network.imagenet_features(how, pixels, images).numpy(),
        network.answers(network.early(how), network.normalise(pixels, images), "early blocks"),
    )


class Direction:
    """From the type `old` to the type `new`. Each network is trained once and kept in `folder`."""

    def __init__(self, settings: Settings, old: Cells, new: Cells, folder: Path):
        """`old` holds the cells that are trained on, `new` those that episodes are drawn from."""
        self.settings, self.old, self.new, self.folder = settings, old, new, folder
        self.name = f"{old.cells[0].kind}-to-{new.cells[0].kind}"

    def plain(self) -> network.Late:
        """Trained on the old type in the ordinary way."""
        return self._trained("plain", network.classifier, meta.train_plain)

    def prototypical(self) -> network.Late:
        """The embedding, trained by episodes."""
        return self._trained("prototypical", network.embedder, meta.train_prototypical)

    def reptile(self) -> network.Late:
        """Weights to adapt from, trained by Reptile."""
        return self._trained("reptile", network.classifier, meta.train_reptile)

    @cached_property
    def bank(self) -> meta.Bank:
        """The old type in every imaging and in randomly turned views, and the pseudo-tasks of it."""
        settings, early = self.settings, network.early(self.settings.network)
        generator = torch.Generator().manual_seed(settings.seed)
        maps, wanted = {}, dict.fromkeys(settings.tasks.imaging + settings.plain.imaging)
        for name in tqdm(wanted, desc=f"{self.name}: imaging", leave=False):
            changed = imaging.change(self.old.images, settings.imaging[name])
            views = [imaging.turn(changed, generator) for _ in range(settings.tasks.views)]
            inputs = (network.normalise(settings.pixels, view) for view in views)
            maps[name] = torch.stack([network.answers(early, view) for view in inputs])
        features = StandardScaler().fit_transform(self.old.features)
        tasks = pseudo_tasks(features, settings.tasks.clusters, settings.tasks.imaging, settings.seed)
        return meta.Bank(maps, self.old.truth, tasks)

    def _trained(self, name: str, build: Callable, train: Callable) -> network.Late:
        """The network called `name`: as kept, or trained now and kept."""
        torch.manual_seed(self.settings.seed)
        fresh, path = build(self.settings.network), self.folder / f"{self.name}.{name}.pt"
        if path.is_file():
            fresh.load_state_dict(torch.load(path, weights_only=True))
        else:
            train(fresh, self.bank, self.settings)
            torch.save(fresh.state_dict(), path.with_suffix(".part"))
            path.with_suffix(".part").rename(path)
        return fresh
