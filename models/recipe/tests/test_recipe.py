"""Checks of the recipe: `make test`."""

import dataclasses
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from kenpin_recipe import (
    augment,
    data,
    distil,
    execute,
    experiment,
    figures,
    folder,
    networks,
    onnx_file,
    places,
    quantise,
    run,
    score,
    split,
)
from kenpin_recipe.places import EXPERIMENTS

ELPV = EXPERIMENTS / "elpv.toml"


class Split(unittest.TestCase):
    def setUp(self):
        self.experiment = experiment.read(ELPV)
        self.places = places.of_dataset("elpv")
        self.samples = data.read_elpv()

    def test_folds_part_all_samples_and_end_with_the_test_list(self):
        names = split.folds(self.experiment)
        self.assertEqual(names, ["1", "2", "3", "4", "test"])
        found = [split.parts(self.experiment, self.places, self.samples, name) for name in names]
        held_out = [sample.stem for parts in found for sample in parts.held_out]
        self.assertEqual(len(held_out), 2624)
        self.assertEqual(len(set(held_out)), 2624)
        self.assertEqual(len(found[-1].held_out), 656)
        for fit, rest in found:
            self.assertEqual(len(fit) + len(rest), 2624)
            self.assertFalse({s.stem for s in fit} & {s.stem for s in rest})
            share = np.mean([s.defective for s in rest])
            self.assertAlmostEqual(share, 821 / 2624, delta=0.01)

    def test_validation_leaves_the_test_list_alone(self):
        fit, held_out = split.parts(self.experiment, self.places, self.samples, split.VALIDATION)
        test = {s.stem for s in split.parts(self.experiment, self.places, self.samples, split.TEST).held_out}
        self.assertEqual((len(fit), len(held_out)), (1673, 295))
        self.assertFalse(test & {s.stem for s in [*fit, *held_out]})


class ExperimentFile(unittest.TestCase):
    def refused(self, old: str, new: str, message: str):
        with tempfile.TemporaryDirectory() as out:
            path = Path(out) / "wrong.toml"
            text = ELPV.read_text()
            self.assertIn(old, text)
            path.write_text(text.replace(old, new, 1))
            with self.assertRaisesRegex(experiment.ExperimentError, message):
                experiment.read(path)

    def test_unknown_and_missing_keys_and_words_are_named(self):
        self.refused("noise =", "noize =", "augment: unknown key noize")
        self.refused("views = 6\n", "", "distil: missing key views")
        self.refused('schedule = "cosine"', 'schedule = "cosinus"', "schedule is 'cosinus', want one of cosine")
        self.refused("kenpin.recipe/2", "kenpin.recipe/1", "schema is 'kenpin.recipe/1', want 'kenpin.recipe/2'")


class Needs(unittest.TestCase):
    def test_a_run_waits_for_its_start_and_its_teachers(self):
        read = experiment.read(ELPV)
        self.assertEqual(run.needs(read, run.Run("elpv-teacher", "1", 1)), [])
        self.assertEqual(run.needs(read, run.Run("elpv-mono", "2", 1)), [run.Run("elpv-base", "2", 1)])
        several = run.needs(read, run.Run("elpv-student", "3", 1))
        wanted = ("elpv-teacher", "elpv-mono", "elpv-poly")
        self.assertEqual(several, [run.Run(name, "3", 1) for name in wanted])


