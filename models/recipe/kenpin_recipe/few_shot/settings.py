"""The settings file of the few-shot comparison: schema kenpin.few-shot/1, every key wanted, no other allowed."""

import copy
import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import ClassVar

SCHEMA = "kenpin.few-shot/1"


class SettingsError(Exception):
    """The settings file cannot be used as it stands."""


@dataclass(frozen=True)
class Pixels:
    """What a network is fed, always grey: value = (pixel / 255 - mean) / standard_deviation."""

    colour: ClassVar[str] = "grey"
    channels: ClassVar[int] = 1
    mean: float
    standard_deviation: float


@dataclass(frozen=True)
class Network:
    """The embedding network; see `network.py`."""

    size: int  # pixels, width and height of the input
    frozen_blocks: int  # first blocks of EfficientNet-lite0, kept at their ImageNet weights
    blocks: int  # all blocks that are kept, the frozen ones among them
    embedding: int  # numbers of an embedding
    embedding_gain: float  # scale of the first, orthogonal projection


@dataclass(frozen=True)
class Imaging:
    """One way of taking the picture; see `imaging.py`."""

    gain: float  # exposure: factor on the grey levels
    contrast: float  # factor on the distance from the picture's mean
    blur: float  # standard deviation in pixels of the input
    scale: float  # above 1: nearer
    inverted: bool  # dark for light


@dataclass(frozen=True)
class Tasks:
    """Pseudo-tasks made of the one cell type that training sees; see `episodes.py`."""

    imaging: tuple[str, ...]  # those of the imaging table
    clusters: int  # groups of the frozen features
    views: int  # randomly mirrored and turned copies of each cell and imaging
    shots: tuple[int, ...]  # drawn from for each task
    queries: int  # a class


@dataclass(frozen=True)
class Frozen:
    """Logistic regression on standardised frozen features."""

    inverse_penalty: float  # `C` of scikit-learn


@dataclass(frozen=True)
class Plain:
    """Ordinary training on the old type, AdamW, half of each batch defective."""

    imaging: tuple[str, ...]  # those of the imaging table that are used as augmentation
    steps: int
    batch: int
    learning_rate: float
    weight_decay: float


@dataclass(frozen=True)
class Prototypical:
    """Episodic training, AdamW, a step for each pseudo-task."""

    steps: int
    learning_rate: float
    weight_decay: float


@dataclass(frozen=True)
class Reptile:
    """First-order meta-learning; the rate of the outer step falls to 0 in a straight line."""

    steps: int  # pseudo-tasks
    inner_steps: int  # of gradient descent on each
    inner_learning_rate: float
    outer_rate: float  # share of the way to the adapted weights


@dataclass(frozen=True)
class Adaptation:
    """Gradient descent on the support of a new type, the same for Reptile and for fine-tuning."""

    steps: int
    learning_rate: float


@dataclass(frozen=True)
class Evaluation:
    """What is measured."""

    shots: tuple[int, ...]  # labelled cells a class
    episodes: int  # for each number of shots and each direction
    queries: int  # cells of the new type that are judged in an episode


@dataclass(frozen=True)
class Settings:
    """The whole file."""

    file: str
    dataset: str
    seed: int
    pixels: Pixels
    network: Network
    imaging: dict[str, Imaging]
    tasks: Tasks
    frozen: Frozen
    plain: Plain
    prototypical: Prototypical
    reptile: Reptile
    adaptation: Adaptation
    evaluation: Evaluation

    @property
    def digest(self) -> str:
        """Eight hex digits that differ when any setting does: results of other settings are never taken over."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]


def read(path: Path, quick: bool = False) -> Settings:
    """Read and check a settings file; with `quick`, what its table `[quick]` says instead holds."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as why:
        raise SettingsError(f"{path} cannot be read: {why}") from why
    if (schema := table.pop("schema", None)) != SCHEMA:
        raise SettingsError(f'{path.name}: schema is {schema!r}, want "{SCHEMA}"')
    smaller = copy.deepcopy(table)
    _override(smaller, table.pop("quick", {}), "quick")  # checked in any case
    if quick:
        table = {key: smaller[key] for key in table}
    table["imaging"] = {name: _build(Imaging, one, f"imaging.{name}") for name, one in table.get("imaging", {}).items()}
    for field in fields(Settings):
        if isinstance(field.type, type) and field.type.__module__ == __name__:
            table[field.name] = _build(field.type, table.get(field.name, {}), field.name)
    settings = _build(Settings, {"file": path.name, **table}, path.name)
    _check(settings)
    return settings


def _override(table: dict, instead: dict, where: str) -> None:
    """Put the values of `instead` in place of those of `table`; a key that is not there already is refused."""
    for key, value in instead.items():
        if key not in table:
            raise SettingsError(f"{where}: unknown key {key}")
        if isinstance(value, dict):
            _override(table[key], value, f"{where}.{key}")
        else:
            table[key] = value


def _check(settings: Settings) -> None:
    """Refuse what does not fit together."""
    network = settings.network
    if not 0 < network.frozen_blocks < network.blocks < 16:
        raise SettingsError(
            f"network: frozen_blocks is {network.frozen_blocks} and blocks {network.blocks}, "
            "want 0 < frozen_blocks < blocks < 16"
        )
    for where, named in (("tasks", settings.tasks.imaging), ("plain", settings.plain.imaging)):
        if unknown := sorted(set(named) - settings.imaging.keys()):
            raise SettingsError(f"{where}.imaging: {', '.join(unknown)}, want some of {', '.join(settings.imaging)}")
    if settings.evaluation.episodes < 2:
        raise SettingsError(f"evaluation.episodes: {settings.evaluation.episodes}, want 2 or more for an interval")


def _build(kind: type, table: dict, where: str):
    """Make a `kind` of `table`, refusing unknown and missing keys."""
    wanted = {field.name for field in fields(kind)}
    if unknown := sorted(table.keys() - wanted):
        raise SettingsError(f"{where}: unknown key {', '.join(unknown)}")
    if missing := sorted(wanted - table.keys()):
        raise SettingsError(f"{where}: missing key {', '.join(missing)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
