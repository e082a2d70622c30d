"""From finished runs to model folders: ONNX, passport, references, figures, plots, card, licence."""

import csv
import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np

from . import card, figures, licence, onnx_file, passport, plots, quantise, reference, run, score, split
from .data import Sample, pixel_hash
from .experiment import Experiment, Integer, Model
from .passport import FILE, Passport
from .places import Places
from .run import LABELS, Run

WORST = 5


def models(experiment: Experiment, places: Places, samples: list[Sample], chosen: list[Model]) -> None:
    """Write the folder of each model of the last fold, and of its integers."""
    for model in chosen:
        shipped = run.shipped(experiment, model)
        run.claim(experiment, places, shipped)
        _folder(experiment, places, samples, model, shipped, model.name, model.description)
        for integer in experiment.integers:
            if integer.parent == model.name:
                _folder(
                    experiment, places, samples, model, as_integer(integer, shipped), integer.name, integer.description
                )


def as_integer(integer: Integer, parent: Run) -> Run:
    """The run of the integers that belongs to a run of their parent."""
    return Run(integer.name, parent.fold, parent.seed)


def integers(experiment: Experiment, places: Places, samples: list[Sample]) -> None:
    """Quantise and score the parents of all folds, where it is not done of these very parents."""
    for integer in experiment.integers:
        for parent in run.all_of(experiment, experiment.model(integer.parent)):
            _quantise(experiment, places, samples, integer, parent)


def _quantise(experiment: Experiment, places: Places, samples: list[Sample], integer: Integer, parent: Run) -> None:
    """Make the integers of one run, unless they are there."""
    made = as_integer(integer, parent)
    folder, source = made.folder(places), parent.folder(places)
    run.read_scores(source)  # tells where the parent is not trained
    settings = json.dumps([asdict(integer), passport.sha256(source / FILE)])
    if made.is_done(places) and (folder / "settings.json").read_text() == settings:
        return
    folder.mkdir(parents=True, exist_ok=True)
    fit, held_out = split.parts(experiment, places, samples, parent.fold)
    chosen = np.random.default_rng(parent.seed).permutation(len(fit))[: integer.pictures]
    ranges = [fit[i] for i in chosen]
    quantise.write(source / FILE, ranges, experiment.pixels, folder / FILE, integer.float_layers)
    shutil.copy(source / "run.json", folder)
    run.write_scores(folder, held_out, score.differences(folder / FILE, held_out, experiment.pixels))
    (folder / "settings.json").write_text(settings)


def _folder(experiment, places, samples, model: Model, shipped: Run, name: str, description: str) -> None:
    """Write one model folder."""
    folder, source = places.models / name, shipped.folder(places)
    scores = run.read_scores(source)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / FILE, folder / FILE)
    told = Passport(
        name=name,
        task="classification",
        description=description,
        tier=model.tier,
        licence=licence.expression(experiment, model),
        origin=f"models/recipe, experiment {experiment.file}, {experiment.dataset} training list, seed {shipped.seed}",
        labels=tuple(LABELS[model.task]),
    )
    output = passport.numbers(onnx_file.OUTPUT, 2, "softmax")
    passport.write(told, passport.image(experiment.pixels, model.size), output, folder)
    fit, held_out = split.parts(experiment, places, samples, shipped.fold)
    judged = [sample for sample in held_out if model.kind in ("all", sample.kind)]
    tolerance = reference.TOLERANCE if name == model.name else reference.INTEGERS_TOLERANCE
    reference.write(folder, judged, experiment.pixels, model.size, tolerance=tolerance)
    reference.write_answers(folder, judged, experiment.pixels, tolerance)
    licence.write(places, model, folder)
    write_json(folder / "metrics.json", _figures(experiment, model, folder, shipped, scores, fit, held_out, source))
    plots.of_model(folder)
    card.write(folder)
    print(f"{name}: {folder}")


def _figures(experiment, model, folder, shipped, scores, fit, held_out, source) -> dict:
    """All that is measured of a shipped model."""
    judged = [sample for sample in held_out if model.kind in ("all", sample.kind)]
    chance = figures.chance([scores[sample.stem] for sample in judged])
    truth = run.truth(model, judged)
    missed = sorted((c, s.stem) for c, s, t in zip(chance, judged, truth) if t == 1 and c < figures.THRESHOLD)
    told = json.loads((source / "run.json").read_text())
    return {
        "model": folder.name,
        "labels": list(LABELS[model.task]),
        "positive_label": LABELS[model.task][1],
        "threshold": figures.THRESHOLD,
        "test": {"kind": model.kind, **figures.judged(chance, truth)},
        "curves": figures.curves(chance, truth),
        "loss": _losses(source),
        "worst_escapes": [{"part": stem, "score": round(float(score), 4)} for score, stem in missed[:WORST]],
        "cost": cost(folder / FILE),
        "training": {
            "experiment": experiment.file,
            "seed": told["seed"],
            "samples": told["fit"],
            "pixels_sha256": _hash_of_all([s for s in fit if model.kind in ("all", s.kind)]),
            "network": model.network,
            "blocks": model.blocks,
            "hidden_share": model.hidden_share,
            "start": model.start,
            "method": model.method,
            "size": model.size,
            "epochs": model.epochs,
            "cpu_minutes": round(told["cpu_seconds"] / 60, 1),
        },
    }


def _losses(source: Path) -> list[float]:
    """The training's loss after each epoch; none of integers, which are not trained."""
    path = source / "history.csv"
    if not path.is_file():
        return []
    with path.open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def _hash_of_all(samples: list[Sample]) -> str:
    """SHA-256 over the hashes of the samples' pixels, in the order of their stems."""
    hashes = [pixel_hash(sample) for sample in sorted(samples, key=lambda sample: sample.stem)]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def cost(path: Path) -> dict:
    """What a file weighs and what one answer costs."""
    return {
        "bytes": path.stat().st_size,
        "multiply_adds": onnx_file.multiply_adds(path),
        "operators": onnx_file.operators(path),
    }


def write_json(path: Path, table: dict) -> None:
    """Write a table so that people can read it too."""
    path.write_text(json.dumps(table, indent=2, allow_nan=False) + "\n")
