#!/usr/bin/env python3
"""Holds what the daemon's road answers for each exported ELPV model against what the training recipe wrote.

    model_scores.py [--kenpin PROGRAM]    after `make demo`, which builds the program and fetches the pictures

`kenpin eval --scores` judges the 656 test cells with each model alone, its passport unedited; each score must lie within
0.001 of the one that models/elpv/out_of_fold.csv holds for the same cell, which Python computed. Standard library only.
"""
import argparse
import csv
import math
import os
import pathlib
import subprocess
import sys

GREATEST_DIFFERENCE = 1e-3

CONFIG = """\
[device]
id = "scores"
[line]
recipe = "elpv-cells"
[cameras.cell]
kind = "replay"
path = "{list}"
[models.alone]
folder = "{folder}"
[[routes]]
name = "all"
members = [{{ model = "alone" }}]
[journal]
path = "{out}/journal.sqlite"
"""

root = pathlib.Path(__file__).resolve().parent.parent
parser = argparse.ArgumentParser(description="Holds the daemon's scores against those of the training recipe.")
parser.add_argument("--kenpin", type=pathlib.Path, default=root / "target/release/kenpin", help="the program")
kenpin = parser.parse_args().kenpin
os.environ.setdefault("ORT_DYLIB_PATH", str(root / "target/setup/libonnxruntime.so"))

out = root / "target/model-scores"
out.mkdir(parents=True, exist_ok=True)


def recipe_scores():
    """By model: the probability of a defect of each test cell."""
    scores = {}
    with (root / "models/elpv/out_of_fold.csv").open() as file:
        for row in csv.DictReader(file):
            if row["fold"] == "test" and row["member"] == "general":
                scores.setdefault(row["rung"], {})[row["part"]] = 1 / (1 + math.exp(-float(row["logit"])))
    return scores


def write_list(cells):
    """The labelled list of the test cells."""
    data = root / "target/setup/elpv/elpv_dataset/data"
    lines = (line.split() for line in (data / "labels.csv").read_text().splitlines())
    defective = {pathlib.Path(path).stem: float(probability) > 0.5 for path, probability, _ in lines}
    with (out / "cells.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "truth"])
        for cell in cells:
            table.writerow([data / f"images/{cell}.png", "defective" if defective[cell] else "good"])


def daemon_scores(model):
    """The score of each test cell by the road, with `model` alone."""
    config, scores = out / f"{model}.toml", out / f"{model}.csv"
    config.write_text(CONFIG.format(list=out / "cells.csv", folder=root / "models" / model, out=out))
    subprocess.run([kenpin, "eval", config, out / "cells.csv", "--scores", scores, "--json"], check=True, stdout=subprocess.DEVNULL)
    with scores.open() as file:
        return {pathlib.Path(row["image"]).stem: float(row["score"]) for row in csv.DictReader(file)}


cells = (root / "models/elpv/test.txt").read_text().split()
write_list(cells)
wrong = []
for model, wanted in recipe_scores().items():
    seen = daemon_scores(model)
    if not sorted(seen) == sorted(wanted) == sorted(cells):
        sys.exit(f"{model}: {len(seen)} cells are judged and {len(wanted)} written down, want {len(cells)}")
    farthest = max(abs(seen[cell] - wanted[cell]) for cell in cells)
    print(f"{model:24} {len(cells)} cells, farthest from the recipe {farthest:.1e}")
    if farthest > GREATEST_DIFFERENCE:
        wrong.append(model)
sys.exit(f"these models score otherwise than the recipe did: {', '.join(wrong)}" if wrong else 0)
