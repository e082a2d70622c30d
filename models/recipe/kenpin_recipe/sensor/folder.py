"""From a trained sensor member to its model folder: ONNX, passport, references, figures, card, licence."""

import shutil
from pathlib import Path

import numpy as np
import onnx
from safetensors.numpy import save_file

from .. import figures, passport, plots
from ..data import Sample
from ..export import write_json
from ..onnx_file import IR_VERSION, OPSET
from ..passport import FILE
from ..places import MODELS
from . import simulation
from .members import SIMULATED, Member, answers, outputs

DATASET, LICENCE = "elpv", "CC-BY-NC-SA-4.0"
REFERENCE = "reference.safetensors"
TOLERANCE = 1e-4
REFERENCE_CELLS = 2


def write(member: Member, model: onnx.ModelProto, test: list[Sample], fitted: dict, folder: Path) -> dict:
    """Write the folder of `member` and give its figures on the cells of `test`.

    `fitted` says on how many `samples` and with which `seed` it was trained.
    """
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / FILE)
    _write_passport(member, model, fitted["seed"], folder)
    _write_reference(member, model, test[:REFERENCE_CELLS], folder)
    shutil.copyfile(MODELS / DATASET / "LICENSE", folder / "LICENSE")
    chance = figures.chance(answers(member, model, test))
    truth = np.array([int(cell.defective) for cell in test])
    told = {
        "model": member.name,
        "simulated": SIMULATED,
        "labels": ["good", "defective"],
        "positive_label": "defective",
        "threshold": figures.THRESHOLD,
        "test": {"kind": "all", **figures.judged(chance, truth)},
        "curves": figures.curves(chance, truth),
        "cost": {
            "bytes": (folder / FILE).stat().st_size,
            "multiply_adds": member.multiply_adds,
            "operators": sorted({node.op_type for node in model.graph.node}),
        },
        "training": {"method": member.method, **fitted},
    }
    write_json(folder / "metrics.json", told)
    plots.of_model(folder)
    (folder / "README.md").write_text(_card(member, told))
    return told


def _write_reference(member: Member, model: onnx.ModelProto, cells: list[Sample], folder: Path) -> None:
    """What the graph is fed for some cells and what it answers; the daemon reproduces them before it judges."""
    fed, told = model.graph.input[0].name, model.graph.output[0].name
    tensors = {}
    for cell, row, answer in zip(cells, member.feed(cells), outputs(member, model, cells)):
        tensors[f"{cell.stem}.input.{fed}"] = row[None].copy()
        tensors[f"{cell.stem}.output.{told}"] = answer[None].copy()
    save_file(tensors, folder / REFERENCE)
    (folder / REFERENCE).chmod(0o644)  # the package writes for its owner only
    passport.name_reference(folder, REFERENCE, TOLERANCE)


def _write_passport(member: Member, model: onnx.ModelProto, seed: int, folder: Path) -> None:
    """Write `passport.toml` of the graph in `folder`."""
    shape = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    told = passport.Passport(
        name=member.name,
        task="classification",
        description=member.description,
        tier="student",
        licence=LICENCE,
        origin=(
            f"models/recipe, kenpin_recipe.sensor, ELPV training list, seed {seed}; {SIMULATED}, seed {simulation.SEED}"
        ),
        labels=("good", "defective"),
    )
    inputs = f"[[inputs]]\nshape = {shape}\n{member.input_table}\n"
    passport.write(told, inputs, passport.numbers(model.graph.output[0].name, 2, member.activation), folder)


def _table(told: dict) -> str:
    """The figures on the test list."""
    row = told["test"]
    low, high = row["auc_interval"]
    values = " | ".join(f"{row[key]:.4f}" for key in ("accuracy", "balanced_accuracy"))
    return "\n".join(
        [
            f'Answer "defective" above {told["threshold"]}, ONNX Runtime on the exported file.',
            "",
            "| cells | n | accuracy | balanced accuracy | AUC (95 % interval) |",
            "|---|---|---|---|---|",
            f"| test, simulated text | {row['n']} | {values} | {row['auc']:.4f} ({low:.4f} to {high:.4f}) |",
            "",
            f"![ROC, reliability and confusion, of simulated text]({plots.FILE})",
        ]
    )


def _card(member: Member, told: dict) -> str:
    """The model card, from what is measured."""
    cost, how = told["cost"], told["training"]
    example = simulation.report(simulation.Measurement("mono", 8.91, 0.6312, 77.9, 4.38, 4.1, 41.0, 25.3, 1))
    sections = [
        f"# {member.name}\n\n{member.description}",
        "**The sensor text is simulated.** ELPV has images and labels, no electrical values. Each cell's text is drawn "
        "from its annotated defect probability and its type, never from its image, with published relations between "
        "defects and electrical values where there are some and assumptions elsewhere "
        "(`models/recipe/kenpin_recipe/sensor/simulation.py` says which). It tells of the label by construction: these figures, "
        "and those of any fusion that this model has a part in, say nothing about a real tester.",
        f"- Tier: student; answers good or defective\n- Input: a sensor reading such as `{example}` under the key "
        f"`report`, and its numbers by key\n- Cost: {cost['multiply_adds']:,} multiply-adds, {cost['bytes']:,} bytes\n"
        f"- Format: ONNX opset {OPSET}, IR {IR_VERSION}; operators {', '.join(cost['operators'])}",
        f"## Figures\n\n{_table(told)}",
        f"## Training\n\n{how['method']}; {how['samples']} cells, seed {how['seed']}. Test cells had no part in any "
        "choice; the strength of the simulated losses was chosen on the validation cells.",
        "## Limits\n\nMade to show and to test how sensor text takes part in a verdict. Not for judging real cells.",
        f"## Licence\n\n{LICENCE}, as the labels it was trained on; see `LICENSE` for whom to credit.",
        "*Written by `models/recipe` from `metrics.json`; do not edit by hand.*",
    ]
    return "\n\n".join(sections) + "\n"
