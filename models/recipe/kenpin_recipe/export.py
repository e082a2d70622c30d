"""From a checkpoint to a model folder: ONNX, passport, reference answers, figures and card."""

import json
from pathlib import Path

from . import card, licence, metrics, networks, onnx_file, passport, reference, score
from .answers import load_checkpoint
from .calibrate import fold
from .data import Cell, select
from .experiment import Experiment, Model
from .places import MODELS

REFERENCE_CELLS = 8
TOLERANCE = 1e-3


def export(experiment: Experiment, model: Model, cells: list[Cell]) -> None:
    """Write the folder of `model`; test figures are left to `judge`."""
    folder = MODELS / model.name
    folder.mkdir(exist_ok=True)
    trained = load_checkpoint(model.name)
    network = networks.build(model)
    network.load_state_dict(trained["weights"])
    fold(network.classify, trained["calibration"])
    onnx_file.write(network, model.size, folder / passport.FILE)
    passport.write(experiment, model, folder)
    licence.write(experiment, model, folder)
    test = select(cells, experiment.dataset, "test")
    _write_reference(folder, test)
    reference.write(folder, test)
    figures = {
        "model": model.name,
        "positive_label": passport.LABELS[model.task][1],
        "threshold": metrics.THRESHOLD,
        "validation": metrics.of_part(experiment, model, cells, "validation"),
        "test": None,
        "cost": _cost(folder),
        "training": _training(experiment, model, cells, trained),
    }
    metrics.write(folder, figures)
    card.write(folder)
    print(f"{model.name}: validation {figures['validation']}, {figures['cost']}")


def _write_reference(folder: Path, cells: list[Cell]) -> None:
    """Answers to a few test cells, for parity tests of other runtimes. No labels are used."""
    chosen = cells[:: len(cells) // REFERENCE_CELLS][:REFERENCE_CELLS]
    answers = score.logits(folder, chosen)
    table = {
        "output": onnx_file.OUTPUT,
        "tolerance": TOLERANCE,
        "cells": {
            cell.stem: {"logits": raw.tolist(), "probabilities": chance.tolist()}
            for cell, raw, chance in zip(chosen, answers, score.softmax(answers))
        },
    }
    (folder / "reference.json").write_text(json.dumps(table, indent=2) + "\n")


def _cost(folder: Path) -> dict:
    """What the file weighs and one answer costs."""
    path = folder / passport.FILE
    return {
        "bytes": path.stat().st_size,
        "multiply_adds": onnx_file.multiply_adds(path),
        "operators": onnx_file.operators(path),
    }


def _training(experiment: Experiment, model: Model, cells: list[Cell], trained: dict) -> dict:
    """How the model came to be."""
    losses = [epoch["loss"] for epoch in trained["history"]]
    return {
        "experiment": experiment.file,
        "seed": experiment.seed,
        "cells": len(select(cells, experiment.dataset, "fit", model.cells)),
        "network": model.network,
        "start": model.start,
        "soft_targets": model.soft_targets and model.task == "defect",
        "soft_label_share": model.soft_label_share,
        "size": model.size,
        "epochs": model.epochs,
        "best_epoch": losses.index(min(losses)) + 1,
        "cpu_minutes": round(trained["cpu_seconds"] / 60, 1),
        "calibration": {key: round(value, 4) for key, value in trained["calibration"].items()},
    }
