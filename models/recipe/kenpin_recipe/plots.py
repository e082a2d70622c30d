"""Plots, drawn from the JSON files alone, as SVG that is the same for the same figures."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update(
    {
        "svg.hashsalt": "kenpin",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.ticker import StrMethodFormatter  # noqa: E402

BLUE, ORANGE, GREY = "#1b6ca8", "#d08770", "#b3bec7"
FILE = "plots.svg"


def of_model(folder: Path) -> None:
    """ROC, reliability diagram, confusion and, where there is one, the training of one model, from its `metrics.json`."""
    told = json.loads((folder / "metrics.json").read_text())
    losses = told.get("loss", [])
    count = 4 if losses else 3
    figure, (roc, reliability, confusion, *rest) = plt.subplots(1, count, figsize=(3 * count, 3), layout="constrained")
    if losses:
        rest[0].plot(range(1, len(losses) + 1), losses, "o-", color=BLUE, markersize=3)
        rest[0].set(title="training", xlabel="epoch", ylabel="loss", ylim=(0, None))
    if "simulated" in told:
        figure.suptitle(told["simulated"], fontsize=8)
    curves = told["curves"]
    roc.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    roc.plot(*zip(*curves["roc"]), color=BLUE)
    roc.set(title=f"ROC, AUC {told['test']['auc']:.3f}", xlabel="false reject rate", ylabel="defects rejected")
    reliability.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    bins = curves["reliability"]
    reliability.plot([b["score"] for b in bins], [b["defective"] for b in bins], "o-", color=BLUE, markersize=4)
    for b in bins:
        reliability.annotate(str(b["n"]), (b["score"], b["defective"]), (3, -9), textcoords="offset points", fontsize=6)
    reliability.set(title="reliability (n beside)", xlabel="mean score", ylabel=f"share {told['positive_label']}")
    _confusion(confusion, curves["confusion"], told)
    _save(figure, folder / FILE)


def of_report(report: dict, path: Path) -> None:
    """The accuracy-cost front of all models of a report: AUC over multiply-adds."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    rows = sorted(report["front"], key=lambda row: row["multiply_adds"])
    for row in rows:
        auc, (low, high) = row["pooled"]["auc"], row["pooled"]["auc_interval"]
        axes.errorbar(row["multiply_adds"] / 1e6, auc, [[auc - low], [high - auc]], fmt="o", color=BLUE, capsize=2)
        axes.annotate(row["name"], (row["multiply_adds"] / 1e6, auc), (5, 5), textcoords="offset points", fontsize=8)
    best, front = 0.0, []
    for row in rows:
        if row["pooled"]["auc"] > best:
            best = row["pooled"]["auc"]
            front.append(row)
    axes.plot([r["multiply_adds"] / 1e6 for r in front], [r["pooled"]["auc"] for r in front], color=ORANGE, zorder=0)
    axes.set(
        xscale="log",
        xlabel="million multiply-adds (logarithmic)",
        ylabel="AUC, out of fold, 95 % interval",
        title="What a model costs and what it is worth",
    )
    plain = StrMethodFormatter("{x:g}")
    axes.xaxis.set_major_formatter(plain)
    axes.xaxis.set_minor_formatter(plain)
    _save(figure, path)


def _confusion(axes, counts: dict, told: dict) -> None:
    table = [[counts["true_passes"], counts["false_rejects"]], [counts["escapes"], counts["true_rejects"]]]
    names = [["passed", "false rejects"], ["escapes", "rejected"]] if told["positive_label"] == "defective" else None
    axes.imshow(table, cmap="Blues", vmin=0, vmax=1.5 * max(map(max, table)))
    for row in range(2):
        for column in range(2):
            name = f"\n{names[row][column]}" if names else ""
            axes.text(column, row, f"{table[row][column]}{name}", ha="center", va="center", fontsize=8)
    axes.set(title=f"confusion at {told['threshold']}", xlabel="answer", ylabel="truth")
    axes.set_xticks([0, 1], told["labels"])
    axes.set_yticks([0, 1], told["labels"], rotation=90, va="center")
    axes.tick_params(length=0)


def _save(figure, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