class Networks(unittest.TestCase):
    def test_slimmed_network_keeps_the_strongest_channels(self):
        whole, slim = networks.Lite0(80, 1, 3), networks.Lite0(80, 1, 3, hidden_share=0.5)
        before, after = whole.blocks[1]._project_conv.weight, slim.blocks[1]._project_conv.weight
        strength = before.abs().sum((0, 2, 3))
        kept = strength.sort(descending=True).indices[:48].sort().values
        self.assertEqual(len(strength), 96)
        torch.testing.assert_close(after, before[:, kept])
        self.assertEqual(slim(torch.zeros(1, 1, 80, 80)).shape, (1, 2))

    def test_what_starts_from_a_model_keeps_the_channels_that_model_made_strong(self):
        read = experiment.read(ELPV)
        slim = dataclasses.replace(read.model("elpv-student-small"), start="elpv-teacher", size=80, hidden_share=0.5)
        teacher = networks.build(dataclasses.replace(read.model("elpv-teacher"), size=80, blocks=7), read.pixels)
        project = teacher.blocks[1]._project_conv.weight
        with torch.no_grad():
            project *= torch.linspace(0, 1, project.shape[1])[:, None, None]  # other channels are strong than before
        with tempfile.TemporaryDirectory() as out:
            at = places.apart(Path(out))
            folder = run.Run("elpv-teacher", "1", read.seed).folder(at)
            folder.mkdir(parents=True)
            torch.save(teacher.state_dict(), folder / "weights.pt")
            network = execute._begin(read, at, slim, run.Run(slim.name, "1", read.seed))
        kept = project.abs().sum((0, 2, 3)).topk(48).indices.sort().values
        torch.testing.assert_close(network.blocks[1]._project_conv.weight, project[:, kept])
        built = networks.build(slim, read.pixels)
        self.assertEqual(
            {name: value.shape for name, value in network.state_dict().items()},
            {name: value.shape for name, value in built.state_dict().items()},
        )

    def test_frozen_blocks_keep_weights_and_statistics(self):
        network = networks.Lite0(64, 1, 3, frozen_blocks=2).train()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
        network(torch.randn(4, 1, 64, 64)).square().sum().backward()
        optimiser.step()
        changed = {
            name.split(".")[0] + name.split(".")[1]
            for name, v in network.state_dict().items()
            if not v.equal(before[name])
        }
        self.assertIn("blocks2", changed)
        self.assertFalse(changed & {"stem0", "stem1", "blocks0", "blocks1"})

    def test_file_answers_as_the_network(self):
        for channels in (1, 3):
            network = networks.Lite0(96, channels, 7, hidden_share=0.5).eval()
            image = torch.randn(1, channels, 96, 96)
            with tempfile.TemporaryDirectory() as out:
                path = Path(out) / "model.onnx"
                onnx_file.write(network, 96, channels, path)
                model = onnx.load(path)
                self.assertEqual((model.ir_version, model.opset_import[0].version), (8, 17))
                self.assertNotIn("Pad", onnx_file.operators(path))
                (answer,) = score.opened(path).run(None, {onnx_file.INPUT: image.numpy()})
            with torch.inference_mode():
                np.testing.assert_allclose(answer, network(image).numpy(), atol=1e-4)

    def test_multiply_adds_are_those_of_the_layers(self):
        with tempfile.TemporaryDirectory() as out:
            path = Path(out) / "model.onnx"
            onnx_file.write(networks.Plain(1, (8, 16)), 32, 1, path)
            self.assertEqual(onnx_file.multiply_adds(path), 16 * 16 * 9 * 8 + 8 * 8 * 9 * 8 * 16 + 16 * 2)


