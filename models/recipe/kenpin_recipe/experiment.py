"""The experiment file: which models are trained, on what, and how."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

SCHEMA = "kenpin.recipe/1"


class ExperimentError(Exception):
    """The experiment file cannot be used as it stands."""


@dataclass(frozen=True)
class Split:
    """How the cells are parted; see `split.py`."""

    test_cells: int
    validation_share: float  # of the training part


@dataclass(frozen=True)
class Pixels:
    """Normalisation: tensor value = (pixel / 255 - mean) / standard_deviation."""

    mean: float
    standard_deviation: float


@dataclass(frozen=True)
class Augment:
    """Random changes a cell may undergo without changing what it is; see `augment.py`."""

    quarter_turns: bool  # also turn by 90 and 270 degrees, not only mirror
    shift_pixels: int  # largest move in either direction
    gain: float  # largest relative change of exposure
    contrast: float  # largest relative change of contrast
    noise: float  # largest standard deviation of added noise, in grey levels


@dataclass(frozen=True)
class Model:
    """One model: its task, its network and its training."""

    name: str
    tier: Literal["base", "gate", "teacher", "specialist", "student"]  # base: for others to start from
    description: str
    task: Literal["type", "defect"]
    cells: Literal["all", "mono", "poly"]
    network: Literal["lite0", "lite0-cut", "plain"]
    size: int  # pixels, width and height of the input
    start: str  # "random", "imagenet" or the name of a model trained before
    frozen_blocks: int  # blocks of lite0 that keep their starting weights
    soft_targets: bool  # learn the annotators' doubt (1/3, 2/3) instead of 0 or 1
    soft_label_share: float  # share of the target that is the teacher's answer
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float


@dataclass(frozen=True)
class Experiment:
    """A whole experiment file; models stand in the order they are trained in."""

    file: str
    dataset: str
    seed: int
    split: Split
    pixels: Pixels
    augment: Augment
    models: tuple[Model, ...]

    @property
    def exported(self) -> tuple[Model, ...]:
        """The models that get a folder."""
        return tuple(model for model in self.models if model.tier != "base")

    def model(self, name: str) -> Model:
        """The model called `name`, or an error that lists those there are."""
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(m.name for m in self.models)
        raise ExperimentError(f"no model '{name}' in {self.file}; it has {known}")


def read(path: Path) -> Experiment:
    """Read and check an experiment file."""
    with path.open("rb") as file:
        table = tomllib.load(file)
    if table.pop("schema", None) != SCHEMA:
        raise ExperimentError(f"{path.name}: schema must be \"{SCHEMA}\"")
    defaults = table.pop("defaults", {})
    models = table.pop("models", {})
    table["models"] = tuple(
        _build(Model, {"name": name, **defaults, **model}, f"models.{name}")
        for name, model in models.items()
    )
    for key, kind in (("split", Split), ("pixels", Pixels), ("augment", Augment)):
        table[key] = _build(kind, table.get(key, {}), key)
    return _build(Experiment, {"file": path.name, **table}, path.name)


def _build(kind: type, table: dict, where: str):
    """Make a `kind` of `table`, refusing unknown and missing keys."""
    wanted = {field.name for field in fields(kind)}
    if unknown := sorted(table.keys() - wanted):
        raise ExperimentError(f"{where}: unknown key {', '.join(unknown)}")
    if missing := sorted(wanted - table.keys()):
        raise ExperimentError(f"{where}: missing key {', '.join(missing)}")
    return kind(**table)
