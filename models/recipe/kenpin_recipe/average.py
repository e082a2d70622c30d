"""Averaged weights (exponential moving average, Polyak and Juditsky 1992) of what a process holds of a network.

`torch.optim.swa_utils.AveragedModel` copies the module, which FSDP2 does not allow; this keeps tensors only.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.distributed.tensor import DTensor


class Average:
    """The mean of the weights and buffers of `part`; the steps before count for `decay` (0..1) each time."""

    def __init__(self, part: nn.Module, decay: float):
        self._part, self._decay = part, decay
        self._mean = None  # until the first update

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are after a step; the first ones are taken over whole."""
        if self._mean is None:
            self.restart()
        for name, value in self._now().items():
            if value.is_floating_point():
                self._mean[name].lerp_(value, 1 - self._decay)
            else:
                self._mean[name].copy_(value)  # counters

    def restart(self) -> None:
        """Forget the steps before: the mean is the weights as they are."""
        self._mean = {name: value.clone() for name, value in self._now().items()}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the mean in place of the weights for as long as the context lasts; after the first update."""
        kept = {name: value.clone() for name, value in self._now().items()}
        self._put(self._mean)
        try:
            yield
        finally:
            self._put(kept)

    def _now(self) -> dict[str, torch.Tensor]:
        """The tensors themselves, by name; of sharded ones what this process holds."""
        return {name: _local(value) for name, value in self._part.state_dict().items()}

    @torch.no_grad()
    def _put(self, values: dict[str, torch.Tensor]) -> None:
        for name, value in self._now().items():
            value.copy_(values[name])


def _local(value: torch.Tensor) -> torch.Tensor:
    return value.to_local() if isinstance(value, DTensor) else value