class Distillation(unittest.TestCase):
    HOW = experiment.Distil("t", (), 0.5, 2, temperature=2.0, soft_share=0.7, features_weight=0.5)

    def test_loss_is_that_of_its_formula(self):
        answer = torch.tensor([[0.5, 1.5], [1.0, -1.0]])
        target = torch.tensor([[1.0, 3.0], [1 / 3, -2.0]])
        found = distil.soft_loss(self.HOW)(answer, target).item()
        wanted = []
        for (good, bad), (label, teacher) in zip(answer.tolist(), target.tolist()):
            sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
            entropy = lambda p, q: -p * np.log(q) - (1 - p) * np.log(1 - q)  # noqa: E731
            soft = 4 * entropy(sigmoid(teacher / 2), sigmoid((bad - good) / 2))
            wanted.append(0.3 * entropy(label, sigmoid(bad - good)) + 0.7 * soft)
        self.assertAlmostEqual(found, np.mean(wanted), places=5)

    def test_features_add_their_squared_distance(self):
        answer = torch.tensor([[0.0, 0.0, 1.0, 2.0]])
        target = torch.tensor([[0.5, 0.0, 3.0, 2.0]])
        plain = distil.soft_loss(self.HOW)(answer[:, :2], target[:, :2])
        self.assertAlmostEqual((distil.soft_loss(self.HOW)(answer, target) - plain).item(), 0.5 * 4 / 2, places=5)

    def test_answers_are_those_of_the_file_with_its_features_and_are_kept(self):
        network, pixels = networks.Plain(1).eval(), experiment.Pixels("grey", 0.4, 0.2)
        images = torch.randint(256, (2, 3, 1, 32, 32), dtype=torch.uint8)
        with tempfile.TemporaryDirectory() as out:
            file, cache = Path(out) / "model.onnx", Path(out) / "kept" / "answers.npz"
            onnx_file.write(network, 32, 1, file)
            logits, features = distil.answers(file, images, pixels, cache)
            again = distil.answers(file, images, pixels, cache)
        with torch.inference_mode():
            fed = (images.flatten(0, 1).float() / 255 - 0.4) / 0.2
            wanted = network(fed)
            taken = network.features(fed)
        np.testing.assert_allclose(logits.ravel(), (wanted[:, 1] - wanted[:, 0]).numpy(), atol=1e-4)
        np.testing.assert_allclose(features.reshape(6, -1), taken.numpy(), atol=2e-2)
        np.testing.assert_array_equal(again[0], logits)


class Integers(unittest.TestCase):
    def test_quantised_file_has_the_form_that_tensorrt_takes(self):
        pixels = experiment.Pixels("grey", 0.449, 0.226)
        samples = data.read_elpv()[:8]
        with tempfile.TemporaryDirectory() as out:
            parent, path = Path(out) / "float.onnx", Path(out) / "int8.onnx"
            onnx_file.write(networks.Lite0(64, 1, 7), 64, 1, parent)
            quantise.write(parent, samples, pixels, path, float_layers=3)
            self.assertEqual(quantise.departures(path, 3), [])
            self.assertEqual(sum("is not quantised" in line for line in quantise.departures(path, 0)), 6)
            self.assertTrue(any("not quantised" in line for line in quantise.departures(parent, 0)))
            self.assertEqual(onnx_file.multiply_adds(path), onnx_file.multiply_adds(parent))
            self.assertLess(path.stat().st_size, parent.stat().st_size / 2)

    def test_quantised_file_answers_nearly_as_its_parent(self):
        pixels, samples = experiment.Pixels("grey", 0.449, 0.226), data.read_elpv()[:8]
        with tempfile.TemporaryDirectory() as out:
            parent, path = Path(out) / "float.onnx", Path(out) / "int8.onnx"
            torch.manual_seed(1)
            onnx_file.write(networks.Plain(1), 64, 1, parent)
            quantise.write(parent, samples, pixels, path, float_layers=0)
            one, two = (score.logits(file, samples, pixels) for file in (parent, path))
        np.testing.assert_allclose(two, one, atol=0.1 * np.abs(one).max())


