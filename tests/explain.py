#!/usr/bin/env python3
"""What `kenpin explain` is worth on ELPV: ten rejects of the demo explained, and each heat map held against random ones.

    explain.py [--kenpin PROGRAM]    after `make demo`, which builds the program and leaves journal and frames in target/demo

Takes the first ten defective test cells, in the order of the journal, that every member calls defective. Nothing was trained on
them, and nothing of `kenpin explain` was chosen by them. For each: what the members add is summed anew and held against the
score; the deletion curve of each member's map (the mean score while the picture is hidden, the hottest places first: lower is
better) is held against maps with the same numbers in random places (`scattered`) and against the same map at random places
(`misplaced`), RANDOM of each. Differences are paired by cell: their mean, its standard error, and the chance that ten
differences of random sign have such a mean (both sides, all 1024 signs). Prints a table, leaves pages, pictures and report.json in
target/explain. Exit code 1 when a part is not explained as its verdict says. Standard library only.
"""
import itertools
import json
import math
import statistics
import sys

from halves import program, root, run

CELLS, RANDOM = 10, 5

kenpin = program("Explains ten rejects of the demo and measures their heat maps.")
demo, out = root / "target/demo", root / "target/explain"
out.mkdir(parents=True, exist_ok=True)
try:
    verdicts = [json.loads(line) for line in (demo / "verdicts.jsonl").read_text().splitlines()]
except OSError as why:
    sys.exit(f"explain: run `make demo` first: {why}")
lines = (line.split() for line in (root / "target/setup/elpv/elpv_dataset/data/labels.csv").read_text().splitlines())
defective = {path.split("/")[-1].removesuffix(".png") for path, probability, _ in lines if float(probability) > 0.5}


def called(verdict):
    """Whether it is a defective cell that every member calls defective."""
    return verdict["part"] in defective and verdict["votes"] and all((vote["score"] or 0) >= 0.5 for vote in verdict["votes"])


def compared(cases, other):
    """The map's areas less those of other maps, paired by cell."""
    differences = [case["area"] - statistics.fmean(case[other]) for case in cases]
    mean = statistics.fmean(differences)
    signs = itertools.product((1, -1), repeat=len(differences))
    signed = [abs(sum(sign * difference for sign, difference in zip(turn, differences))) for turn in signs]
    observed = abs(sum(differences)) - 1e-12
    return {
        "area": statistics.fmean(case["area"] for case in cases),
        "other": statistics.fmean(statistics.fmean(case[other]) for case in cases),
        "difference": mean,
        "standard_error": statistics.stdev(differences) / math.sqrt(len(differences)),
        "p": sum(value >= observed for value in signed) / len(signed),
        "better_in": sum(difference < 0 for difference in differences),
        "of": len(differences),
    }


cases, wrong = [], []
for verdict in [verdict for verdict in verdicts if called(verdict)][:CELLS]:
    told = run(kenpin, "explain", demo / "kenpin.toml", verdict["seq"], "--out", out, "--deletion", RANDOM)
    parts = told["joined"]["contributions"]
    if abs(parts["base"] + sum(parts["each"]) - verdict["score"]) > 1e-9:
        wrong.append(verdict["part"])
    for member in told["members"]:
        looked = member["looked"]
        deletion = looked["deletion"]
        case = {"seq": verdict["seq"], "part": verdict["part"], "model": member["model"], "score": looked["now"]}
        case |= {"area": deletion["area"], "scattered": deletion["scattered"], "misplaced": deletion["misplaced"]}
        cases.append(case | {"peak": looked["peak"], "picture": looked["picture"]})

panels = {"elpv-teacher": ["elpv-teacher"], "specialists": ["elpv-mono", "elpv-poly"]}
figures = {
    name: {other: compared([case for case in cases if case["model"] in models], other) for other in ("scattered", "misplaced")}
    for name, models in panels.items()
}
(out / "report.json").write_text(json.dumps({"figures": figures, "cases": cases}, indent=2) + "\n")
print(f"{'':<14}{'against':<12}{'map':>8}{'other':>8}{'difference':>20}{'p':>8}{'better in':>12}")
for name, by in figures.items():
    for other, told in by.items():
        difference = f"{told['difference']:+.4f} +- {told['standard_error']:.4f}"
        better = f"{told['better_in']} of {told['of']}"
        print(f"{name:<14}{other:<12}{told['area']:>8.4f}{told['other']:>8.4f}{difference:>20}{told['p']:>8.3f}{better:>12}")
if wrong or len(cases) != 2 * CELLS:
    sys.exit(f"explain: {len(cases)} maps of {2 * CELLS}; what members add is not the score of {wrong}")
