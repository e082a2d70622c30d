"""Command: train the members that read simulated sensor text and write their model folders."""

import argparse
import csv
import os
import sys
from pathlib import Path

from .. import experiment as experiments
from .. import places, split
from ..data import DataError, Sample, read_elpv
from ..places import EXPERIMENTS, MODELS, ROOT
from . import folder as folders
from . import simulation
from .members import MEMBERS

SEED = 1  # of the training
PICTURES, LINES, LIST, CONFIG = "parts.txt", "lines.txt", "list.csv", "kenpin.toml"

HELP = """\
Members that read SIMULATED sensor text (see simulation.py): elpv-sensor-text, -linear and -logistic.

  export   train on the training list, write the three folders with the figures of the test list
  station  write target/recipe/sensor: a config of the daemon, the readings of the test cells as lines, and the
           labelled list that `kenpin eval` takes
"""


def main() -> int:
    """Do what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kenpin_recipe.sensor", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("export", "station"))
    arguments = parser.parse_args()
    try:
        experiment, cells = experiments.read(EXPERIMENTS / "elpv.toml"), read_elpv()
        fit, test = split.parts(experiment, places.of_dataset(experiment.dataset), cells, split.TEST)
    except (DataError, experiments.ExperimentError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.command == "station":
        write_station(test, ROOT / "target" / "recipe" / "sensor")
    else:
        export(fit, test, MODELS)
    return 0


def export(fit: list[Sample], test: list[Sample], into: Path) -> None:
    """Train the members on `fit` and write their folders into `into`, with figures of the cells of `test`."""
    import torch

    torch.set_num_threads(1)
    for member in MEMBERS:
        model = member.fit(fit, SEED)
        told = folders.write(member, model, test, {"seed": SEED, "samples": len(fit)}, into / member.name)
        print(f"{member.name}: simulated text, {told['test']}")


def write_station(cells: list[Sample], folder: Path) -> None:
    """Write what `kenpin run` and `kenpin eval` need to judge `cells` by their simulated readings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PICTURES).write_text("".join(f"{cell.path.resolve()}\n" for cell in cells))
    (folder / LINES).write_text("".join(f"{simulation.line(cell)}\n" for cell in cells))
    keys = list(simulation.readings(cells[0]))
    with open(folder / LIST, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "truth", *(f"flash.{key}" for key in keys)])
        for cell in cells:
            truth = "defective" if cell.defective else "good"
            rows.writerow([cell.path.resolve(), truth, *simulation.readings(cell).values()])
    (folder / CONFIG).write_text(_config(folder))
    print(f"wrote {folder / CONFIG}, {LIST} and {LINES}: {len(cells)} cells, readings simulated")


def _config(folder: Path) -> str:
    """A line with one camera, the flash tester (simulated) and the three members."""
    tables = "".join(
        f'[models.{member.name}]\nfolder = "{os.path.relpath(MODELS / member.name, folder)}"\n\n' for member in MEMBERS
    )
    seats = ", ".join(f'{{ model = "{member.name}" }}' for member in MEMBERS)
    return f"""\
# Written by `python -m kenpin_recipe.sensor station`. The readings are simulated.
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
