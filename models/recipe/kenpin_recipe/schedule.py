"""The learning rate while training, chosen by name.

cosine    linear warm-up over a tenth of the steps, then half a cosine down to 0 (Loshchilov and Hutter
          2017, "SGDR", without restarts)
plateau   the rate is halved when the epoch's loss has not sunk for `PATIENCE` epochs
          (`torch.optim.lr_scheduler.ReduceLROnPlateau`)
gradient  hypergradient descent (Baydin et al. 2018, "Online Learning Rate Adaptation with Hypergradient
          Descent"), its multiplicative form, on AdamW's global rate

Each is driven alike:

    chosen = schedule.make("gradient", optimiser, steps)
    for every epoch:
        for every batch: zero_grad, backward, optimiser.step(), chosen.step()
        chosen.epoch(loss)

`gradient` reads the gradients in a hook that the optimiser itself calls first in `optimiser.step()`, so it
does not matter to it whether `chosen.step()` comes before or after `zero_grad`.
"""

import math
from collections.abc import Callable

import torch
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer, lr_scheduler

from .experiment import ExperimentError

NAMES = ("cosine", "plateau", "gradient")
WARM_UP = 0.1  # cosine: share of all steps
PATIENCE = 2  # plateau: epochs without a lower loss that are borne
FACTOR = 0.5  # plateau: what the rate is multiplied with then
STRENGTH = 0.05  # gradient: largest relative change of the rate in one step
BOUNDS = (0.01, 10.0)  # gradient: least and greatest rate, as multiples of the rate at the start


class Schedule:
    """What all schedules share: a rate that stays as it is, and nothing to remember."""

    def step(self) -> None:
        """Call after each step of the optimiser."""

    def epoch(self, loss: float) -> None:
        """Call after each epoch with its loss, the same number on every process."""

    def state_dict(self) -> dict:
        """What a resumed training needs beside the optimiser's own state."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Go on from `state`; the optimiser's state is loaded before."""


class Cosine(Schedule):
    """Warm-up and half a cosine over `steps` steps of the optimiser."""

    def __init__(self, optimiser: Optimizer, steps: int):
        self._inner = lr_scheduler.LambdaLR(optimiser, lambda step: cosine(step, steps))

    def step(self) -> None:
        self._inner.step()

    def state_dict(self) -> dict:
        return self._inner.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self._inner.load_state_dict(state)


class Plateau(Schedule):
    """The rate halved when the epoch's loss no longer sinks."""

    def __init__(self, optimiser: Optimizer):
        self._inner = lr_scheduler.ReduceLROnPlateau(optimiser, factor=FACTOR, patience=PATIENCE)

    def epoch(self, loss: float) -> None:
        self._inner.step(loss)

    def state_dict(self) -> dict:
        return self._inner.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self._inner.load_state_dict(state)


class Gradient(Schedule):
    """Hypergradient descent on the rate of AdamW: faster while steps agree, slower when they turn back.

    With g the new gradient, m and v AdamW's bias-corrected moments after the last step, and
    u = m / (sqrt(v) + eps) the direction that step went down, the derivative of the loss in the rate
    is -g.u. The rate is multiplied with 1 + STRENGTH * cos(g, u) before the new step is made, within
    BOUNDS. Weight decay, which is no part of the loss, is left out. All groups share one factor.

    `total` sums a tensor over processes that hold different parameters (see `parallel.py`).
    """

    def __init__(self, optimiser: Optimizer, total: Callable[[torch.Tensor], torch.Tensor]):
        if not isinstance(optimiser, torch.optim.AdamW):
            raise ExperimentError(f"schedule gradient works on AdamW, not on {type(optimiser).__name__}")
        self._optimiser = optimiser
        self._total = total
        self._start = [group["lr"] for group in optimiser.param_groups]
        self._factor = 1.0
        optimiser.register_step_pre_hook(self._before_step)

    def state_dict(self) -> dict:
        return {"factor": self._factor, "start": self._start}

    def load_state_dict(self, state: dict) -> None:
        self._factor, self._start = state["factor"], list(state["start"])

    def _before_step(self, optimiser: Optimizer, *_) -> None:
        """Change the rate by how well the new gradients agree with the last step."""
        agreement = self._agreement()
        least, greatest = BOUNDS
        self._factor = min(max(self._factor * (1 + STRENGTH * agreement), least), greatest)
        for group, start in zip(optimiser.param_groups, self._start):
            group["lr"] = start * self._factor

    def _agreement(self) -> float:
        """Cosine of the angle between new gradient and last direction, -1..1; 0 before the first step."""
        sums = [torch.zeros(3)]
        for group in self._optimiser.param_groups:
            for weights in group["params"]:
                if weights.grad is not None and self._optimiser.state.get(weights):
                    sums.append(_products(weights.grad, self._optimiser.state[weights], group))
        product, gradient, direction = self._total(torch.stack(sums).sum(0)).tolist()
        length = math.sqrt(gradient * direction)
        return product / length if length > 0 else 0.0


def make(
    name: str,
    optimiser: Optimizer,
    steps: int,
    total: Callable[[torch.Tensor], torch.Tensor] = lambda values: values,
) -> Schedule:
    """The schedule called `name` (one of `NAMES`) for `optimiser`, whose rates are the full ones.

    `steps` is the number of steps of the whole training, at least 1; only `cosine` needs it. `total` is
    `Parallel.total` where several processes train; only `gradient` needs it.
    """
    if steps < 1:
        raise ExperimentError(f"a schedule needs at least 1 step, not {steps}")
    if name == "cosine":
        return Cosine(optimiser, steps)
    if name == "plateau":
        return Plateau(optimiser)
    if name == "gradient":
        return Gradient(optimiser, total)
    raise ExperimentError(f"schedule must be one of {', '.join(NAMES)}, not '{name}'")


def cosine(step: int, steps: int) -> float:
    """Share 0..1 of the full rate for step number `step`, counted from 0, of `steps`."""
    rising = round(WARM_UP * steps)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * min((step - rising) / (steps - rising), 1)))


def _products(gradient: torch.Tensor, state: dict, group: dict) -> torch.Tensor:
    """g.u, g.g and u.u of one parameter, as much of it as this process holds; float [3] on the CPU."""
    gradient, first, second = map(_local, (gradient, state["exp_avg"], state["exp_avg_sq"]))
    first, second = (
        moment / (1 - beta ** float(state["step"])) for moment, beta in zip((first, second), group["betas"])
    )
    direction = first / (second.sqrt() + group["eps"])
    return torch.stack([(a * b).sum() for a, b in ((gradient, direction), (gradient,) * 2, (direction,) * 2)]).cpu()


def _local(tensor: torch.Tensor) -> torch.Tensor:
    """What this process holds of a tensor that may be sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