class Figures(unittest.TestCase):
    def setUp(self):
        generator = np.random.default_rng(3)
        self.truth = (generator.random(400) < 0.3).astype(int)
        self.one = figures.chance(self.truth + generator.normal(size=400))
        self.two = figures.chance(self.truth + generator.normal(size=400))

    def test_escapes_by_hand(self):
        scores = np.array([0.1, 0.2, 0.3, 0.4, 0.9] * 4 + [0.35, 0.95, 0.85, 0.2])
        truth = np.array([0] * 20 + [1] * 4)
        # one of twenty good parts may be rejected, and four share the greatest score: none is
        self.assertEqual(figures.escapes(scores, truth), 3 / 4)

    def test_delong_agrees_with_the_bootstrap(self):
        found = figures.delong(self.one, self.two, self.truth)
        areas = [roc_auc_score(self.truth, scores) for scores in (self.one, self.two)]
        self.assertAlmostEqual(found["difference"], areas[0] - areas[1], places=4)
        generator, spread = np.random.default_rng(1), []
        for _ in range(1000):
            chosen = generator.integers(0, 400, 400)
            spread.append(np.subtract(*(roc_auc_score(self.truth[chosen], s[chosen]) for s in (self.one, self.two))))
        error = (found["high"] - found["low"]) / (2 * 1.96)
        self.assertAlmostEqual(error, np.std(spread), delta=0.1 * error)

    def test_equal_scores_do_not_differ_and_opposite_ones_do(self):
        found = figures.delong(self.one, self.one, self.truth)
        self.assertEqual((found["difference"], found["p"]), (0.0, 1.0))
        right = np.array([0, 0, 1, 1])
        found = figures.delong(right.astype(float), 1.0 - right, right)
        self.assertEqual((found["difference"], found["p"]), (1.0, 0.0))

    def test_delong_gives_what_the_daemon_is_held_to(self):
        cases = json.loads((places.ROOT / "tests" / "fixtures" / "compare" / "cases.json").read_text())
        for case in cases:
            model, teacher = np.array(case["model"]), np.array(case["teacher"])
            truth = np.array(case["defective"]).astype(int)
            found = figures.delong(model, teacher, truth)
            self.assertAlmostEqual(found["difference"], case["delong"]["difference"], delta=5e-5)
            self.assertAlmostEqual(found["p"], case["delong"]["p"], delta=0.05 * case["delong"]["p"])
            measured = figures.measure(model, truth)
            for name, wanted in case["figures"].items():
                self.assertAlmostEqual(measured[name], wanted, delta=5e-5, msg=name)

    def test_curves_add_up(self):
        found = figures.curves(self.one, self.truth)
        self.assertEqual(sum(found["confusion"].values()), 400)
        self.assertEqual(sum(line["n"] for line in found["reliability"]), 400)


class OwnFolder(unittest.TestCase):
    def test_what_is_no_labelled_folder_is_told(self):
        with tempfile.TemporaryDirectory() as out:
            with self.assertRaisesRegex(data.DataError, "has no folder 'good'"):
                data.read_folder(Path(out))
            for name in ("good", "bad"):
                (Path(out) / name).mkdir()
            with self.assertRaisesRegex(data.DataError, "good has 0 pictures, want at least 10"):
                data.read_folder(Path(out))

    def test_few_pictures_are_shown_more_often(self):
        with tempfile.TemporaryDirectory() as out:
            for name in ("good", "bad"):
                (Path(out) / name).mkdir()
                for i in range(10):
                    Image.new("L", (20 + i, 30), i).save(Path(out) / name / f"{i}.png")
            samples = data.read_folder(Path(out))
            found = folder._experiment(Path(out), samples, "MIT")
            self.assertEqual((found.pixels.colour, found.licence), ("grey", "MIT"))
            self.assertEqual(found.model("teacher").epochs, 400)
            self.assertEqual(data.load_images(samples, 16, found.pixels).shape, (20, 1, 16, 16))


class Augmentation(unittest.TestCase):
    def test_copies_begin_with_the_picture_as_it_is(self):
        images = torch.randint(256, (5, 1, 24, 24), dtype=torch.uint8)
        how = experiment.read(ELPV).augment
        found = augment.copies(images, how, 3, seed=1)
        self.assertTrue(found[0].equal(images))
        self.assertFalse(found[1].equal(found[2]))
        still = dataclasses.replace(
            how, mirror=False, quarter_turns=False, shift_pixels=0, gain=0.0, contrast=0.0, noise=0.0
        )
        self.assertTrue(augment.copies(images, still, 2, seed=1)[1].equal(images))


if __name__ == "__main__":
    unittest.main()
