"""The ELPV cells as labelled sets, and `kenpin` at work on them: what cascade.py, adaptive.py, learn.py and explain.py share."""
import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent


def options(description):
    """What reads the command line: it knows --kenpin, and the program finds its library."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--kenpin", type=pathlib.Path, default=root / "target/release/kenpin", help="the program")
    os.environ.setdefault("ORT_DYLIB_PATH", str(root / "target/setup/libonnxruntime.so"))
    return parser


def program(description):
    """The program that the command line names."""
    return options(description).parse_args().kenpin


def cells(path, names):
    """Writes a labelled list of these cells."""
    data = root / "target/setup/elpv/elpv_dataset/data"
    lines = (line.split() for line in (data / "labels.csv").read_text().splitlines())
    defective = {pathlib.Path(path).stem: float(probability) > 0.5 for path, probability, _ in lines}
    with path.open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "truth"])
        for cell in names:
            rows.writerow([data / "images" / f"{cell}.png", "defective" if defective[cell] else "good"])


def write_halves(out):
    """Writes every second test cell to out/first.csv, the others to out/second.csv; the number of cells in each."""
    held_out = (root / "models/elpv/test.txt").read_text().split()
    halves = {"first": held_out[0::2], "second": held_out[1::2]}
    for name, half in halves.items():
        cells(out / f"{name}.csv", half)
    return {name: len(half) for name, half in halves.items()}


def run(kenpin, *words):
    """What `kenpin` printed as JSON."""
    done = subprocess.run([kenpin, *map(str, words), "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"kenpin {' '.join(map(str, words))} ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)
