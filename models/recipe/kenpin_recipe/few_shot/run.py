"""Trains and measures every method in both directions; what is done is kept, so that a stopped run goes on."""

import json
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from .. import data, places, split
from ..places import MODELS, ROOT
from . import folders, report
from .direction import Cells, Direction, read
from .episodes import Episode, evaluation_episodes
from .methods import METHODS, Judge, unadapted
from .settings import Settings
from .settings import read as read_settings


def run(settings_file: Path, threads: int, quick: bool) -> None:
    """Do everything. With `quick` nothing is written outside `target/recipe`."""
    torch.set_num_threads(threads)
    settings = read_settings(settings_file, quick)
    work = ROOT / "target" / "recipe" / "few_shot" / settings.digest
    work.mkdir(parents=True, exist_ok=True)
    cells, where = data.read_elpv(), places.of_dataset(settings.dataset)
    train, validation = (split.listed(where, cells, part) for part in ("train", split.VALIDATION))
    started = time.process_time()
    known = {kind: read(_of_kind(train, kind), settings) for kind in data.ELPV_KINDS}
    models = work / "models" if quick else MODELS
    table, minutes = [], (time.process_time() - started) / 60
    for old, new in (data.ELPV_KINDS, data.ELPV_KINDS[::-1]):
        fit = _only(known[old], split.without(train, validation))
        direction = Direction(settings, fit, known[new], work)
        measured = _measure(direction)
        minutes += sum(result["cpu_seconds"] for result in measured.values()) / 60
        table += report.rows(direction.name, {method: result["shots"] for method, result in measured.items()})
        folders.write(direction, _of_kind(validation, old), models / f"{settings.dataset}-embedding-{old}", table)
    figures = models / settings.dataset
    figures.mkdir(parents=True, exist_ok=True)
    _write(settings, table, minutes, figures)


def _of_kind(cells: list[data.Sample], kind: str) -> list[data.Sample]:
    return [cell for cell in cells if cell.kind == kind]


def _only(cells: Cells, chosen: list[data.Sample]) -> Cells:
    """Those of `cells` that are among `chosen`."""
    stems = {cell.stem for cell in chosen}
    kept = np.array([index for index, cell in enumerate(cells.cells) if cell.stem in stems])
    return Cells(
        [cells.cells[index] for index in kept],
        cells.images[kept],
        cells.truth[kept],
        cells.features[kept],
        cells.maps[kept],
    )


def _measure(direction: Direction) -> dict[str, dict]:
    """Figures of every episode for each method, and of the unadapted network as 0 shots."""
    how = direction.settings.evaluation
    episodes = {
        shots: evaluation_episodes(direction.new.truth, shots, how.queries, how.episodes, direction.settings.seed)
        for shots in how.shots
    }
    measured = {}
    for name, method in METHODS.items():
        measured[name] = _kept(direction, name, method, episodes)
    measured[report.UNADAPTED] = _kept(direction, report.UNADAPTED, unadapted, {0: episodes[how.shots[0]]})
    return measured


def _kept(direction: Direction, name: str, method, episodes: dict[int, list[Episode]]) -> dict:
    """The result of a method: as kept from an earlier run, or measured now and kept."""
    path = direction.folder / f"{direction.name}.{name}.json"
    if not path.is_file():
        started = time.process_time()
        judge = method(direction)
        trained = time.process_time()
        title = f"{direction.name}: {name}"
        with tqdm(total=sum(map(len, episodes.values())), desc=title, unit="episode") as bar:
            shots = {k: _figures(judge, direction, of, bar) for k, of in episodes.items()}
        ended = time.process_time()
        result = {"shots": shots, "prepare_seconds": trained - started, "cpu_seconds": ended - started}
        part = path.with_suffix(".part")
        part.write_text(json.dumps(result) + "\n")
        part.rename(path)
    return json.loads(path.read_text())


def _figures(judge: Judge, direction: Direction, episodes: list[Episode], bar: tqdm) -> dict[str, list[float]]:
    """Balanced accuracy and ROC AUC of each episode."""
    single = []
    for episode in episodes:
        single.append(report.figures(judge(episode), direction.new.truth[episode.query]))
        bar.update()
    return {figure: [one[figure] for one in single] for figure in report.FIGURES}


def _write(settings: Settings, table: list[dict], minutes: float, folder: Path) -> None:
    """Write `few_shot.json` and `few_shot.svg` and print the tables."""
    summary = {
        "settings": settings.file,
        "seed": settings.seed,
        "trained_on": "cells of the old type in train.txt, less those of validation.txt",
        "measured_on": (
            f"cells of the new type in train.txt: support, and {settings.evaluation.queries} of the others as query; "
            "the same episodes for every method; test.txt is untouched"
        ),
        "interval": "mean and 95 % interval over the episodes by Student's t, one training of each network",
        "control": report.CONTROL,
        "cpu_minutes": round(minutes, 1),
        "rows": table,
    }
    (folder / "few_shot.json").write_text(json.dumps(summary, indent=1) + "\n")
    report.plot(table, folder / "few_shot.svg")
    for figure, title in report.FIGURES.items():
        print(f"\n{title}\n\n{report.text(table, figure)}")
    print(f"\n{minutes:.1f} CPU-minutes; written to {folder}")
