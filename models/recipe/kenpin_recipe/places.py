"""Where the recipe reads and writes, all relative to the repository."""

from pathlib import Path

RECIPE = Path(__file__).resolve().parents[1]
MODELS = RECIPE.parent
WORK = MODELS.parent / "target" / "recipe"
EXPERIMENTS = RECIPE / "experiments"


def checkpoint(model: str) -> Path:
    """File that holds the trained weights of `model` between `train` and `export`."""
    return WORK / f"{model}.pt"
