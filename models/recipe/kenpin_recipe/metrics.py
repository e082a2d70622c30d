"""Figures that a model is judged by."""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from . import score
from .data import TYPES, Cell, select
from .experiment import Experiment, Model
from .places import MODELS

THRESHOLD = 0.5


def of_part(experiment: Experiment, model: Model, cells: list[Cell], part: str) -> dict:
    """Figures of the exported model on one part, cells of its own type only."""
    chosen = select(cells, experiment.dataset, part, model.cells)
    probability = score.softmax(score.logits(MODELS / model.name, chosen))[:, 1]
    split = {"list": f"models/{experiment.dataset}/{part}.txt", "cells": model.cells}
    return {**split, **measure(probability, truth(model, chosen))}


def truth(model: Model, cells: list[Cell]) -> np.ndarray:
    """What `model` should answer: the index of the right label, [n]."""
    if model.task == "type":
        return np.array([TYPES.index(cell.type) for cell in cells])
    return np.array([int(cell.defective) for cell in cells])


def measure(probability: np.ndarray, truth: np.ndarray) -> dict[str, float | int]:
    """Accuracy at the threshold and AUC; both arrays [n], truth 0 or 1."""
    answer = probability > THRESHOLD
    return {
        "n": len(truth),
        "positive": int(truth.sum()),
        "accuracy": round(float((answer == truth).mean()), 4),
        "balanced_accuracy": round(float(balanced_accuracy_score(truth, answer)), 4),
        "auc": round(float(roc_auc_score(truth, probability)), 4),
    }


def read(folder: Path) -> dict:
    """The figures kept in `folder`."""
    return json.loads((folder / "metrics.json").read_text())


def write(folder: Path, figures: dict) -> None:
    """Keep `figures` in `folder`."""
    (folder / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
