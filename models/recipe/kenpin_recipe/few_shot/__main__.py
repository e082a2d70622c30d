"""Command line: `python -m kenpin_recipe.few_shot`."""

import argparse
import sys
from pathlib import Path

from ..data import DataError
from ..places import EXPERIMENTS
from .episodes import EpisodeError
from .settings import SettingsError

HELP = """\
How well is a new cell type judged after 1, 5, 10 or 25 labelled cells a class? Trains on one type of the
training cells, measures on the other, both ways, and writes few_shot.json, few_shot.svg and a model folder for
each embedding. Kept results are taken over: an interrupted run goes on where it stopped.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kenpin_recipe.few_shot", description=HELP)
    parser.add_argument("--settings", type=Path, default=EXPERIMENTS / "few_shot.toml", help="settings file")
    parser.add_argument("--threads", type=int, default=1, help="threads; default: 1")
    parser.add_argument("--quick", action="store_true", help="a small version of it, written to target/recipe only")
    arguments = parser.parse_args()
    try:
        from . import run  # slow to import

        run.run(arguments.settings, arguments.threads, arguments.quick)
    except (DataError, EpisodeError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
