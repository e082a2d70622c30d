"""Quick checks of the few-shot comparison: the parts that have an answer to compare with."""

import copy
import json
import math
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from torch import nn

from kenpin_recipe.few_shot import card, episodes, imaging, meta, network, report, settings
from kenpin_recipe.places import EXPERIMENTS, MODELS

FILE = EXPERIMENTS / "few_shot.toml"
AS_IS = settings.Imaging(gain=1.0, contrast=1.0, blur=0.0, scale=1.0, inverted=False)


class Settings(unittest.TestCase):
    def refused(self, old: str, new: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "wrong.toml"
            path.write_text(FILE.read_text().replace(old, new, 1))
            with self.assertRaises(settings.SettingsError) as error:
                settings.read(path)
            return str(error.exception)

    def test_what_is_wrong_is_named(self):
        self.assertEqual(self.refused("clusters =", "klusters ="), "tasks: unknown key klusters")
        self.assertEqual(self.refused("clusters = 4\n", ""), "tasks: missing key clusters")
        self.assertEqual(self.refused("[quick.tasks]", "[quick.tasks]\nshot = 1"), "quick.tasks: unknown key shot")
        dusk = self.refused('["as-is", "dark"', '["as-is", "dusk"')
        self.assertIn("tasks.imaging: dusk, want some of as-is, dark", dusk)

    def test_another_schema_is_refused(self):
        self.assertIn('want "kenpin.few-shot/1"', self.refused("kenpin.few-shot/1", "kenpin.few-shot/9"))

    def test_quick_is_smaller_and_kept_apart(self):
        full, quick = settings.read(FILE), settings.read(FILE, quick=True)
        self.assertLess(quick.evaluation.episodes, full.evaluation.episodes)
        self.assertNotEqual(quick.digest, full.digest)
        self.assertEqual(full.digest, settings.read(FILE).digest)


class Episodes(unittest.TestCase):
    truth = np.array([0] * 60 + [1] * 30)

    def test_support_is_balanced_and_apart_from_the_query(self):
        for shots in (1, 5, 25):
            for episode in episodes.evaluation_episodes(self.truth, shots, 40, 6, seed=3):
                self.assertEqual(self.truth[episode.support].tolist(), [0] * shots + [1] * shots)
                self.assertEqual(self.truth[episode.support].tolist(), episode.labels.tolist())
                everything = np.concatenate([episode.support, episode.query])
                self.assertEqual(len(set(everything.tolist())), 2 * shots + 40)

    def test_the_same_seed_gives_the_same_episodes_and_others_differ(self):
        one, again, other = (episodes.evaluation_episodes(self.truth, 5, 40, 2, seed) for seed in (3, 3, 4))
        np.testing.assert_array_equal(one[1].query, again[1].query)
        self.assertNotEqual(one[0].support.tolist(), one[1].support.tolist())
        self.assertNotEqual(one[0].support.tolist(), other[0].support.tolist())

    def test_too_few_cells_are_told(self):
        with self.assertRaisesRegex(episodes.EpisodeError, "rarer class has 30 cells, want more than 30"):
            episodes.evaluation_episodes(self.truth, 30, 40, 1, seed=3)
        task = episodes.Task(np.arange(55, 65), "as-is")
        with self.assertRaisesRegex(episodes.EpisodeError, "5 shots need more cells a class than 5, 5"):
            episodes.training_episode(task, self.truth, 5, 8, np.random.default_rng(1))

    def test_a_training_episode_stays_in_its_task_and_is_balanced(self):
        task = episodes.Task(np.arange(50, 70), "dark")
        episode = episodes.training_episode(task, self.truth, 4, 8, np.random.default_rng(1))
        self.assertEqual(self.truth[episode.query].tolist(), [0] * 6 + [1] * 6)
        everything = np.concatenate([episode.support, episode.query])
        self.assertEqual(sorted(everything.tolist()), task.cells.tolist())

    def test_pseudo_tasks_are_all_cells_and_their_clusters_in_every_imaging(self):
        features = np.repeat([[9.0, 0.0], [0.0, 9.0]], 5, axis=0) + np.arange(10)[:, None] / 100
        tasks = episodes.pseudo_tasks(features, 2, ("as-is", "dark"), seed=1)
        groups = sorted(task.cells.tolist() for task in tasks if task.imaging == "dark")
        self.assertEqual(groups, [[0, 1, 2, 3, 4], list(range(10)), [5, 6, 7, 8, 9]])
        self.assertEqual(len(tasks), 6)


class Meta(unittest.TestCase):
    def test_prototypical_loss_is_what_the_hand_computes(self):
        support = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0]])  # prototypes (1, 0) and (0, 4)
        labels = torch.tensor([0, 0, 1])
        query, truth = torch.tensor([[1.0, 1.0], [0.0, 2.0]]), torch.tensor([0, 1])
        # squared distances: 1 and 10; 5 and 4
        by_hand = (math.log(1 + math.exp(-9)) + math.log(1 + math.exp(-1))) / 2
        loss = meta.prototypical_loss(support, labels, query, truth)
        self.assertAlmostEqual(loss.item(), by_hand, places=6)

    def test_gradient_descent_on_a_linear_model_is_the_formula(self):
        line, inputs, labels = _line(), torch.tensor([[1.0, 2.0], [0.5, -1.0]]), torch.tensor([0, 1])
        adapted = meta.adapt(line, inputs, labels, steps=1, learning_rate=0.1)
        wrong = line(inputs).softmax(1) - torch.eye(2)  # gradient of cross-entropy by the logits, times 2
        torch.testing.assert_close(adapted.weight, line.weight - 0.1 * wrong.T @ inputs / 2)
        torch.testing.assert_close(adapted.bias, line.bias - 0.1 * wrong.mean(0))

    def test_a_reptile_step_goes_its_share_of_the_way(self):
        line, goal = _line(), copy.deepcopy(_line())
        with torch.no_grad():
            goal.weight += 4.0
            goal.bias -= 2.0
        before = copy.deepcopy(line)
        meta.reptile_step(line, goal, 0.25)
        torch.testing.assert_close(line.weight, before.weight + 1.0)
        torch.testing.assert_close(line.bias, before.bias - 0.5)


