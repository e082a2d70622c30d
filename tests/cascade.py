#!/usr/bin/env python3
"""A student first, its teacher where that one is not sure: what it saves and what it costs on the ELPV test cells.

    cascade.py [--kenpin PROGRAM]    after `make demo`, which builds the program and fetches the pictures

Nothing was trained on these cells. `kenpin fit` learns on one half of them when the teacher sleeps, and the thresholds of the
cascade, of the teacher alone and of the student alone; `kenpin eval` judges the other half with each; then the other way
round. Prints a table and leaves target/cascade/report.json. Exit code 1 when a half gave other counts of parts than it has.
Standard library only.
"""
import json
import shutil
import sys

from halves import program, root, run, write_halves

LOSS_BOUND = 0.03

CONFIG = """\
[device]
id = "cascade"
[line]
recipe = "elpv-cells"
[cameras.cell]
kind = "replay"
path = "first.csv"
[models.teacher]
folder = "{models}/elpv-teacher"
[models.student]
folder = "{models}/elpv-student"
[[ladder]]
rung = "cascade"
[[ladder]]
rung = "teacher"
[[ladder]]
rung = "student"
[[routes]]
name = "cells"
members = [{{ model = "student" }}, {{ model = "teacher" }}]
rungs.teacher = {{ members = [{{ model = "teacher" }}] }}
rungs.student = {{ members = [{{ model = "student" }}] }}
[fits]
folder = "fits"
[journal]
path = "state/journal.sqlite"
"""

kenpin = program("Measures a cascade on the ELPV test cells.")
out = root / "target/cascade"
shutil.rmtree(out, ignore_errors=True)
out.mkdir(parents=True)
config = out / "kenpin.toml"
config.write_text(CONFIG.format(models=root / "models"))


def learned(half):
    """Fits the three rungs on one half, anew."""
    shutil.rmtree(out / "fits", ignore_errors=True)
    options = ["--state", out / "state", "--force"]
    cascade = ["--cascade", "student,teacher", "--loss-bound", LOSS_BOUND]
    for rung, more in {"cascade": cascade, "teacher": [], "student": []}.items():
        run(kenpin, "fit", config, out / f"{half}.csv", "--rung", rung, *more, *options)


def judged(half, rung):
    """The figures of one half on one rung, by the fits that lie there."""
    told = run(kenpin, "eval", config, out / f"{half}.csv", "--rung", rung)
    woken = told["members"].get("elpv-teacher", {}).get("parts", 0)
    return {
        "learned_on": "second" if half == "first" else "first",
        "shown_on": half,
        "rung": rung,
        "parts": told["parts"],
        "woken_share": woken / told["parts"],
        "accuracy": told["accuracy"],
        "escapes": told["escapes"],
        "false_rejects": told["false_rejects"],
        "cpu_ms_per_part": told["cpu_ms_per_part"],
    }


halves = write_halves(out)
cases = []
for shown, other in (("second", "first"), ("first", "second")):
    learned(other)
    cases += [judged(shown, rung) for rung in ("cascade", "teacher", "student")]
(out / "report.json").write_text(json.dumps({"loss_bound": LOSS_BOUND, "cases": cases}, indent=2) + "\n")
print("learned on  shown on  rung     parts  teacher woken  accuracy  escapes  false rejects  CPU ms/part")
for case in cases:
    print("{learned_on:<10}  {shown_on:<8}  {rung:<8}{parts:>6}  {woken_share:>12.1%}  {accuracy:>9.4f}"
          "  {escapes:>7}  {false_rejects:>13}  {cpu_ms_per_part:>11.2f}".format(**case))
print("CPU is that of the whole process from the picture's file to the verdict, decoding included.")
if any(case["parts"] != halves[case["shown_on"]] for case in cases):
    sys.exit("cascade: a half was not judged whole")
