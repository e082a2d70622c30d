"""Quick checks of the simulated sensor text and of the members that read it: `make test`."""

import contextlib
import csv
import hashlib
import io
import json
import tempfile
import tomllib
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import torch
from safetensors.numpy import load_file
from sklearn.metrics import roc_auc_score

from kenpin_recipe import data, experiment, places, split
from kenpin_recipe.places import EXPERIMENTS, MODELS
from kenpin_recipe.sensor import __main__ as command
from kenpin_recipe.sensor import folder as folders
from kenpin_recipe.sensor import heads, simulation
from kenpin_recipe.sensor import text as texts
from kenpin_recipe.sensor.members import MEMBERS, answers, outputs, scores


def cell(stem: str, probability: float, kind: str) -> data.Sample:
    return data.Sample(stem, Path("no-such-image.png"), probability, kind)


def some(part: str) -> list[data.Sample]:
    """The cells of the test list (`test`), of the validation list (`validation`), or those left to train on (`fit`)."""
    fold = split.TEST if part == "test" else split.VALIDATION
    read = experiment.read(EXPERIMENTS / "elpv.toml")
    found = split.parts(read, places.of_dataset("elpv"), data.read_elpv(), fold)
    return found.fit if part == "fit" else found.held_out


class Simulation(unittest.TestCase):
    def test_fixed_values(self):
        self.assertEqual(
            simulation.line(cell("cell0001", 1.0, "mono")),
            "part=cell0001 type=mono isc=8.16 voc=0.6383 ff=79.5 pmpp=4.14 rs=3.5 rsh=93.5 temp=25.2 flashes=1 "
            'report="RCP MONO156 | ISC  8.16 A | VOC 0.6383 V | FF 79.5 % | PMPP 4.14 W | RS  3.5 mohm | '
            'RSH 93.5 ohm | T 25.2 C | FLASH 1 OK"',
        )

    def test_only_stem_seed_probability_and_type_matter(self):
        one = simulation.measure(cell("a", 1 / 3, "poly"))
        self.assertEqual(one, simulation.measure(data.Sample("a", Path("other.png"), 1 / 3, "poly")))
        others = [simulation.measure(cell("b", 1 / 3, "poly")), simulation.measure(cell("a", 1 / 3, "poly"), seed=2)]
        self.assertNotIn(one, others)

    def test_fill_factor_of_the_empirical_expressions(self):
        self.assertAlmostEqual(simulation.fill_factor(0.6, 9.0, 0.0, 1e9), 0.8283, places=4)
        self.assertAlmostEqual(simulation.fill_factor(0.6, 9.0, 0.1 / 15, 1e9), 0.8283 * 0.89 + 0.01 / 5.4, places=4)
        self.assertAlmostEqual(simulation.fill_factor(0.6, 9.0, 0.0, 10 / 15), 0.8283 * (1 - 1.03 * 0.08283), places=4)

    def test_losses_go_the_way_the_literature_says(self):
        means = [
            {key: np.mean([getattr(m, key) for m in measured]) for key in simulation.NUMBERS}
            for p in (0.0, 1 / 3, 2 / 3, 1.0)
            if (measured := [simulation.measure(cell(f"c{n}", p, "poly")) for n in range(2000)])
        ]
        for less, more in zip(means, means[1:]):
            for key, sign in {"isc": -1, "ff": -1, "pmpp": -1, "rs": 1, "rsh": -1}.items():
                self.assertGreater(sign * (more[key] - less[key]), 0, key)

    def test_numbers_overlap_as_wanted(self):
        validation = some("validation")
        (member,) = (member for member in MEMBERS if member.name == "elpv-sensor-logistic")
        told = answers(member, member.fit(some("fit"), 1), validation)
        auc = roc_auc_score([c.defective for c in validation], told)
        self.assertTrue(0.70 <= auc <= 0.85, auc)

    def test_reports_fit_and_are_ascii(self):
        for c in some("test"):
            text = simulation.readings(c)["report"]
            self.assertTrue(text.isascii() and len(text) <= texts.LENGTH, text)


class Text(unittest.TestCase):
    def test_tokens_are_cut_padded_and_unknown(self):
        short, long = texts.tokens(["Aµ", "B" * 200])
        self.assertEqual(short[:5].tolist(), [65, 1, 1, 0, 0])
        self.assertEqual((len(long), set(long.tolist())), (texts.LENGTH, {66}))

    def test_graph_answers_as_the_network(self):
        torch.manual_seed(0)
        network, reports = texts.TextNetwork().eval(), ["", "ISC 8.91 A", "x" * 300]
        fed = texts.tokens(reports)
        member = mock.Mock(feed=lambda cells: fed)
        with torch.inference_mode():
            wanted = network(torch.from_numpy(fed)).numpy()
        np.testing.assert_allclose(outputs(member, texts.to_onnx(network), []), wanted, atol=1e-5)

    def test_training_leaves_the_global_generator_alone(self):
        before = torch.random.get_rng_state()
        with mock.patch.object(texts, "EPOCHS", 1):
            first, second = (texts.train(["RSH 40", "RSH 01"], np.array([0.0, 1.0]), 3) for _ in range(2))
        torch.testing.assert_close(first.state_dict(), second.state_dict())
        torch.testing.assert_close(before, torch.random.get_rng_state())


