"""Learning rates step by step, against values worked out by hand."""

import unittest
from copy import deepcopy

import torch

from kenpin_recipe import schedule
from kenpin_recipe.experiment import ExperimentError

RATE = 0.1


def adamw(value: float = 4.0) -> tuple[torch.nn.Parameter, torch.optim.AdamW]:
    """One weight of the given value, and its optimiser without weight decay."""
    weight = torch.nn.Parameter(torch.tensor([value]))
    return weight, torch.optim.AdamW([weight], lr=RATE, weight_decay=0)


def step(weight: torch.nn.Parameter, optimiser: torch.optim.Optimizer, chosen, gradient: float) -> float:
    """One step down a given gradient; the rate it was made with."""
    weight.grad = torch.tensor([gradient])
    optimiser.step()
    used = optimiser.param_groups[0]["lr"]
    chosen.step()
    return used


class Cosine(unittest.TestCase):
    def test_rises_then_falls(self):
        shares = [schedule.cosine(number, 20) for number in (0, 1, 2, 11, 20, 21)]
        for found, wanted in zip(shares, (0.5, 1, 1, 0.5, 0, 0), strict=True):
            self.assertAlmostEqual(found, wanted)

    def test_optimiser_gets_it_and_a_resumed_one_goes_on(self):
        weight, optimiser = adamw()
        chosen = schedule.make("cosine", optimiser, 20)
        used = [step(weight, optimiser, chosen, 1.0) for _ in range(12)]
        self.assertEqual(used[0], RATE / 2)
        self.assertAlmostEqual(used[11], RATE / 2)
        again_weight, again_optimiser = adamw()
        again = schedule.make("cosine", again_optimiser, 20)
        again_optimiser.load_state_dict(deepcopy(optimiser.state_dict()))
        again.load_state_dict(chosen.state_dict())
        for _ in range(8):
            self.assertEqual(step(again_weight, again_optimiser, again, 1.0), step(weight, optimiser, chosen, 1.0))
        self.assertAlmostEqual(optimiser.param_groups[0]["lr"], 0)

    def test_one_step_is_made_at_the_full_rate(self):
        self.assertEqual(schedule.cosine(0, 1), 1)


class Plateau(unittest.TestCase):
    def test_halves_after_three_epochs_without_a_lower_loss(self):
        _, optimiser = adamw()
        chosen = schedule.make("plateau", optimiser, 20)
        rates = []
        for loss in (1.0, 0.5, 0.5, 0.6, 0.5, 0.4):
            chosen.epoch(loss)
            rates.append(optimiser.param_groups[0]["lr"])
        self.assertEqual(rates, [RATE] * 4 + [RATE / 2] * 2)


class Gradient(unittest.TestCase):
    def test_first_step_is_made_at_the_rate_given(self):
        weight, optimiser = adamw()
        self.assertEqual(step(weight, optimiser, schedule.make("gradient", optimiser, 20), 1.0), RATE)

    def test_one_weight_going_on_and_turning_back(self):
        weight, optimiser = adamw()
        chosen = schedule.make("gradient", optimiser, 20)
        used = [step(weight, optimiser, chosen, gradient) for gradient in (1.0, 1.0, -1.0)]
        up, down = 1 + schedule.STRENGTH, 1 - schedule.STRENGTH
        for found, wanted in zip(used, (RATE, RATE * up, RATE * up * down), strict=True):
            self.assertAlmostEqual(found, wanted)

    def test_cosine_of_two_weights(self):
        weight = torch.nn.Parameter(torch.zeros(2))
        optimiser = torch.optim.AdamW([weight], lr=RATE)
        chosen = schedule.make("gradient", optimiser, 20)
        for gradient in ([3.0, -5.0], [1.0, 0.0]):  # AdamW's first direction is their sign: (1, -1)
            weight.grad = torch.tensor(gradient)
            optimiser.step()
            chosen.step()
        self.assertAlmostEqual(optimiser.param_groups[0]["lr"], RATE * (1 + schedule.STRENGTH / 2**0.5), places=6)

    def test_agreement_is_minus_the_derivative_of_the_loss_in_the_rate(self):
        start, later = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 3.0, 0.2])

        def loss_after(rate: float) -> torch.Tensor:
            weight = torch.nn.Parameter(start.clone().double())
            optimiser = torch.optim.AdamW([weight], lr=rate, weight_decay=0)
            (weight**4).sum().backward()
            optimiser.step()
            return (later * weight**2).sum()

        weight = torch.nn.Parameter(start.clone().double())
        optimiser = torch.optim.AdamW([weight], lr=RATE, weight_decay=0)
        seen = []
        schedule.make("gradient", optimiser, 20, total=lambda values: seen.append(values) or values)
        for error in (lambda: (weight**4).sum(), lambda: (later * weight**2).sum()):
            optimiser.zero_grad()
            error().backward()
            optimiser.step()
        slope = (loss_after(RATE + 1e-5) - loss_after(RATE - 1e-5)) / 2e-5
        self.assertAlmostEqual(seen[1][0].item(), -slope.item(), places=4)

    def test_stays_within_its_bounds(self):
        least, greatest = schedule.BOUNDS
        for sign, bound in ((1, greatest), (-1, least)):
            weight, optimiser = adamw()
            chosen = schedule.make("gradient", optimiser, 20)
            for number in range(300):
                if sign < 0:
                    optimiser.state.clear() if number % 2 == 0 else None  # so that each second step turns back
                step(weight, optimiser, chosen, 1.0 if number % 2 == 0 or sign > 0 else -1.0)
            self.assertAlmostEqual(optimiser.param_groups[0]["lr"], RATE * bound)

    def test_finds_its_way_from_a_rate_far_too_small(self):
        ends = {}
        for name in ("plateau", "gradient"):
            weight, optimiser = adamw()
            optimiser.param_groups[0]["lr"] = 1e-3
            chosen = schedule.make(name, optimiser, 1000)
            for _ in range(1000):
                step(weight, optimiser, chosen, 2 * weight.item())
            ends[name] = abs(weight.item())
        self.assertLess(ends["gradient"], 0.1)
        self.assertGreater(ends["plateau"], 2.9)

    def test_a_resumed_one_goes_on(self):
        weight, optimiser = adamw()
        chosen = schedule.make("gradient", optimiser, 20)
        for gradient in (1.0, 2.0, 0.5):
            step(weight, optimiser, chosen, gradient)
        again_weight, again_optimiser = adamw(weight.item())
        again = schedule.make("gradient", again_optimiser, 20)
        again_optimiser.load_state_dict(deepcopy(optimiser.state_dict()))
        again.load_state_dict(chosen.state_dict())
        for gradient in (-1.0, 2.0):
            found = step(again_weight, again_optimiser, again, gradient)
            self.assertEqual(found, step(weight, optimiser, chosen, gradient))

    def test_refuses_another_optimiser(self):
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
        with self.assertRaisesRegex(ExperimentError, "works on AdamW, not on SGD"):
            schedule.make("gradient", optimiser, 20)


class Make(unittest.TestCase):
    def test_bad_input_is_named(self):
        _, optimiser = adamw()
        with self.assertRaisesRegex(ExperimentError, "one of cosine, plateau, gradient, not 'cosinus'"):
            schedule.make("cosinus", optimiser, 20)
        with self.assertRaisesRegex(ExperimentError, "at least 1 step, not 0"):
            schedule.make("cosine", optimiser, 0)


if __name__ == "__main__":
    unittest.main()
