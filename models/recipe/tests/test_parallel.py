"""Training on two processes equals training on one: losses, learning rates, weights and their mean.

Tolerances are relative, over all 20 steps. Sums taken in another order leave about 1e-16 in double and
1e-7 in single precision, which AdamW makes larger, as it divides small gradients by their own size: by how much
depends on the processor (1.6e-3 of single weights were seen). Double precision shows that the sums are the right ones,
single only that they are taken in it; a planted mistake moves weights by more than either tolerance.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from functools import cache
from pathlib import Path
from unittest import mock

import parallel_worker as worker
import torch
from torch.nn import functional as F

from kenpin_recipe import networks, parallel, schedule, stages
from kenpin_recipe.experiment import ExperimentError
from kenpin_recipe.places import RECIPE

TOLERANCE = {torch.float64: (1e-9, 1e-7), torch.float32: (1e-4, 1e-2)}  # of losses and rates, of weights
PROCESSES = 2


class TwoProcesses(unittest.TestCase):
    """Each kind against a plain training loop in this process that uses nothing of `parallel.py`."""

    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "found.pt"
            command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(PROCESSES)]
            run = subprocess.run(
                [sys.executable, *command, worker.__file__, path],
                env={**os.environ, "PYTHONPATH": str(RECIPE), "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                timeout=600,  # only so that a hang is told
            )
            if run.returncode:
                raise AssertionError(f"torchrun failed:\n{run.stderr}")
            cls.found = torch.load(path, weights_only=True)

    def test_data(self):
        self._check("data", 1)

    def test_model(self):
        self._check("model", 1)

    def test_pipeline(self):
        self._check("pipeline", worker.MICRO_BATCHES)

    def test_comparison_can_fail(self):
        case = worker.CASES[0]
        good, tolerance = one_process(case, 1), TOLERANCE[case.element][0]
        others = {
            "batch norm over half of the batch": self.found["data without synchronised batch norm"],
            "another learning rate": one_process(case, 1, worker.LEARNING_RATE * 1.01),
            "micro-batches": one_process(case, worker.MICRO_BATCHES),
        }
        for name, other in others.items():
            with self.subTest(name):
                self.assertGreater(difference(other["losses"], good["losses"]), 1e4 * tolerance)
                moved = weight_difference(other["weights"], good["weights"])
                self.assertGreater(moved, TOLERANCE[torch.float32][1], f"weights moved by {moved}")

    def test_resumed_half_way(self):
        for kind in ("data", "model", "pipeline"):
            with self.subTest(kind):
                case = worker.CASES[-1]
                whole, resumed = self.found[kind, case.network, str(case.element)], self.found[kind, "resumed"]
                for what in ("losses", "rates"):
                    self.assertEqual(resumed[what], whole[what][worker.STEPS // 2 :], what)
                for what in ("weights", "average"):
                    torch.testing.assert_close(resumed[what], whole[what], rtol=0, atol=0)

    def test_the_recipes_own_loop(self):
        with tempfile.TemporaryDirectory() as folder, parallel.start("none") as processes:
            wanted = worker.recipes_loop(processes, "none", Path(folder))
        for kind in ("data", "model"):
            with self.subTest(kind):
                self.assertLess(weight_difference(self.found[kind, "recipe"], wanted), TOLERANCE[torch.float32][1])
        self.assertEqual(set(self.found["pipeline", "recipe"]), set(wanted))

    def _check(self, kind: str, micro_batches: int):
        for case in worker.CASES:
            with self.subTest(kind=kind, network=case.network, element=case.element):
                found = self.found[kind, case.network, str(case.element)]
                wanted = one_process(case, micro_batches)
                curves, weights = TOLERANCE[case.element]
                self.assertEqual(len(found["losses"]), worker.STEPS)
                for what in ("losses", "rates"):
                    self.assertLess(difference(found[what], wanted[what]), curves, what)
                for what in ("weights", "average"):
                    self.assertLess(weight_difference(found[what], wanted[what]), weights, what)


class OneProcess(unittest.TestCase):
    def test_none_is_the_plain_loop(self):
        for case in worker.CASES[::2]:
            with parallel.start("none") as processes:
                found = worker.train(processes, case)
            self.assertEqual(found["losses"], one_process(case, 1)["losses"])

    def test_resumes(self):
        case, kept = worker.CASES[0], {}
        with parallel.start("none") as processes:
            whole = worker.train(processes, case, keep=kept)
            resumed = worker.train(processes, case, go_on=kept)
        self.assertEqual(resumed["losses"], whole["losses"][worker.STEPS // 2 :])
        torch.testing.assert_close(resumed["average"], whole["average"], rtol=0, atol=0)


class BadInput(unittest.TestCase):
    def test_is_named(self):
        with self.assertRaisesRegex(ExperimentError, "one of none, data, model, pipeline, not 'both'"):
            parallel.start("both")
        with self.assertRaisesRegex(ExperimentError, '"data" must be started by torchrun: RANK is not set'):
            parallel.start("data")
        with mock.patch.dict(os.environ, WORLD_SIZE="2"), self.assertRaisesRegex(ExperimentError, "on one process"):
            parallel.start("none")
        with self.assertRaisesRegex(ExperimentError, "Plain has 5 pieces, too few for 6 processes"):
            stages.stage(networks.Plain(), 0, 6)
        with self.assertRaisesRegex(ExperimentError, "can cut Lite0 and Plain, not Linear"):
            stages.stage(torch.nn.Linear(1, 1), 0, 2)


class Stages(unittest.TestCase):
    def test_one_after_the_other_they_are_the_network(self):
        for case in worker.CASES[:2]:
            network = worker.network(case).eval()
            images = worker.batches(case)[0][0]
            answer, names = images, []
            for index in range(3):
                part = stages.stage(network, index, 3).eval()
                answer, names = part(answer), names + list(part.state_dict())
            torch.testing.assert_close(answer, network(images), rtol=0, atol=0)
            self.assertEqual(sorted(names), sorted(network.state_dict()))


@cache
def one_process(case: worker.Case, micro_batches: int, learning_rate: float = worker.LEARNING_RATE) -> dict:
    """What `worker.train` gives, by a plain loop that adds up the gradients of `micro_batches` equal parts."""
    network = worker.network(case).train()
    optimiser = torch.optim.AdamW([w for w in network.parameters() if w.requires_grad], lr=learning_rate)
    adapted = schedule.make("gradient", optimiser, worker.STEPS)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(worker.DECAY), use_buffers=True
    )
    losses, rates = [], []
    for images, target in worker.batches(case):
        optimiser.zero_grad()
        parts = zip(images.chunk(micro_batches), target.chunk(micro_batches))
        errors = [F.cross_entropy(network(some), right) / micro_batches for some, right in parts]
        sum(errors).backward()
        optimiser.step()
        adapted.step()
        average.update_parameters(network)
        losses.append(sum(errors).item())
        rates.append(optimiser.param_groups[0]["lr"])
    return {
        "losses": losses,
        "rates": rates,
        "weights": network.state_dict(),
        "average": average.module.state_dict(),
    }


def difference(found: list[float], wanted: list[float]) -> float:
    """Greatest relative difference of two curves of the same length."""
    return max(abs(a - b) / abs(b) for a, b in zip(found, wanted, strict=True))


def weight_difference(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> float:
    """Greatest difference in any tensor, relative to its greatest value; counters of batches are left out."""
    if found.keys() != wanted.keys():
        raise AssertionError(f"weights differ in name: {sorted(found.keys() ^ wanted.keys())}")
    floats = {name: value for name, value in wanted.items() if value.is_floating_point()}
    return max(((found[name] - value).abs().max() / value.abs().max()).item() for name, value in floats.items())


if __name__ == "__main__":
    unittest.main()
