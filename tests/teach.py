"""What a few examples teach: ELPV cells of a type that the embedding model has never seen.

models/elpv-embedding-mono was trained on monocrystalline cells only and is asked about polycrystalline ones, -poly the other
way round. Of the new type, every cell but those of validation.txt (they took part in choosing the recipe's settings) is either
an example or judged: `kenpin teach --curve` draws 1, 2, 5, 10, 25 and 50 a class, 20 times each, teaches every head and judges all
others. Cells that the embedding was trained on are given to the leak guard, which must find none of them.
Prints the curves beside the recipe's own figures (models/elpv/few_shot.json, in Python, on training cells of the new type), what
one `kenpin teach` takes, and leaves target/teach/report.json and a picture for each direction. Exit code 1 when a cell of the
embedding's training was among them, or the guard missed one that was put there. Standard library only.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import time

from halves import cells as write_cells
from halves import program, root, run

SHOTS = (1, 2, 5, 10, 25, 50)
DRAWS = 20
HEADS = ("prototype", "ridge", "logistic", "memory-bank")
EXAMPLES = 25

kenpin = program("Measures what a few examples of a new cell type teach.")
out = root / "target/teach"
shutil.rmtree(out, ignore_errors=True)
out.mkdir(parents=True)
data = root / "target/setup/elpv/elpv_dataset/data"
cells = {}
for line in (data / "labels.csv").read_text().splitlines():
    path, probability, kind = line.split()
    cells[path.split("/")[-1].removesuffix(".png")] = (kind, float(probability) > 0.5)
listed = {name: set((root / f"models/elpv/{name}.txt").read_text().split()) for name in ("train", "validation", "test")}
recipe = json.loads((root / "models/elpv/few_shot.json").read_text())["rows"]


def write_list(path, names):
    """A labelled list of cells, as `kenpin` reads it; its path."""
    write_cells(path, names)
    return path


def of_recipe(direction, shots):
    """The figures of the recipe's prototypes; none for numbers of examples that it did not try."""
    rows = [row for row in recipe if (row["method"], row["direction"], row["shots"]) == ("prototypical", direction, shots)]
    return rows[0] if rows else None


def spent(*words):
    """Wall seconds, CPU seconds and megabytes of one run of `kenpin`, and what it printed as JSON."""
    begun = time.monotonic()
    with subprocess.Popen([kenpin, *map(str, words), "--json"], stdout=subprocess.PIPE) as child:
        told = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"kenpin {' '.join(map(str, words))} ended with {child.returncode}")
    cost = {"wall_s": time.monotonic() - begun, "cpu_s": used.ru_utime + used.ru_stime, "memory_mb": used.ru_maxrss / 1e3}
    return cost, json.loads(told)


def curve(old, new):
    """The curves of one direction."""
    trained = out / f"trained-{old}.txt"
    names = sorted(name for name in listed["train"] - listed["validation"] if cells[name][0] == old)
    trained.write_text("\n".join(names) + "\n")
    guard = ["--trained", trained, "--pixels", root / "models/elpv/pixels.csv"]
    embedding = ["--embedding", root / f"models/elpv-embedding-{old}"]
    pool = [name for name in cells if cells[name][0] == new and name not in listed["validation"]]
    # The guard at work: the same cells and five that the embedding was trained on.
    planted = run(kenpin, "teach", *embedding, *guard, "--examples",
                  write_list(out / "planted.csv", pool[:60] + names[:5]), "--curve", 1, "--draws", 2)
    told = run(kenpin, "teach", *embedding, *guard, "--examples", write_list(out / f"{new}.csv", pool),
               "--curve", ",".join(map(str, SHOTS)), "--draws", DRAWS, "--plot", out / f"{old}-to-{new}.svg")
    if told["left_out"] != 0 or planted["left_out"] != 5:
        sys.exit(f"teach: the guard left out {told['left_out']} and {planted['left_out']} cells, want 0 and 5")
    return told, embedding, pool


def once(old, new, embedding, pool):
    """One teaching of each head by EXAMPLES a class, what it took, and what the daemon's path says of the other cells."""
    drawn, told = random.Random(1), []
    kinds = [[name for name in pool if cells[name][1] is bad] for bad in (False, True)]
    taught = [name for kind in kinds for name in drawn.sample(kind, EXAMPLES)]
    others = [name for name in pool if name not in set(taught)]
    write_list(out / "others.csv", others)
    for head in HEADS:
        name = f"{old}-{head}"
        cost, report = spent("teach", *embedding, "--examples", write_list(out / "examples.csv", taught), "--head", head,
                             "--out", out / "models" / name)
        run(kenpin, "models", "verify", out / "models" / name, "--run")
        (out / "kenpin.toml").write_text(
            f'[device]\nid = "teach"\n[cameras.cell]\nkind = "replay"\npath = "others.csv"\n'
            f'[models.head]\nfolder = "models/{name}"\n[[routes]]\nname = "cells"\nmembers = [{{ model = "head" }}]\n')
        judged = run(kenpin, "eval", out / "kenpin.toml", out / "others.csv")
        told.append({"head": head, **cost, "estimate": report["taught"].get("estimate"), "judged": judged["parts"],
                     "balanced_accuracy": judged["balanced_accuracy"], "auc": judged["auc"]})
    return told


def interval(figure):
    """A figure with its interval."""
    return "no threshold           " if figure is None else "{value:.3f} ({low:.3f} to {high:.3f})".format(**figure)


report = []
for old, new in (("mono", "poly"), ("poly", "mono")):
    direction = f"{old}-to-{new}"
    told, embedding, pool = curve(old, new)
    print(f"{direction}: {told['parts']} {new} cells, {told['defective']} defective, none of them in the embedding's training")
    print("head         examples a class  balanced accuracy       ROC AUC                 recipe's prototypes, balanced accuracy")
    for head in HEADS:
        for point in (point for point in told["points"] if point["head"] == head):
            line = f"{head:<11}  {point['examples']:>16}  {interval(point['balanced_accuracy'])}  {interval(point['auc'])}"
            row = of_recipe(direction, point["examples"]) if head == "prototype" else None
            if row:
                figure = row["balanced_accuracy"]
                line += f"  {figure['mean']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
            print(line)
    taught = once(old, new, embedding, pool)
    print(f"one teaching of {EXAMPLES} examples a class, by `kenpin eval` on the other cells:")
    for case in taught:
        estimate = case["estimate"]
        print(f"{case['head']:<11}  {case['wall_s']:.1f} s, {case['cpu_s']:.1f} s of CPU, {case['memory_mb']:.0f} MB; "
              f"balanced accuracy {case['balanced_accuracy']:.3f}, held out {interval(estimate['balanced_accuracy'])}; "
              f"AUC {case['auc']:.3f}, held out {interval(estimate['auc'])}")
    report.append({"direction": direction, **told, "taught": taught})
(out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
print(f"intervals of the curves: 95 % over {DRAWS} draws of the examples; held out: of so few examples")