class Heads(unittest.TestCase):
    def test_linear_head_is_least_squares_and_its_probabilities_are_cut(self):
        cells = some("validation")
        (member,) = (member for member in MEMBERS if member.name == "elpv-sensor-linear")
        with mock.patch.object(heads, "RIDGE", 1e-6):
            told = outputs(member, member.fit(cells, 1), cells)
        numbers = heads.numbers(cells).astype(float)
        padded = np.c_[numbers - numbers.mean(0), np.ones(len(numbers))]
        target = np.array([c.probability for c in cells])
        wanted = padded @ np.linalg.lstsq(padded, target)[0]
        edge = heads.EDGE
        np.testing.assert_allclose(told[:, 1], wanted.clip(edge, 1 - edge), atol=1e-4)
        np.testing.assert_allclose(told.sum(1), 1, atol=1e-5)

    def test_scores_are_logits_by_member(self):
        cells = some("validation")
        with mock.patch.object(texts, "EPOCHS", 1):
            told = scores(cells[:200], cells[200:], 5)
        self.assertEqual(set(told), {member.name for member in MEMBERS})
        for name, logits in told.items():
            self.assertEqual(logits.shape, (95,), name)
            self.assertTrue(np.isfinite(logits).all() and logits.std() > 0, name)


class Folders(unittest.TestCase):
    def test_files_are_as_the_passport_says(self):
        for member in MEMBERS:
            with self.subTest(member.name):
                folder = MODELS / member.name
                passport = tomllib.loads((folder / "passport.toml").read_text())
                for named in (passport["file"], passport["reference"]):
                    digest = hashlib.sha256((folder / named["path"]).read_bytes()).hexdigest()
                    self.assertEqual(named["sha256"], digest)
                model = onnx.load(folder / folders.FILE)
                self.assertLessEqual(model.ir_version, 8)
                self.assertLessEqual(model.opset_import[0].version, 17)
                self.assertLessEqual((folder / folders.FILE).stat().st_size, 200_000)
                self.assertEqual((folder / "LICENSE").read_text(), (MODELS / "elpv" / "LICENSE").read_text())

    def test_every_file_says_simulated(self):
        for member in MEMBERS:
            folder = MODELS / member.name
            passport = tomllib.loads((folder / "passport.toml").read_text())
            files = [(folder / name).read_text() for name in ("README.md", "plots.svg")]
            texts = (passport["description"], passport["origin"], *files)
            for text in (*texts, json.loads((folder / "metrics.json").read_text())["simulated"]):
                self.assertIn("simulated", text, member.name)

    def test_references_are_what_the_model_is_fed_and_answers(self):
        cells = {c.stem: c for c in some("test")}
        for member in MEMBERS:
            with self.subTest(member.name):
                folder = MODELS / member.name
                model = onnx.load(folder / folders.FILE)
                tensors = load_file(folder / folders.REFERENCE)
                stems = sorted({name.split(".")[0] for name in tensors})
                self.assertEqual(len(stems), folders.REFERENCE_CELLS)
                for stem in stems:
                    fed, told = model.graph.input[0].name, model.graph.output[0].name
                    np.testing.assert_array_equal(tensors[f"{stem}.input.{fed}"], member.feed([cells[stem]]))
                    answer = outputs(member, model, [cells[stem]])
                    np.testing.assert_allclose(tensors[f"{stem}.output.{told}"], answer, atol=folders.TOLERANCE)


class Station(unittest.TestCase):
    def test_list_and_lines_hold_the_readings(self):
        cells = some("test")[:3]
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            command.write_station(cells, Path(folder))
            with open(Path(folder) / command.LIST, newline="") as file:
                rows = list(csv.DictReader(file))
            lines = (Path(folder) / command.LINES).read_text().splitlines()
        self.assertEqual([row["truth"] == "defective" for row in rows], [c.defective for c in cells])
        self.assertEqual([row["flash.report"] for row in rows], [simulation.readings(c)["report"] for c in cells])
        self.assertEqual(lines, [simulation.line(c) for c in cells])


if __name__ == "__main__":
    unittest.main()
