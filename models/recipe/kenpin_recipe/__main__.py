"""Command line of the recipe."""

import argparse
import sys
from pathlib import Path

from . import experiment as experiments
from .data import DataError, find, read_cells
from .places import EXPERIMENTS

HELP = """\
Trains the models of an experiment file and writes them as ONNX with passport, figures and card.

  split    make the fixed lists of test, training and validation cells (kept if they exist)
  train    train models on the training cells; the best epoch is chosen on the validation cells
  export   write model.onnx, passport.toml, reference.json, metrics.json and README.md of each model
  judge    measure the exported models on the test cells: once, when nothing will be changed any more
  all      the four above, one after the other

The order of the models in the file matters: some start from others or learn their answers.
"""


def main() -> int:
    arguments = _parser().parse_args()
    try:
        _run(arguments)
    except (DataError, experiments.ExperimentError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _run(arguments: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    import torch

    from . import export, judge, split, train

    torch.set_num_threads(arguments.threads)
    experiment = experiments.read(arguments.experiment)
    chosen = [experiment.model(name) for name in arguments.models] or experiment.models
    cells = read_cells(find(arguments.data))
    if arguments.command in ("split", "all"):
        split.write(experiment, cells)
    if arguments.command in ("train", "all"):
        for model in chosen:
            train.train(experiment, model, cells)
    if arguments.command in ("export", "all"):
        for model in [model for model in chosen if model in experiment.exported]:
            export.export(experiment, model, cells)
    if arguments.command in ("judge", "all"):
        judge.judge(experiment, cells)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kenpin_recipe",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=("split", "train", "export", "judge", "all"))
    parser.add_argument("models", nargs="*", help="only these models (train and export); default: all")
    parser.add_argument("--experiment", type=Path, default=EXPERIMENTS / "elpv.toml", help="experiment file")
    parser.add_argument("--data", type=Path, help="folder with labels.csv; default: package elpv-dataset")
    parser.add_argument("--threads", type=int, default=1, help="threads of the training; default: 1")
    return parser


if __name__ == "__main__":
    sys.exit(main())
