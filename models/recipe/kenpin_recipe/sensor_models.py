"""Command: train the members that read simulated sensor text and write their model folders."""

import argparse
import csv
import os
import sys
from pathlib import Path

from . import sensor, sensor_folder
from .data import Cell, DataError, find, read_cells, select
from .places import MODELS, WORK
from .sensor_members import MEMBERS

SEED = 1  # of the training
PICTURES, LINES, LIST, CONFIG = "parts.txt", "lines.txt", "list.csv", "kenpin.toml"

HELP = """\
Members that read SIMULATED sensor text (see kenpin_recipe/sensor.py): elpv-sensor-text, -linear and -logistic.

  export   train on the training cells without the validation cells; write the three folders, validation figures
  judge    the same with the figures of the test cells: once, when nothing will be changed any more
  station  write target/recipe/sensor: a config of the daemon, the readings of the test cells as lines, and the
           labelled list that `kenpin eval` takes
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m kenpin_recipe.sensor_models",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=("export", "judge", "station"))
    parser.add_argument("--data", type=Path, help="folder with labels.csv; default: package elpv-dataset")
    arguments = parser.parse_args()
    try:
        cells = read_cells(find(arguments.data))
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.command == "station":
        write_station(select(cells, sensor_folder.DATASET, "test"), WORK / "sensor")
    else:
        export(cells, arguments.command == "judge", MODELS)
    return 0


def export(cells: list[Cell], judge: bool, into: Path) -> None:
    """Train the members and write their folders into `into`, with figures of the test cells if `judge`."""
    import torch

    torch.set_num_threads(1)
    fit = select(cells, sensor_folder.DATASET, "fit")
    names = sensor_folder.PARTS if judge else ("validation",)
    parts = {part: select(cells, sensor_folder.DATASET, part) for part in names}
    for member in MEMBERS:
        model = member.fit(fit, SEED)
        figures = sensor_folder.write(member, model, parts, {"seed": SEED, "cells": len(fit)}, into / member.name)
        for part in names:
            print(f"{member.name}: simulated text, {part} {figures[part]}")


def write_station(cells: list[Cell], folder: Path) -> None:
    """Write what `kenpin run` and `kenpin eval` need to judge `cells` by their simulated readings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PICTURES).write_text("".join(f"{cell.path.resolve()}\n" for cell in cells))
    (folder / LINES).write_text("".join(f"{sensor.line(cell)}\n" for cell in cells))
    keys = list(sensor.readings(cells[0]))
    with open(folder / LIST, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "truth", *(f"flash.{key}" for key in keys)])
        for cell in cells:
            truth = "defective" if cell.defective else "good"
            rows.writerow([cell.path.resolve(), truth, *sensor.readings(cell).values()])
    (folder / CONFIG).write_text(_config(folder))
    print(f"wrote {folder / CONFIG}, {LIST} and {LINES}: {len(cells)} cells, readings simulated")


def _config(folder: Path) -> str:
    """A line with one camera, the flash tester (simulated) and the three members."""
    tables = "".join(
        f'[models.{member.name}]\nfolder = "{os.path.relpath(MODELS / member.name, folder)}"\n\n' for member in MEMBERS
    )
    seats = ", ".join(f'{{ model = "{member.name}" }}' for member in MEMBERS)
    return f"""\
# Written by `python -m kenpin_recipe.sensor_models station`. The readings are simulated.
[device]
id = "sensor-station"

[cameras.cell]
kind = "replay"
path = "{PICTURES}"

[sensors.flash]
kind = "file"
path = "{LINES}"
part_key = "part"

{tables}[[routes]]
name = "electrical"
members = [{seats}]

[journal]
path = "state/journal.sqlite"
"""


if __name__ == "__main__":
    sys.exit(main())
