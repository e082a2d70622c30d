"""Command line of the recipe."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from . import experiment as experiments
from . import places
from .data import DataError, read_elpv
from .places import EXPERIMENTS, ROOT

HELP = """\
Trains models and writes them as ONNX with passport, references, figures, plots and card.

For an experiment file (all models of ELPV):
  split    make the fixed lists of test, training and validation samples (kept if they exist)
  train    train every model for every fold; goes on where it was interrupted
  report   write out_of_fold.csv, report.json with its tables, and the front
  export   write the folders of the models of the last fold, and of their integers
  all      the four above, one after the other

For a folder of your own, with pictures in good/ and bad/:
  teacher FOLDER    train a teacher
  student FOLDER    train a student that learns from it
"""
QUICK_STEP = 5  # a quick try takes every fifth sample


def main() -> int:
    """Do what the command line asks for; the exit code."""
    arguments = _parser().parse_args()
    try:
        if arguments.command in ("teacher", "student"):
            from . import folder

            folder.make(arguments.command, arguments.folder, arguments.out, arguments.licence)
        else:
            _run(arguments)
    except (DataError, experiments.ExperimentError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _run(arguments: argparse.Namespace) -> None:
    """Do the steps of an experiment file."""
    from . import export, report, split, work
    from .sensor import folds

    experiment, samples = experiments.read(arguments.experiment), read_elpv()
    where = places.of_dataset(experiment.dataset)
    if arguments.command == "train" and arguments.parallel:
        experiment = replace(experiment, parallel=arguments.parallel)
    if arguments.quick:
        experiment, samples = experiment.quick(), samples[::QUICK_STEP]
        where = places.apart(ROOT / "target" / "recipe-quick")
    chosen = [experiment.model(name) for name in arguments.models] or list(experiment.models)
    if arguments.command in ("split", "all"):
        split.write(experiment, where, samples)
    if arguments.command in ("train", "all"):
        work.train(experiment, where, samples, chosen, arguments.workers)
    if arguments.command in ("export", "report", "all"):
        export.integers(experiment, where, samples)
    if arguments.command in ("report", "all"):
        report.write(experiment, where, samples, folds.out_of_fold(experiment, where, samples))
    if arguments.command in ("export", "all"):
        export.models(experiment, where, samples, [m for m in chosen if m in experiment.exported])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kenpin_recipe", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in ("split", "train", "report", "export", "all"):
        command = commands.add_parser(name)
        command.add_argument("models", nargs="*", help="only these models (train and export); default: all")
        command.add_argument("--experiment", type=Path, default=EXPERIMENTS / "elpv.toml", help="experiment file")
        command.add_argument("--workers", type=int, default=2, help="runs at a time, one thread each; default: 2")
        if name == "train":
            kinds = ("data", "model", "pipeline")
            command.add_argument("--parallel", choices=kinds, help="train on the processes that torchrun started")
        command.add_argument("--quick", action="store_true", help="a small version of all, in target/recipe-quick")
    for name in ("teacher", "student"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path, help="pictures of any size in good/ and bad/")
        command.add_argument("--out", type=Path, default=ROOT / "target" / "own", help="default: target/own")
        command.add_argument("--licence", default="LicenseRef-own", help="SPDX expression for the model's passport")
    return parser


if __name__ == "__main__":
    sys.exit(main())
