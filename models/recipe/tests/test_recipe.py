"""Quick checks of the recipe and of the model folders it wrote: `make test`."""

import hashlib
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from safetensors.numpy import load_file

from kenpin_recipe import calibrate, data, experiment, licence, networks, onnx_file, passport, score
from kenpin_recipe.places import EXPERIMENTS, MODELS

ELPV = EXPERIMENTS / "elpv.toml"


class Split(unittest.TestCase):
    def test_parts_are_whole_and_apart(self):
        test, train, validation = (set(data.read_list("elpv", part)) for part in ("test", "train", "validation"))
        self.assertEqual((len(test), len(train), len(validation)), (656, 1968, 295))
        self.assertFalse(test & train)
        self.assertLess(validation, train)


class ExperimentFile(unittest.TestCase):
    def test_unknown_key_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "wrong.toml"
            path.write_text(ELPV.read_text().replace("noise =", "noize ="))
            with self.assertRaisesRegex(experiment.ExperimentError, "augment: unknown key noize"):
                experiment.read(path)


class Calibration(unittest.TestCase):
    def test_fold_moves_the_logit_difference(self):
        layer, features = torch.nn.Linear(5, 2), torch.randn(7, 5)
        before = layer(features).diff(dim=1)
        calibrate.fold(layer, {"slope": 1.5, "offset": -0.25})
        torch.testing.assert_close(layer(features).diff(dim=1), 1.5 * before - 0.25)


class Onnx(unittest.TestCase):
    def test_file_answers_as_the_network(self):
        model = experiment.read(ELPV).model("elpv-student")
        network = networks.build(model).eval()
        image = torch.randn(1, 1, model.size, model.size)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            onnx_file.write(network, model.size, path)
            self.assertNotIn("Pad", onnx_file.operators(path))
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            (answer,) = session.run(None, {onnx_file.INPUT: image.numpy()})
        with torch.inference_mode():
            np.testing.assert_allclose(answer, network(image).numpy(), atol=1e-4)


class ModelFolders(unittest.TestCase):
    def test_licences_are_those_that_would_be_written(self):
        chosen = experiment.read(ELPV)
        for model in chosen.exported:
            with self.subTest(model.name), tempfile.TemporaryDirectory() as folder:
                licence.write(chosen, model, Path(folder))
                for written in Path(folder).iterdir():
                    self.assertEqual((MODELS / model.name / written.name).read_text(), written.read_text())
                self.assertEqual(passport.read(MODELS / model.name)["licence"], licence.expression(model))

    def test_hashes_and_reference_answers(self):
        cells = {cell.stem: cell for cell in data.read_cells(data.find(None))}
        for model in experiment.read(ELPV).exported:
            with self.subTest(model.name):
                folder = MODELS / model.name
                digest = hashlib.sha256((folder / passport.FILE).read_bytes()).hexdigest()
                self.assertEqual(passport.read(folder)["file"]["sha256"], digest)
                reference = json.loads((folder / "reference.json").read_text())
                answers = score.softmax(score.logits(folder, [cells[stem] for stem in reference["cells"]]))
                wanted = [line["probabilities"] for line in reference["cells"].values()]
                np.testing.assert_allclose(answers, wanted, atol=reference["tolerance"])

    def test_tensors_of_the_reference_are_what_the_model_is_fed_and_answers(self):
        cells = {cell.stem: cell for cell in data.read_cells(data.find(None))}
        for model in experiment.read(ELPV).exported:
            with self.subTest(model.name):
                folder = MODELS / model.name
                named = passport.read(folder)["reference"]
                path = folder / named["path"]
                self.assertEqual(named["sha256"], hashlib.sha256(path.read_bytes()).hexdigest())
                tensors = load_file(path)
                for stem in {name.split(".")[0] for name in tensors}:
                    fed, answer = score.tensor(folder, cells[stem]), score.logits(folder, [cells[stem]])
                    np.testing.assert_array_equal(tensors[f"{stem}.input.{onnx_file.INPUT}"], fed)
                    np.testing.assert_allclose(tensors[f"{stem}.output.{onnx_file.OUTPUT}"], answer, atol=1e-4)


if __name__ == "__main__":
    unittest.main()
