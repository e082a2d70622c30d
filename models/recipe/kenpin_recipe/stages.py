"""A network cut into stages of a pipeline: consecutive pieces, under the names they have in the whole."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from .experiment import ExperimentError
from .networks import Lite0, Plain


@dataclass(frozen=True)
class Piece:
    """What is never cut: a block of the network, or pooling with all that follows it."""

    modules: dict[str, nn.Module]  # by the name they have in the network, e.g. blocks.3
    run: Callable[[torch.Tensor], torch.Tensor]  # features before to features after


class Stage(nn.Module):
    """Consecutive pieces. Its weights have the names that they have in the whole network."""

    def __init__(self, chosen: list[Piece]):
        super().__init__()
        self._runs = [piece.run for piece in chosen]
        for piece in chosen:
            for name, module in piece.modules.items():
                self._place(name, module)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        for run in self._runs:
            features = run(features)
        return features

    def _place(self, path: str, module: nn.Module) -> None:
        """Make `module` reachable as `path`, with empty modules on the way."""
        holder, (*way, name) = self, path.split(".")
        for part in way:
            if part not in holder._modules:
                holder.add_module(part, nn.Module())
            holder = holder.get_submodule(part)
        holder.add_module(name, module)


def stage(network: nn.Module, index: int, stages: int) -> Stage:
    """Stage number `index` of `stages`, each with the same number of pieces, give or take one."""
    every = _pieces(network)
    if len(every) < stages:
        raise ExperimentError(
            f'parallel = "pipeline": {type(network).__name__} has {len(every)} pieces, too few for {stages} processes'
        )
    return Stage(every[index * len(every) // stages : (index + 1) * len(every) // stages])


def _pieces(network: nn.Module) -> list[Piece]:
    """The pieces of a network in the order they are run."""
    if isinstance(network, Lite0):
        return _lite0(network)
    if isinstance(network, Plain):
        return _plain(network)
    raise ExperimentError(f'parallel = "pipeline" can cut Lite0 and Plain, not {type(network).__name__}')


def _lite0(network: Lite0) -> list[Piece]:
    """Stem, each block, and at last the head with pooling and the linear layer; as `Lite0.forward`."""
    found = [Piece({"stem": network.stem}, network.stem)]
    for index, block in enumerate(network.blocks):
        run = partial(block, drop_connect_rate=network.drop_rate(index))
        found.append(Piece({f"blocks.{index}": block}, run))
    last = {name: getattr(network, name) for name in ("head", "dropout", "classify")}
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return [*found, Piece(last, nn.Sequential(last["head"], pool, last["dropout"], last["classify"]))]


def _plain(network: Plain) -> list[Piece]:
    """Each convolution with its batch norm, and at last pooling with the linear layer."""
    layers = {f"features.{name}": layer for name, layer in network.features.named_children()}
    names = list(layers)
    found = []
    for first in range(0, len(names) - 2, 3):  # the last two are pooling
        chosen = {name: layers[name] for name in names[first : first + 3]}
        found.append(Piece(chosen, nn.Sequential(*chosen.values())))
    last = {**{name: layers[name] for name in names[-2:]}, "classify": network.classify}
    return [*found, Piece(last, nn.Sequential(*last.values()))]
