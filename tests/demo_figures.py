#!/usr/bin/env python3
"""Computes the demo's figures a second time, from the received messages and ELPV's labels alone, and compares.

Standard library only, sharing nothing with Kenpin. Every figure must agree to the last digit with target/demo/report.json,
every test cell must have exactly one verdict, and sequence numbers must run from 1 without gaps.
"""
import json
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent
demo = root / "target/demo"
labels = {}
for line in (root / "target/setup/elpv/elpv_dataset/data/labels.csv").read_text().splitlines():
    path, probability, _ = line.split()
    labels[pathlib.Path(path).stem] = float(probability) > 0.5
cells = (root / "models/elpv/test.txt").read_text().split()
messages = [json.loads(line) for line in (demo / "verdicts.jsonl").read_text().splitlines()]
report = json.loads((demo / "report.json").read_text())

wrong = []


def agree(name, computed, reported):
    """Notes a difference, to the last digit."""
    print(f"{name:20} {computed!r:>22} {reported!r:>22}")
    if computed != reported:
        wrong.append(name)


agree("one verdict a cell", sorted(message["part"] for message in messages) == sorted(cells), True)
agree("seq without gaps", sorted(message["seq"] for message in messages) == list(range(1, len(cells) + 1)), True)
by_part = {message["part"]: message for message in messages}


def count(defective, verdict):
    """The cells of this truth with this verdict."""
    return sum(labels[cell] == defective and by_part[cell]["verdict"] == verdict for cell in cells)


bad, good = sum(labels[cell] for cell in cells), sum(not labels[cell] for cell in cells)
rejects, passes = count(True, "reject"), count(False, "pass")
pairs = [
    (by_part[b]["score"] > by_part[g]["score"]) * 2 + (by_part[b]["score"] == by_part[g]["score"])
    for b in cells if labels[b] for g in cells if not labels[g]
]
agree("parts", len(cells), report["parts"])
agree("verdicts", len(by_part), report["verdicts"])
agree("lost", len(cells) - len(by_part), report["lost"])
agree("accuracy", (rejects + passes) / len(cells), report["accuracy"])
agree("balanced accuracy", (rejects / bad + passes / good) / 2, report["balanced_accuracy"])
agree("ROC AUC", sum(pairs) / (2 * bad * good), report["auc"])
agree("escapes", count(True, "pass"), report["escapes"])
agree("false rejects", count(False, "reject"), report["false_rejects"])
agree("undecided", sum(message["verdict"] == "undecided" for message in messages), report["undecided"])
sys.exit(f"these figures differ: {', '.join(wrong)}" if wrong else 0)
