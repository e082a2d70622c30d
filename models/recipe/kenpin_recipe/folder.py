"""A user's own folder of pictures, `good/` and `bad/`: to a teacher, then to a student, with their passports."""

import math
from dataclasses import replace
from pathlib import Path

from . import experiment as experiments
from . import export, split, work
from .data import Sample, colour_of, read_folder
from .experiment import Experiment
from .places import EXPERIMENTS, apart

FEWEST_STEPS = 400  # of training: with few pictures there are more epochs


def make(which: str, pictures: Path, out: Path, licence: str) -> None:
    """Train `which`, "teacher" or "student", on the pictures and write its folder to `out/models`."""
    samples = read_folder(pictures)
    experiment = _experiment(pictures, samples, licence)
    places = apart(out)
    split.write(experiment, places, samples)
    model = experiment.model(which)
    work.train(experiment, places, samples, [model], workers=1)
    export.models(experiment, places, samples, [model])


def _experiment(pictures: Path, samples: list[Sample], licence: str) -> Experiment:
    """`folder.toml` with what the folder tells in its place."""
    found = experiments.read(EXPERIMENTS / "folder.toml")
    steps = math.ceil(len(samples) * (1 - found.split.test_share) / found.models[0].batch)
    models = tuple(replace(m, epochs=max(m.epochs, math.ceil(FEWEST_STEPS / steps))) for m in found.models)
    return replace(
        found,
        dataset=pictures.resolve().name,
        licence=licence,
        pixels=replace(found.pixels, colour=colour_of(samples)),
        models=models,
    )