class Imaging(unittest.TestCase):
    images = torch.arange(2 * 8 * 8.0).view(2, 1, 8, 8)

    def test_nothing_asked_nothing_changed(self):
        torch.testing.assert_close(imaging.change(self.images, AS_IS), self.images)

    def test_inverted_is_dark_for_light(self):
        how = settings.Imaging(gain=1.0, contrast=1.0, blur=0.0, scale=1.0, inverted=True)
        torch.testing.assert_close(imaging.change(self.images, how), 255 - self.images)

    def test_blur_keeps_a_flat_picture_and_evens_out_a_point(self):
        how = settings.Imaging(gain=1.0, contrast=1.0, blur=1.0, scale=1.0, inverted=False)
        flat = torch.full((1, 1, 9, 9), 100.0)
        torch.testing.assert_close(imaging.change(flat, how), flat)
        point = torch.zeros(1, 1, 9, 9)
        point[..., 4, 4] = 255
        middle = imaging.change(point, how)[0, 0, 4, 4].item()
        self.assertAlmostEqual(middle, 255 / (2 * math.pi), delta=1)  # peak of a Gaussian of deviation 1

    def test_turns_are_symmetries(self):
        turned = imaging.turn(self.images.repeat(20, 1, 1, 1), torch.Generator().manual_seed(1))
        seen = {tuple(image[0, [0, 0, -1, -1], [0, -1, 0, -1]].tolist()) for image in turned[::2]}
        self.assertGreater(len(seen), 4)
        torch.testing.assert_close(turned.sum((1, 2, 3)), self.images.sum((1, 2, 3)).repeat(20))


class Report(unittest.TestCase):
    def test_interval_is_students(self):
        # mean 2, deviation 1, t of 2 degrees of freedom 4.3027: half width 4.3027 / sqrt(3)
        self.assertEqual(report.interval([1, 2, 3]), {"mean": 2.0, "low": -0.4841, "high": 4.4841})

    def test_gain_is_paired(self):
        level = {"balanced_accuracy": [0.5, 0.7], "auc": [0.6, 0.8]}
        better = {figure: [value + 0.1 for value in values] for figure, values in level.items()}
        control, row = report.rows("a-to-b", {report.CONTROL: {"5": level}, "prototypical": {"5": better}})
        self.assertNotIn("gain_over_control", control)
        self.assertEqual(row["gain_over_control"]["auc"], {"mean": 0.1, "low": 0.1, "high": 0.1})
        self.assertEqual((row["shots"], row["episodes"]), (5, 2))


class Network(unittest.TestCase):
    def test_an_answer_does_not_depend_on_the_batch(self):
        how = settings.read(FILE).network
        maps = torch.randn(3, 1, how.size, how.size)
        both = nn.Sequential(network.early(how), network.embedder(how))
        together, alone = network.answers(both, maps), network.answers(both, maps[1:2])
        torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)


class Folders(unittest.TestCase):
    def test_figures_of_a_model_are_those_of_the_comparison(self):
        rows = json.loads((MODELS / "elpv" / "few_shot.json").read_text())["rows"]
        for old, new in (("mono", "poly"), ("poly", "mono")):
            own = json.loads((MODELS / f"elpv-embedding-{old}" / "metrics.json").read_text())["few_shot"]
            wanted = [r for r in rows if (r["method"], r["direction"]) == ("prototypical", f"{old}-to-{new}")]
            self.assertEqual(own, wanted)

    def test_cards_are_those_that_would_be_written(self):
        for kind in ("mono", "poly"):
            folder = MODELS / f"elpv-embedding-{kind}"
            with self.subTest(folder.name), tempfile.TemporaryDirectory() as copied:
                for name in ("passport.toml", "metrics.json"):
                    (Path(copied) / name).write_text((folder / name).read_text())
                card.write(Path(copied))
                self.assertEqual((folder / "README.md").read_text(), (Path(copied) / "README.md").read_text())


def _line() -> nn.Linear:
    """A linear model with known weights."""
    line = nn.Linear(2, 2)
    with torch.no_grad():
        line.weight.copy_(torch.tensor([[0.2, -0.4], [0.1, 0.3]]))
        line.bias.copy_(torch.tensor([0.05, -0.05]))
    return line


if __name__ == "__main__":
    unittest.main()
