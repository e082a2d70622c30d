"""The judgement: exported models, alone and fused, on the test cells."""

import numpy as np

from . import card, metrics, score
from .data import Cell, select
from .experiment import Experiment, Model
from .places import MODELS

TEACHER_WEIGHT = 0.5


def judge(experiment: Experiment, cells: list[Cell]) -> None:
    """Add test figures to every model's `metrics.json` and write those of the fusion."""
    for model in experiment.exported:
        folder = MODELS / model.name
        figures = metrics.read(folder)
        figures["test"] = metrics.of_part(experiment, model, cells, "test")
        metrics.write(folder, figures)
        card.write(folder)
        print(f"{model.name}: test {figures['test']}")
    fused = {part: _fused(experiment, select(cells, experiment.dataset, part)) for part in ("validation", "test")}
    metrics.write(MODELS / experiment.dataset, {"fusion": _describe(experiment), **fused})
    for part, figures in fused.items():
        for route, line in figures.items():
            print(f"fused, {part}, {route}: {line}")


def _fused(experiment: Experiment, cells: list[Cell]) -> dict[str, dict]:
    """Figures of teacher and specialist together, routed by the true type and by the gate."""
    tiers = _tiers(experiment)
    teacher, gate = _second(tiers["teacher"][0], cells), _second(tiers["gate"][0], cells)
    special = {model.cells: _second(model, cells) for model in tiers["specialist"]}
    wanted = metrics.truth(tiers["teacher"][0], cells)
    poly = {
        "by_true_type": np.array([cell.type == "poly" for cell in cells]),
        "by_gate": gate > metrics.THRESHOLD,
    }
    return {
        route: metrics.measure(_mean(teacher, np.where(is_poly, special["poly"], special["mono"])), wanted)
        for route, is_poly in poly.items()
    }


def _second(model: Model, cells: list[Cell]) -> np.ndarray:
    """Probability of the second label for each cell, [n]."""
    return score.softmax(score.logits(MODELS / model.name, cells))[:, 1]


def _mean(teacher: np.ndarray, specialist: np.ndarray) -> np.ndarray:
    return TEACHER_WEIGHT * teacher + (1 - TEACHER_WEIGHT) * specialist


def _tiers(experiment: Experiment) -> dict[str, list[Model]]:
    """Models by tier."""
    tiers: dict[str, list[Model]] = {}
    for model in experiment.exported:
        tiers.setdefault(model.tier, []).append(model)
    return tiers


def _describe(experiment: Experiment) -> str:
    tiers = _tiers(experiment)
    special = ", ".join(model.name for model in tiers["specialist"])
    return (
        f"{TEACHER_WEIGHT} {tiers['teacher'][0].name} + {1 - TEACHER_WEIGHT} specialist "
        f"of the cell's type ({special}), reject above {metrics.THRESHOLD}"
    )
