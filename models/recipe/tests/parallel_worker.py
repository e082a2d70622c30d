"""One of the processes that `test_parallel.py` starts by `torchrun`: trains every case, rank 0 writes what came out.

torchrun --standalone --nproc-per-node 2 parallel_worker.py FILE
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from kenpin_recipe import batch_norm, experiment, networks, parallel, schedule
from kenpin_recipe.average import Average
from kenpin_recipe.places import EXPERIMENTS
from kenpin_recipe.train import Lesson, Training, label_loss

STEPS = 20
BATCH = 18  # two parts of 9 images; equal micro-batches of 6
MICRO_BATCHES = 3
LEARNING_RATE = 1e-3
DECAY = 0.9


@dataclass(frozen=True)
class Case:
    """What is trained, and how exactly sums are taken."""

    network: str  # plain or lite0-cut
    element: torch.dtype


CASES = (Case("plain", torch.float64), Case("lite0-cut", torch.float64), Case("plain", torch.float32))


def network(case: Case) -> nn.Module:
    """The seeded network of a case, without dropout and drop-path; its first block of lite0 is frozen."""
    torch.manual_seed(1)
    if case.network == "plain":
        return networks.Plain().to(case.element)
    made = networks.Lite0(32, channels=1, blocks=4, frozen_blocks=1)
    made.dropout.p, made.drop_path = 0.0, 0.0
    return made.to(case.element, memory_format=torch.channels_last)


def batches(case: Case) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """20 seeded batches out of 32 simulated images (noise, brighter where 1): [18, 1, 32, 32] and 0 or 1 [18].

    The last one is shorter, as at the end of an epoch.
    """
    generator = torch.Generator().manual_seed(2)
    target = torch.randint(2, (32,), generator=generator)
    images = torch.randn(32, 1, 32, 32, generator=generator) + 0.5 * target.view(-1, 1, 1, 1)
    sizes = [BATCH] * (STEPS - 1) + [BATCH - MICRO_BATCHES]
    drawn = [torch.randperm(32, generator=generator)[:size] for size in sizes]
    return [(images[chosen].to(case.element), target[chosen]) for chosen in drawn]


def train(processes: parallel.OneProcess, case: Case, keep: dict | None = None, go_on: dict | None = None) -> dict:
    """Losses and learning rates of all steps, final weights and their mean.

    Puts what a resumed training needs into `keep` at half-way, or goes on from there with what is in `go_on`.
    """
    processes.prepare(network(case), F.cross_entropy)
    optimiser = torch.optim.AdamW([w for w in processes.part.parameters() if w.requires_grad], lr=LEARNING_RATE)
    adapted = schedule.make("gradient", optimiser, STEPS, processes.total)
    average = Average(processes.part, DECAY)
    if go_on is not None:
        processes.load(optimiser, average, go_on["processes"])
        adapted.load_state_dict(go_on["schedule"])
    losses, rates = [], []
    for number, (images, target) in enumerate(batches(case)):
        if go_on is not None and number < STEPS // 2:
            continue
        if keep is not None and number == STEPS // 2:
            keep.update(processes=processes.state(optimiser, average), schedule=adapted.state_dict())
        optimiser.zero_grad()
        losses.append(processes.step(images, target).item())
        optimiser.step()
        adapted.step()
        average.update()
        rates.append(optimiser.param_groups[0]["lr"])
    with average.applied():
        mean = processes.weights()
    return {"losses": losses, "rates": rates, "weights": processes.weights(), "average": mean}


def recipes_loop(processes: parallel.OneProcess, kind: str, folder: Path) -> dict[str, torch.Tensor]:
    """Weights after three epochs of the recipe's own training loop, on simulated pictures that part evenly.

    At a low rate: AdamW divides a gradient of rounding errors alone by its own size.
    """
    read = experiment.read(EXPERIMENTS / "elpv.toml")
    model = replace(read.model("elpv-gate"), epochs=3, batch=12, learning_rate=1e-4)
    generator = torch.Generator().manual_seed(2)
    images = torch.randint(256, (1, 36, 1, 32, 32), generator=generator, dtype=torch.uint8)
    targets = torch.randint(2, (1, 36, 1), generator=generator).float()
    torch.manual_seed(1)
    lesson = Lesson(images, targets, label_loss)
    (folder / kind).mkdir(exist_ok=True)
    trained, _ = Training(read, model, lesson, processes, folder / kind).run(networks.Plain(), seed=1)
    return trained.state_dict()


def main(path: str) -> None:
    torch.set_num_threads(1)
    found, kept = {}, {}
    for kind in ("data", "model", "pipeline"):
        with parallel.start(kind, MICRO_BATCHES) as processes:
            for case in CASES:
                found[kind, case.network, str(case.element)] = train(
                    processes, case, kept if case is CASES[-1] else None
                )
            found[kind, "resumed"] = train(processes, CASES[-1], go_on=kept)
            found[kind, "recipe"] = recipes_loop(processes, kind, Path(path).parent)
    batch_norm.synchronise = lambda layers, _: layers  # to show that the comparison can fail
    with parallel.start("data") as processes:
        found["data without synchronised batch norm"] = train(processes, CASES[0])
        if processes.rank == 0:
            torch.save(found, path)


if __name__ == "__main__":
    main(sys.argv[1])
