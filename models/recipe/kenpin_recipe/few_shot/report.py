"""From the figures of single episodes to table, curve and the paired comparison with the frozen features."""

from pathlib import Path

import matplotlib
import numpy as np
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from .methods import METHODS

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "kenpin"  # the same figures give the same file
from matplotlib import pyplot  # noqa: E402  (after the choice of the writer)

CONTROL = "frozen-logistic"  # what a trained method must better
UNADAPTED = "unadapted"
FIGURES = {"balanced_accuracy": "Balanced accuracy", "auc": "ROC AUC"}
CONFIDENCE = 0.95


def figures(scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Balanced accuracy at the threshold 0, and ROC AUC; scores and truth (0 or 1) [n]."""
    return {
        "balanced_accuracy": float(balanced_accuracy_score(truth, scores > 0)),
        "auc": float(roc_auc_score(truth, scores)),
    }


def rows(direction: str, measured: dict[str, dict]) -> list[dict]:
    """A row for each method and number of shots.

    `measured[method][shots][figure]` lists the values of the episodes, in the same order for every method.
    """
    table = []
    for method, by_shots in measured.items():
        for shots, values in by_shots.items():
            row = {"method": method, "direction": direction, "shots": int(shots)}
            row |= {figure: interval(values[figure]) for figure in FIGURES}
            if method not in (CONTROL, UNADAPTED):
                control = measured[CONTROL][shots]
                row["gain_over_control"] = {
                    figure: interval(np.subtract(values[figure], control[figure])) for figure in FIGURES
                }
            table.append({**row, "episodes": len(values["auc"])})
    return table


def interval(values) -> dict[str, float]:
    """Mean of the episodes and its 95 % interval by Student's t: the spread of the draws, not of the training."""
    values = np.asarray(values, dtype=float)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    mean = values.mean()
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def text(table: list[dict], figure: str) -> str:
    """The table of one figure in Markdown: a line for each method and direction, a column for each number of shots."""
    shots = sorted({row["shots"] for row in table} - {0})
    lines = [f"| method, direction | {' | '.join(f'{k} a class' for k in shots)} |", "|---|" + "---|" * len(shots)]
    for direction in dict.fromkeys(row["direction"] for row in table):
        for method in METHODS:
            found = {r["shots"]: r[figure] for r in table if (r["method"], r["direction"]) == (method, direction)}
            cells = [f"{found[k]['mean']:.3f} ({found[k]['low']:.3f} to {found[k]['high']:.3f})" for k in shots]
            lines.append(f"| {method}, {direction} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(table: list[dict], path: Path) -> None:
    """Draw figure over shots with intervals: a row of axes for each figure, a column for each direction."""
    directions = list(dict.fromkeys(row["direction"] for row in table))
    figure, axes = pyplot.subplots(
        len(FIGURES), len(directions), figsize=(10, 7.5), sharex=True, sharey="row", squeeze=False, layout="constrained"
    )
    for line, (key, title) in enumerate(FIGURES.items()):
        for column, direction in enumerate(directions):
            chosen = [row for row in table if row["direction"] == direction]
            _curves(axes[line][column], chosen, key)
            if line == 0:
                axes[line][column].set_title(direction.replace("-to-", " → "))
        axes[line][0].set_ylabel(title)
    for axis in axes[-1]:
        axis.set_xlabel("labelled cells a class")
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)
    episodes = max(row["episodes"] for row in table)
    figure.suptitle(f"A new cell type from a few labelled cells (ELPV; mean and 95 % interval of {episodes} episodes)")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)
    pyplot.close(figure)


def _curves(axis, table: list[dict], key: str) -> None:
    """One curve a method, moved aside a little so that intervals do not lie on each other."""
    for index, method in enumerate(METHODS):
        found = sorted((row for row in table if row["method"] == method), key=lambda row: row["shots"])
        means = np.array([row[key]["mean"] for row in found])
        ends = np.abs(np.array([[row[key]["low"], row[key]["high"]] for row in found]).T - means)
        shots = np.array([row["shots"] for row in found]) * 1.03 ** (index - len(METHODS) / 2)
        style = {"linestyle": "--" if method.startswith("frozen") else "-", "marker": "os^vDX"[index], "markersize": 5}
        axis.errorbar(shots, means, ends, label=method, capsize=2, linewidth=1.4, color=f"C{index}", **style)
    for row in table:
        if row["method"] == UNADAPTED:
            axis.axhline(row[key]["mean"], color="grey", linestyle=":", label="old-type network, unadapted")
    axis.set_xscale("log")
    ticks = sorted({row["shots"] for row in table} - {0})
    axis.set_xticks(ticks, [str(shots) for shots in ticks])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
