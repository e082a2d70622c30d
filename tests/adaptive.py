#!/usr/bin/env python3
"""Weights that move with the quality of the picture: what they are worth on ELPV test cells that were taken badly (simulated).

    adaptive.py [--kenpin PROGRAM]    after `make demo`, which builds the program and fetches the pictures

Nothing was trained on these cells. `kenpin fit --adaptive` learns on one half of them, each picture as it is and corrupted, a
mean, a weighted mean, adaptive weights and stacking; `kenpin eval --corrupt` judges the other half with each, as it is and
corrupted in strengths that were not fitted to; then the other way round. What `kenpin fit --adaptive` takes when it may choose
is told below the table. Prints a table and leaves target/adaptive/report.json; scores once computed are kept
beside it. Exit code 1 when a half gave other counts of parts than it has. Standard library only.
"""
import json
import shutil
import sys

from halves import program, root, run, write_halves

PANEL = ["teacher", "student", "student-large"]
FITS = {
    "mean": ["--adaptive", "--method", "mean"],
    "weighted": ["--adaptive", "--method", "weighted-mean"],
    "adaptive": ["--adaptive", "--method", "adaptive"],
    "stacking": ["--adaptive", "--method", "stacking"],
}
TAKEN = [None, "blur=3", "exposure=-55", "noise=15"]

CONFIG = """\
[device]
id = "adaptive"
[line]
recipe = "elpv-cells"
[cameras.cell]
kind = "replay"
path = "first.csv"
{models}
[[routes]]
name = "cells"
members = [{members}]
[fits]
folder = "fits"
[journal]
path = "state/journal.sqlite"
"""

kenpin = program("Measures adaptive weights on the ELPV test cells.")
out = root / "target/adaptive"
out.mkdir(parents=True, exist_ok=True)
config = out / "kenpin.toml"
models = "\n".join(f'[models.{name}]\nfolder = "{root}/models/elpv-{name}"' for name in PANEL)
config.write_text(CONFIG.format(models=models, members=", ".join(f'{{ model = "{name}" }}' for name in PANEL)))


def learned(half, options):
    """Fits the panel on one half, anew; the fit."""
    shutil.rmtree(out / "fits", ignore_errors=True)
    return run(kenpin, "fit", config, out / f"{half}.csv", "--state", out / "state", "--force", *options)["fit"]


def judged(half, taken):
    """The figures of one half by the fit that lies there."""
    return run(kenpin, "eval", config, out / f"{half}.csv", *([f"--corrupt={taken}"] if taken else []))


halves = write_halves(out)
cases, chosen = [], []
for shown, other in (("second", "first"), ("first", "second")):
    free = learned(other, ["--adaptive"])
    losses = {method["name"]: method["log_loss"] for method in free["evidence"]["methods"]}
    chosen.append({"learned_on": other, "method": free["method"], "nested_log_loss": losses})
    for name, options in FITS.items():
        learned(other, options)
        for taken in TAKEN:
            told = judged(shown, taken)
            case = {"learned_on": other, "shown_on": shown, "fit": name, "taken": taken or "as it is"}
            figures = ("parts", "accuracy", "balanced_accuracy", "auc", "escapes", "false_rejects")
            cases.append(case | {figure: told[figure] for figure in figures})
report = {"panel": PANEL, "simulated": "every picture that is not taken as it is", "chosen": chosen, "cases": cases}
(out / "report.json").write_text(json.dumps(report, indent=2) + "\n")

print(f"{' + '.join(PANEL)}, both halves together: accuracy, mean of the two ROC AUC. All but `as it is` is simulated.")
print(f"{'':<14}" + "".join(f"{name:>18}" for name in FITS))
for taken in (taken or "as it is" for taken in TAKEN):
    line = f"{taken:<14}"
    for name in FITS:
        both = [case for case in cases if (case["fit"], case["taken"]) == (name, taken)]
        accuracy = sum(case["accuracy"] * case["parts"] for case in both) / sum(case["parts"] for case in both)
        line += f"{accuracy:>10.4f}{sum(case['auc'] for case in both) / len(both):>8.4f}"
    print(line)
for free in chosen:
    told = ", ".join(f"{name} {loss:.4f}" for name, loss in free["nested_log_loss"].items())
    print(f"learned on the {free['learned_on']} half: {free['method']} is taken; nested log loss: {told}")
if any(case["parts"] != halves[case["shown_on"]] for case in cases):
    sys.exit("adaptive: a half was not judged whole")
