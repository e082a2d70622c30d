"""The embedding trained without one cell type, as a model folder that the daemon loads as it is."""

import shutil
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .. import licence, onnx_file, passport, reference, score
from ..data import Sample
from ..export import cost, write_json
from ..places import MODELS
from . import card, meta, network, report
from .direction import Direction

LICENCE = "CC-BY-NC-SA-4.0"  # of the data
OUTPUT = "embedding"
METHOD = "prototypical"
CHANGES = (
    "Changes made: the weights were reduced to one grey channel and cut after some\n"
    "blocks; the later of those and a new last layer were trained further.\n"
)


def write(direction: Direction, validation: list[Sample], folder: Path, table: list[dict]) -> None:
    """Write the folder of the embedding of `direction`.

    `validation` are cells of the old type that it was not trained on, `table` the rows of the comparison.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = direction.settings
    whole = nn.Sequential(network.early(settings.network), direction.prototypical())
    onnx_file.write(whole, settings.network.size, 1, folder / passport.FILE, OUTPUT)
    _write_passport(direction, folder)
    _write_licence(settings.dataset, folder)
    reference.write(folder, validation, settings.pixels, settings.network.size, OUTPUT)
    figures = {
        "model": folder.name,
        "trained_on": direction.old.cells[0].kind,
        "new_type": direction.new.cells[0].kind,
        "few_shot": [row for row in table if (row["method"], row["direction"]) == (METHOD, direction.name)],
        "validation": _own_type(direction, validation, folder),
        "cost": cost(folder / passport.FILE),
        "training": {
            "settings": settings.file,
            "seed": settings.seed,
            "cells": len(direction.old.cells),
            "steps": settings.prototypical.steps,
            "imaging": list(settings.tasks.imaging),
            "clusters": settings.tasks.clusters,
            "frozen_blocks": settings.network.frozen_blocks,
            "blocks": settings.network.blocks,
        },
    }
    write_json(folder / "metrics.json", figures)
    card.write(folder)


def _own_type(direction: Direction, validation: list[Sample], folder: Path) -> dict:
    """The exported file on the type it was trained on: prototypes of all training cells, validation cells judged."""
    file, pixels = folder / passport.FILE, direction.settings.pixels
    known, asked = (torch.from_numpy(score.logits(file, cells, pixels)) for cells in (direction.old.cells, validation))
    logits = meta.prototypical_logits(asked, meta.prototypes(known, torch.from_numpy(direction.old.truth)))
    truth = np.array([int(cell.defective) for cell in validation])
    figures = report.figures((logits[:, 1] - logits[:, 0]).numpy(), truth)
    return {"n": len(truth), "positive": int(truth.sum()), **{key: round(value, 4) for key, value in figures.items()}}


def _write_licence(dataset: str, folder: Path) -> None:
    """Write `LICENSE` and `LICENSE-APACHE`: data and ImageNet weights each have their own."""
    notice = f"{licence.NOTICE.split(' Changes made:')[0]}\n{CHANGES}"
    (folder / "LICENSE").write_text((MODELS / dataset / "LICENSE").read_text() + notice)
    shutil.copy(MODELS.parent / licence.TEXT, folder)


def _write_passport(direction: Direction, folder: Path) -> None:
    """Write `passport.toml`, task embedding."""
    settings, kind = direction.settings, direction.old.cells[0].kind
    told = passport.Passport(
        name=folder.name,
        task="embedding",
        description=(
            "Embeds an electroluminescence image of a solar cell; "
            f"trained on {kind} cells only, for few examples of others."
        ),
        tier="specialist",
        licence=f"{LICENCE} AND {licence.WEIGHTS}",
        origin=f"models/recipe, settings {settings.file}, {kind} cells of the ELPV training list, seed {settings.seed}",
    )
    output = passport.numbers(OUTPUT, settings.network.embedding, None)
    passport.write(told, passport.image(settings.pixels, settings.network.size), output, folder)
