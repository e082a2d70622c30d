#!/usr/bin/env python3
"""What `kenpin explain` is worth on ELPV: ten rejects of the demo explained, and each heat map held against random ones.

    explain.py [--kenpin PROGRAM]    after `make demo`, which builds the program and leaves journal and frames in target/demo

Takes the first ten defective test cells, in the order of the journal, that every member calls defective. Nothing was trained on
them, and nothing of `kenpin explain` was chosen by them: its blur, its edges and its masks were chosen on cells of the training
list. Each is explained twice: as it comes, which for these models is by class activation, and by RISE (`--rise`). For each: what
the members add is summed anew and held against the score; each member's map is held against maps with the same numbers in random
places (`scattered`) and against the same map at random places (`misplaced`), RANDOM of each, by the mean score while the picture
is hidden, the hottest places first (deletion: lower is better), and while it is shown (insertion: higher is better). Differences
are paired by cell: their mean, its standard error, and the chance that ten differences of random sign have such a mean (both
sides, all 1024 signs). Prints a table, leaves pages, pictures and report.json in target/explain. Exit code 1 when a part is not
explained as its verdict says. Standard library only.
"""
import concurrent.futures
import itertools
import json
import math
import statistics
import sys

from halves import program, root, run

CELLS, RANDOM, SIDE_BY_SIDE = 10, 2, 2

kenpin = program("Explains ten rejects of the demo and measures their heat maps.")
demo, out = root / "target/demo", root / "target/explain"
try:
    verdicts = [json.loads(line) for line in (demo / "verdicts.jsonl").read_text().splitlines()]
except OSError as why:
    sys.exit(f"explain: run `make demo` first: {why}")
lines = (line.split() for line in (root / "target/setup/elpv/elpv_dataset/data/labels.csv").read_text().splitlines())
defective = {path.split("/")[-1].removesuffix(".png") for path, probability, _ in lines if float(probability) > 0.5}


def called(verdict):
    """Whether it is a defective cell that every member calls defective."""
    return verdict["part"] in defective and verdict["votes"] and all((vote["score"] or 0) >= 0.5 for vote in verdict["votes"])


def compared(pairs):
    """Numbers, the first of each pair less the second."""
    differences = [one - other for one, other in pairs]
    signs = itertools.product((1, -1), repeat=len(differences))
    signed = [abs(sum(sign * difference for sign, difference in zip(turn, differences))) for turn in signs]
    observed = abs(sum(differences)) - 1e-12
    return {
        "map": statistics.fmean(one for one, _ in pairs),
        "other": statistics.fmean(other for _, other in pairs),
        "difference": statistics.fmean(differences),
        "standard_error": statistics.stdev(differences) / math.sqrt(len(differences)),
        "p": sum(value >= observed for value in signed) / len(signed),
    }


def explained(verdict, way, *further):
    """A verdict explained: a case for each member, and whether what they add is the score."""
    folder = out / way
    folder.mkdir(parents=True, exist_ok=True)
    told = run(kenpin, "explain", demo / "kenpin.toml", verdict["seq"], "--out", folder, "--curves", RANDOM, *further)
    parts = told["joined"]["contributions"]
    right = abs(parts["base"] + sum(parts["each"]) - verdict["score"]) <= 1e-9
    cases = []
    for member in told["members"]:
        panel = "teacher" if member["model"] == "elpv-teacher" else "specialist"
        cases.append({"part": verdict["part"], "panel": panel, "model": member["model"], **member["looked"]})
    return cases, right


chosen = [verdict for verdict in verdicts if called(verdict)][:CELLS]
ways = [(verdict, *way) for verdict in chosen for way in (("as-it-comes",), ("rise", "--rise"))]
with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
    told = list(pool.map(lambda way: explained(*way), ways))
cases = [case for of_one, _ in told for case in of_one]
wrong = [verdict["part"] for (verdict, *_), (_, right) in zip(ways, told) if not right]

table = []
for panel, by, curve in itertools.product(("teacher", "specialist"), ("activation", "rise"), ("deletion", "insertion")):
    of = [case["curves"][curve] for case in cases if (case["panel"], case["by"]) == (panel, by)]
    for other in ("scattered", "misplaced"):
        figures = compared([(case["area"], statistics.fmean(case[other])) for case in of])
        sign = 1 if curve == "insertion" else -1
        figures["better_in"] = sum(sign * (case["area"] - statistics.fmean(case[other])) > 0 for case in of)
        table.append({"panel": panel, "by": by, "curve": curve, "against": other, "cells": len(of), **figures})
(out / "report.json").write_text(json.dumps({"figures": table, "cases": cases}, indent=2) + "\n")
print(f"{'':<12}{'map by':<12}{'curve':<11}{'against':<11}{'map':>8}{'other':>8}{'difference':>20}{'p':>8}{'better in':>11}")
for row in table:
    words = f"{row['panel']:<12}{row['by']:<12}{row['curve']:<11}{row['against']:<11}{row['map']:>8.4f}{row['other']:>8.4f}"
    difference = f"{row['difference']:+.4f} +- {row['standard_error']:.4f}"
    print(f"{words}{difference:>20}{row['p']:>8.3f}{row['better_in']:>6} of {row['cells']}")
if wrong or len(cases) != 4 * CELLS:
    sys.exit(f"explain: {len(cases)} maps of {4 * CELLS}; what members add is not the score of {wrong}")
