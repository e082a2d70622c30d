"""The whole road on a tiny experiment: train, stop, go on, export, report. Pictures are made here, simulated."""

import contextlib
import csv
import dataclasses
import io
import json
import tempfile
import tomllib
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image

from kenpin_recipe import data, experiment, export, parallel, places, report, run, split, train, work
from kenpin_recipe.passport import FILE

EXPERIMENT = """
schema = "kenpin.recipe/2"
dataset = "tiny"
licence = "MIT"
seed = 1
parallel = "none"

[split]
test_share = 0.3
validation_share = 0.2
folds = 3

[pixels]
colour = "grey"
mean = 0.5
standard_deviation = 0.25

[augment]
mirror = true
quarter_turns = true
shift_pixels = 1
gain = 0.1
contrast = 0.1
noise = 2.0

[distil]
teacher = "teacher"
specialists = []
specialists_share = 0.5
views = 2
temperature = 2.0
soft_share = 0.7
features_weight = 0.5

[defaults]
description = "Tiny."
kind = "all"
task = "defect"
network = "plain"
size = 32
blocks = 16
hidden_share = 1.0
start = "random"
frozen_blocks = 0
method = "labels"
batch = 8
epochs = 3
learning_rate = 1e-2
weight_decay = 0.02
schedule = "cosine"
folds = "all"
seeds = 1

[models.teacher]
tier = "teacher"

[models.student]
tier = "student"
size = 16
method = "features"

[models.student-labels]
tier = "trial"
size = 16

[integers.student-int8]
description = "Tiny, in integers."
parent = "student"
pictures = 8
float_layers = 1
"""


def pictures(folder: Path, seed: int) -> list[data.Sample]:
    """Forty noisy pictures; the bad ones have a bright square."""
    generator = np.random.default_rng(seed)
    for name in ("good", "bad"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(20):
            picture = generator.integers(0, 120, (40, 36), dtype=np.uint8)
            if name == "bad":
                top, left = generator.integers(0, 24, 2)
                picture[top : top + 12, left : left + 12] = 250
            Image.fromarray(picture).save(folder / name / f"{number}.0.png")
    return data.read_folder(folder)


class Road(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(contextlib.redirect_stdout(io.StringIO()))
        self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        (self.folder / "tiny.toml").write_text(EXPERIMENT)
        self.experiment = experiment.read(self.folder / "tiny.toml")
        self.samples = pictures(self.folder / "pictures", seed=1)
        self.places = places.apart(self.folder / "out")
        split.write(self.experiment, self.places, self.samples)
        torch.set_num_threads(1)

    def train(self, which=None, **changes):
        """Train in this process, as `torchrun` with a single one would."""
        asked = dataclasses.replace(self.experiment, **changes)
        with mock.patch.object(work, "start", lambda kind: parallel.OneProcess()):
            chosen = which or asked.models
            work._together(asked, self.places, self.samples, chosen)

    def test_from_pictures_to_folders_and_report(self):
        self.train()
        export.integers(self.experiment, self.places, self.samples)
        report.write(self.experiment, self.places, self.samples, {})
        export.models(self.experiment, self.places, self.samples, list(self.experiment.exported))
        told = json.loads((self.places.models / "report.json").read_text())
        test = split.parts(self.experiment, self.places, self.samples, split.TEST).held_out
        for name in ("teacher", "student", "student-int8"):
            passport = tomllib.loads((self.places.models / name / "passport.toml").read_text())
            self.assertEqual((passport["name"], passport["licence"]), (name, "MIT"))
            metrics = json.loads((self.places.models / name / "metrics.json").read_text())
            self.assertEqual(metrics["test"]["n"], len(test))
            self.assertEqual(told["split"][name]["auc"], metrics["test"]["auc"])
        with (self.places.lists / "out_of_fold.csv").open() as file:
            rows = list(csv.DictReader(file))
        for rung in ("teacher", "student", "student-int8"):
            self.assertEqual(sorted(r["part"] for r in rows if r["rung"] == rung), sorted(s.stem for s in self.samples))
        self.assertEqual([row["name"] for row in told["students"]], ["student", "student-int8"])
        self.assertEqual(told["students"][1]["parent"], "student")
        self.assertEqual({row["method"] for row in told["teaching"]}, {"labels", "features"})
        self.assertIn("| student-int8 |", (self.places.models / "REPORT.md").read_text())
        self.assertIn("(../front.svg)", (self.places.models / "student" / "README.md").read_text())
        self.assertEqual(len(json.loads((self.places.models / "student" / "metrics.json").read_text())["loss"]), 3)

    def test_any_onnx_file_may_teach(self):
        self.train((self.experiment.model("teacher"),))
        file = run.Run("teacher", "1", 1).folder(self.places) / FILE
        own = self.folder / "mine.onnx"
        own.write_bytes(file.read_bytes())
        how = dataclasses.replace(self.experiment.distil, teacher=str(own))
        student = dataclasses.replace(self.experiment.model("student"), folds="test", method="soft")
        self.train((student,), models=(student,), distil=how)
        self.assertTrue(run.Run("student", "test", 1).is_done(self.places))
        asked = dataclasses.replace(self.experiment, distil=how)
        with self.assertRaisesRegex(experiment.ExperimentError, "mine.onnx, which has no out-of-fold scores"):
            report.write(asked, self.places, self.samples, {})

    def test_a_stopped_training_ends_as_one_that_was_not(self):
        teacher = (self.experiment.model("teacher"),)
        self.train(teacher)
        folder = run.Run("teacher", "1", 1).folder(self.places)
        wanted = torch.load(folder / "weights.pt", weights_only=True)
        for path in folder.iterdir():
            path.unlink()
        save, epochs = train.Training._save, []

        def stop(training, history):
            save(training, history)
            epochs.append(len(history))
            if len(history) == 2 and epochs.count(2) == 1:
                raise KeyboardInterrupt

        with mock.patch.object(train.Training, "_save", stop):
            with self.assertRaises(KeyboardInterrupt):
                self.train(teacher)
            self.train(teacher)
        self.assertEqual(epochs, [1, 2, 3])
        found = torch.load(folder / "weights.pt", weights_only=True)
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)

    def test_other_settings_and_other_pictures_are_refused(self):
        teacher = self.experiment.model("teacher")
        self.train((teacher,))
        changed = dataclasses.replace(teacher, epochs=4)
        with self.assertRaisesRegex(experiment.ExperimentError, "holds a training with other settings or pictures"):
            self.train((changed,), models=(changed,))
        others = pictures(self.folder / "others", seed=2)
        with self.assertRaisesRegex(data.DataError, "are not those that .*pixels.csv was made of"):
            split.write(self.experiment, self.places, others)

    def test_scores_alone_are_made_anew_without_training(self):
        teacher = (self.experiment.model("teacher"),)
        self.train(teacher)
        folder = run.Run("teacher", "2", 1).folder(self.places)
        before = (folder / "scores.csv").read_text()
        (folder / "scores.csv").unlink()
        (folder / FILE).unlink()
        with mock.patch.object(train.Training, "run", side_effect=AssertionError("trained again")):
            self.train(teacher)
        self.assertEqual((folder / "scores.csv").read_text(), before)


if __name__ == "__main__":
    unittest.main()
