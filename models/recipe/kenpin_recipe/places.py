"""Where the recipe reads and writes."""

from dataclasses import dataclass
from pathlib import Path

RECIPE = Path(__file__).resolve().parents[1]
MODELS = RECIPE.parent
ROOT = MODELS.parent
EXPERIMENTS = RECIPE / "experiments"


@dataclass(frozen=True)
class Places:
    """The folders of one experiment."""

    models: Path  # a folder for each finished model
    lists: Path  # the lists of the split, and the scores and figures of all models
    work: Path  # unfinished and intermediate files; can be deleted, at the price of training anew

    def run(self, model: str, fold: str, seed: int) -> Path:
        """Folder of one training run."""
        return self.work / model / f"{fold}-{seed}"


def of_dataset(dataset: str) -> Places:
    """The places of a data set of the repository."""
    return Places(MODELS, MODELS / dataset, ROOT / "target" / "recipe" / dataset)


def apart(out: Path) -> Places:
    """The places of a quick try, or of a user's own pictures: everything below `out`."""
    return Places(out / "models", out / "lists", out / "work")
