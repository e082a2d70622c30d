#!/usr/bin/env python3
"""Computes the demo's figures a second time, from the received messages and ELPV's labels alone, and compares.

    demo_figures.py [FOLDER] [--fallback]    FOLDER is what the demo wrote, target/demo unless given

Standard library only, sharing nothing with Kenpin. Every figure must agree to the last digit with FOLDER/report.json, every
test cell must have exactly one verdict with a score, sequence numbers must run from 1 without gaps, and the accuracy must be
at least 0.85. Each vote and each answer of the gate must lie within 0.001 of what the training recipe wrote for the cell in
models/elpv/out_of_fold.csv. No message may be degraded; with --fallback each must be, and every vote must come from tract.
"""
import argparse
import csv
import io
import json
import math
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent
arguments = argparse.ArgumentParser(description="Computes the demo's figures a second time and compares.")
arguments.add_argument("folder", nargs="?", type=pathlib.Path, default=root / "target/demo", help="what the demo wrote")
arguments.add_argument("--fallback", action="store_true", help="want tract everywhere, and every message to say so")
arguments = arguments.parse_args()


def read(path):
    """The text of a file."""
    try:
        return path.read_text()
    except OSError as why:
        sys.exit(f"{path} cannot be read: {why.strerror}")


labels = {}
for line in read(root / "target/setup/elpv/elpv_dataset/data/labels.csv").splitlines():
    path, probability, _ = line.split()
    labels[pathlib.Path(path).stem] = float(probability) > 0.5
cells = read(root / "models/elpv/test.txt").split()
messages = [json.loads(line) for line in read(arguments.folder / "verdicts.jsonl").splitlines()]
report = json.loads(read(arguments.folder / "report.json"))

wrong = []


def agree(name, computed, reported):
    """Notes a difference, to the last digit."""
    print(f"{name:24} {computed!r:>22} {reported!r:>22}")
    if computed != reported:
        wrong.append(name)


def share(part, whole):
    """A share; None of nothing."""
    return part / whole if whole else None


def auc(scored):
    """The share of pairs of a defective and a good part in which the defective one scores higher, a tie counting half."""
    bad = [score for defective, score in scored if defective and score is not None]
    good = [score for defective, score in scored if not defective and score is not None]
    return share(sum((b > g) * 2 + (b == g) for b in bad for g in good), 2 * len(bad) * len(good))


by_part = {}
for message in messages:
    by_part.setdefault(message["part"], message)
judged = {cell: by_part[cell] for cell in cells if cell in by_part}
votes = [(cell, message, vote) for cell, message in judged.items() for vote in message["votes"]]


def count(defective, verdict):
    """The cells of this truth with this verdict."""
    return sum(labels[cell] == defective and message["verdict"] == verdict for cell, message in judged.items())


agree("one verdict a cell", sorted(message["part"] for message in messages) == sorted(cells), True)
agree("seq without gaps", sorted(message["seq"] for message in messages) == list(range(1, len(cells) + 1)), True)
agree("verdicts without score", sum(message["score"] is None for message in messages), 0)
agree("votes without score", sum(vote["score"] is None for _, _, vote in votes), 0)

bad, good = sum(labels[cell] for cell in cells), sum(not labels[cell] for cell in cells)
rejects, passes = count(True, "reject"), count(False, "pass")
accuracy = (rejects + passes) / len(cells)
agree("parts", len(cells), report["parts"])
agree("verdicts", len(judged), report["verdicts"])
agree("lost", len(cells) - len(judged), report["lost"])
agree("accuracy", accuracy, report["accuracy"])
agree("accuracy at least 0.85", accuracy >= 0.85, True)
agree("balanced accuracy", (rejects / bad + passes / good) / 2, report["balanced_accuracy"])
agree("ROC AUC", auc([(labels[cell], message["score"]) for cell, message in judged.items()]), report["auc"])
agree("escapes", count(True, "pass"), report["escapes"])
agree("false rejects", count(False, "reject"), report["false_rejects"])
agree("undecided", len(cells) - sum(count(truth, verdict) for truth in (True, False) for verdict in ("reject", "pass")),
      report["undecided"])

members = {}
for cell, message, vote in votes:
    reject_from = (message["thresholds"] or {}).get("reject_from", math.inf)
    members.setdefault(vote["model"], []).append((labels[cell], vote["score"], reject_from))
agree("members", len(members), len(report["members"]))
for name, answers in sorted(members.items()):
    reported = report["members"].get(name, {})
    right = sum(
        defective == (score >= reject_from) for defective, score, reject_from in answers if score is not None
    )
    agree(f"{name} parts", len(answers), reported.get("parts"))
    agree(f"{name} accuracy", share(right, len(answers)), reported.get("accuracy"))
    agree(f"{name} ROC AUC", auc([answer[:2] for answer in answers]), reported.get("auc"))

recipe = {}
for row in csv.DictReader(io.StringIO(read(root / "models/elpv/out_of_fold.csv"))):
    if row["fold"] == "test":
        recipe[row["rung"], row["part"]] = 1 / (1 + math.exp(-float(row["logit"])))


def of_recipe(cell, vote):
    """What the recipe wrote for this vote; a specialist's only where the recipe's gate chose it too."""
    if vote["tier"] != "specialist":
        return recipe[vote["model"], cell]
    chosen = "elpv-poly" if recipe["elpv-gate", cell] > 0.5 else "elpv-mono"
    return recipe["specialist", cell] if chosen == vote["model"] else None


compared = [(vote["score"], of_recipe(cell, vote)) for cell, _, vote in votes]
for cell, message in judged.items():
    for gate in message["gates"]:
        seen = {each["label"]: each["probability"] for each in gate["findings"]["classes"]}
        compared.append((seen["poly"], recipe[gate["model"], cell]))
compared = [abs(seen - wanted) for seen, wanted in compared if wanted is not None]
print(f"{len(compared)} answers beside the recipe's: farthest {max(compared):.1e}")
agree("answers off the recipe's", sum(difference > 1e-3 for difference in compared), 0)
agree("votes not compared", len(compared) < 0.99 * len(votes), False)

agree("degraded messages", sum(bool(message["degraded"]) for message in messages), len(messages) * arguments.fallback)
agree("degraded, as reported", report["degraded"], len(messages) * arguments.fallback)
if arguments.fallback:
    agree("votes not by tract", sum((vote["placement"] or {}).get("backend") != "tract" for _, _, vote in votes), 0)
sys.exit(f"these figures differ: {', '.join(wrong)}" if wrong else 0)
