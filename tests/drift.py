#!/usr/bin/env python3
"""The watch for drift on ELPV test cells: parts until the alarm and false alarms (simulated lines).

    drift.py [--kenpin PROGRAM] [--runs N]    after `make demo`, which builds the program and fetches the pictures

Nothing was trained on these cells. `kenpin drift` shuffles them into lines: half of the cells are the reference, the others come
one by one. From some cell on they are darker by a fifth, blurred (sigma 2 and 1), or of the other cell type (mono, then
poly, and the other way round). Undisturbed lines count false alarms, for the watch as shipped and for watches that promise
so little that the promise can be tested on so few cells. The same again with the embeddings of a model that was trained on
monocrystalline training cells only: a quarter of the cells then chooses in which directions they are watched. Prints the
lines of `kenpin drift` and leaves target/drift/report.json. Exit code 1 when there are more false alarms than twice the
binomial error above the promise. Standard library only.
"""
import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
PANEL = ["teacher", "student"]
EMBEDDING = "embedding-mono"

CONFIG = """\
[device]
id = "drift"
[line]
recipe = "elpv-cells"
[cameras.cell]
kind = "replay"
path = "all.csv"
{models}
[[routes]]
name = "cells"
members = [{members}]
[journal]
path = "state/journal.sqlite"
"""

parser = argparse.ArgumentParser(description="Tries the watch for drift on the ELPV test cells.")
parser.add_argument("--kenpin", type=pathlib.Path, default=root / "target/release/kenpin", help="the program")
parser.add_argument("--runs", type=int, default=100, help="simulated lines of each kind")
arguments = parser.parse_args()
os.environ.setdefault("ORT_DYLIB_PATH", str(root / "target/setup/libonnxruntime.so"))
out = root / "target/drift"
out.mkdir(parents=True, exist_ok=True)


def write(name, rest=""):
    """A config whose panel is PANEL with what else is to be a member."""
    known = PANEL + ([EMBEDDING] if rest else [])
    models = "\n".join(f'[models.{model}]\nfolder = "{root}/models/elpv-{model}"' for model in known)
    path = out / f"{name}.toml"
    path.write_text(CONFIG.format(models=models, members=", ".join(f'{{ model = "{model}" }}' for model in PANEL) + rest))
    return path


plain = write("kenpin")
embedded = write("embedded", f', {{ model = "{EMBEDDING}", votes = false }}')

data = root / "target/setup/elpv/elpv_dataset/data"
test = set((root / "models/elpv/test.txt").read_text().split())
rows = [line.split() for line in (data / "labels.csv").read_text().splitlines()]
cells = [(data / path, "defective" if float(chance) > 0.5 else "good", kind) for path, chance, kind in rows]
cells = [cell for cell in cells if cell[0].stem in test]
for name in ("all", "mono", "poly"):
    with (out / f"{name}.csv").open("w") as file:
        table = csv.writer(file)
        table.writerow(["image", "truth"])
        table.writerows([path, truth] for path, truth, kind in cells if name in ("all", kind))

CHANGES = ["all.csv", "--corrupt=exposure=-20", "--corrupt=blur=2", "--corrupt=blur=1"]
LAX = ["all.csv", "--window=128", "--parts-per-false-alarm=820"]
TRIALS = {
    "all cells, the watch as shipped": (plain, CHANGES),
    "all cells, one false alarm promised among 1,640 parts": (plain, ["all.csv", "--parts-per-false-alarm=1640"]),
    "all cells, window 128, one false alarm promised among 820 parts": (plain, LAX),
    "mono cells, then poly": (plain, ["mono.csv", f"--others={out}/poly.csv"]),
    "poly cells, then mono": (plain, ["poly.csv", f"--others={out}/mono.csv"]),
    "all cells, with embeddings": (embedded, CHANGES),
    "all cells, with embeddings, window 128, one false alarm promised among 820 parts": (embedded, LAX),
    "mono cells, then poly, with embeddings": (embedded, ["mono.csv", f"--others={out}/poly.csv"]),
    "poly cells, then mono, with embeddings": (embedded, ["poly.csv", f"--others={out}/mono.csv"]),
}
report = {"panel": PANEL, "simulated": "every line; corrupted pictures too", "trials": {}}
broken = False
for name, (config, (labelled, *further)) in TRIALS.items():
    words = [arguments.kenpin, "drift", config, out / labelled, f"--runs={arguments.runs}", *further, "--json"]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}: {done.stderr.strip()}")
    trial = report["trials"][name] = json.loads(done.stdout)
    calm = trial["undisturbed"]
    broken |= calm["false_alarms"] > calm["promised"] + 2 * calm["promised_error"]
    print(f"{name}: {trial['parts']} cells, {trial['reference_parts']} of them the reference")
    print(f"  undisturbed: {calm['false_alarms']} false alarms in {calm['runs']} runs of {calm['parts_per_run']} parts, "
          f"promised at most {calm['promised']:.1f} (standard error {calm['promised_error']:.1f})")
    for change in trial["changes"]:
        until = change["parts_until_alarm"]
        spread = (f"median {until['median']:.0f}, 10 to 90 % {until['tenth']:.0f} to {until['ninth_tenth']:.0f}, "
                  f"greatest {until['greatest']:.0f}" if until else "never")
        print(f"  {change['change']}: parts until the alarm {spread}; seen in {change['seen']} of {change['runs']} runs, "
              f"{change['false_alarms']} alarms before the change; {change['statistics']}", flush=True)
(out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
if broken:
    sys.exit("drift: more false alarms than promised")
