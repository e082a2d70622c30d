"""The experiment file: which models are trained, on what, and how."""

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args, get_origin

SCHEMA = "kenpin.recipe/2"
QUICK_SIZE = 96


class ExperimentError(Exception):
    """The experiment file cannot be used as it stands."""


@dataclass(frozen=True)
class Split:
    """How the samples are parted; see `split.py`."""

    test_share: float  # of all samples
    validation_share: float  # of the training part
    folds: int  # the test list is the last of them


@dataclass(frozen=True)
class Pixels:
    """What a network is fed: value = (pixel / 255 - mean) / standard_deviation."""

    colour: Literal["grey", "rgb"]
    mean: float
    standard_deviation: float

    @property
    def channels(self) -> int:
        """Number of colour channels, 1 or 3."""
        return 1 if self.colour == "grey" else 3


@dataclass(frozen=True)
class Augment:
    """Random changes a part may undergo without changing what it is; see `augment.py`."""

    mirror: bool  # mirror along either axis
    quarter_turns: bool  # also turn by 90 and 270 degrees
    shift_pixels: int  # largest move in either direction
    gain: float  # largest relative change of exposure
    contrast: float  # largest relative change of contrast
    noise: float  # largest standard deviation of added noise, in grey levels


@dataclass(frozen=True)
class Distil:
    """How a student learns from teachers; see `distil.py`."""

    teacher: str  # model of this experiment, or path of an ONNX file with two logits
    specialists: tuple[str, ...]  # models of this experiment for one kind each
    specialists_share: float  # of the specialist beside the general teacher, 0..1, for method "several"
    views: int  # changed copies of each sample that the teachers answer; the first is unchanged
    temperature: float  # logits are divided by it (Hinton et al. 2015)
    soft_share: float  # share of the loss that follows the teachers, the rest the labels
    features_weight: float  # of the squared distance between features, for method "features"


@dataclass(frozen=True)
class Model:
    """One model: its task, its network and its training."""

    name: str
    # base: for others to start from; trial: to be compared; neither is shipped
    tier: Literal["gate", "base", "teacher", "specialist", "student", "trial"]
    description: str
    task: Literal["kind", "defect"]
    kind: str  # kind of samples it is for, or "all"
    network: Literal["lite0", "plain"]
    size: int  # pixels, width and height of the input
    blocks: int  # of lite0's sixteen, from the first
    hidden_share: float  # share of the hidden channels of each block that is kept
    start: str  # "random", "imagenet" or the name of a model trained before
    frozen_blocks: int  # blocks of lite0 that keep their starting weights
    method: Literal["labels", "soft", "several", "features"]  # what is learned from; see `distil.py`
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    schedule: Literal["cosine", "plateau", "gradient"]
    folds: Literal["all", "test", "validation"]  # which folds it is trained for
    seeds: int  # runs of each fold, each with a seed of its own


@dataclass(frozen=True)
class Integer:
    """A trained model in 8-bit integers; see `quantise.py`."""

    name: str
    description: str
    parent: str  # model of this experiment
    pictures: int  # from the training part, to find the ranges
    float_layers: int  # convolutions, from the first, that stay in float


@dataclass(frozen=True)
class Experiment:
    """A whole experiment file; models stand in the order they are trained in."""

    file: str
    dataset: str
    licence: str  # of the data and so of what learns from it, as an SPDX expression
    seed: int
    parallel: Literal[
        "none", "data", "model", "pipeline"
    ]  # how several processes share one training; see `parallel.py`
    split: Split
    pixels: Pixels
    augment: Augment
    distil: Distil
    models: tuple[Model, ...]
    integers: tuple[Integer, ...]

    @property
    def exported(self) -> tuple[Model, ...]:
        """The models that get a folder."""
        return tuple(model for model in self.models if model.tier not in ("base", "trial"))

    def model(self, name: str) -> Model:
        """The model called `name`, or an error that lists those there are."""
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(m.name for m in self.models)
        raise ExperimentError(f"no model '{name}' in {self.file}; it has {known}")

    def quick(self) -> "Experiment":
        """A small version of everything, for a try in minutes: two epochs, small pictures, few copies."""
        models = tuple(replace(m, epochs=2, size=min(m.size, QUICK_SIZE), seeds=1) for m in self.models)
        integers = tuple(replace(integer, pictures=16) for integer in self.integers)
        return replace(self, models=models, integers=integers, distil=replace(self.distil, views=2))


def read(path: Path) -> Experiment:
    """Read and check an experiment file."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as why:
        raise ExperimentError(f"{path} cannot be read: {why}") from why
    if (seen := table.pop("schema", None)) != SCHEMA:
        raise ExperimentError(f"{path.name}: schema is {seen!r}, want {SCHEMA!r}")
    defaults = table.pop("defaults", {})
    table["models"] = tuple(
        _build(Model, {"name": name, **defaults, **model}, f"models.{name}")
        for name, model in table.pop("models", {}).items()
    )
    table["integers"] = tuple(
        _build(Integer, {"name": name, **integer}, f"integers.{name}")
        for name, integer in table.pop("integers", {}).items()
    )
    for key, kind in (("split", Split), ("pixels", Pixels), ("augment", Augment), ("distil", Distil)):
        table[key] = _build(kind, table.get(key, {}), key)
    found = _build(Experiment, {"file": path.name, **table}, path.name)
    for model in found.models:
        if model.method != "labels" and model.tier not in ("student", "trial"):
            raise ExperimentError(
                f"models.{model.name}.method is {model.method!r}: a {model.tier} learns from labels only"
            )
    for name in found.distil.specialists:
        found.model(name)
    return found


def _build(kind: type, table: dict, where: str):
    """Make a `kind` of `table`, refusing unknown and missing keys and unknown words."""
    wanted = {field.name: field.type for field in fields(kind)}
    if unknown := sorted(table.keys() - wanted.keys()):
        raise ExperimentError(f"{where}: unknown key {', '.join(unknown)}")
    if missing := sorted(wanted.keys() - table.keys()):
        raise ExperimentError(f"{where}: missing key {', '.join(missing)}")
    for key, value in table.items():
        if get_origin(wanted[key]) is Literal and value not in get_args(wanted[key]):
            raise ExperimentError(f"{where}.{key} is {value!r}, want one of {', '.join(get_args(wanted[key]))}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
