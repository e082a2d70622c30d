#!/usr/bin/env python3
"""Where the instructions of a part go: callgrind over the road of the smallest model.

    profile.py FILE [CASE]

Runs the bench's daemon under callgrind twice, over few parts and over more; the difference is what the further parts cost,
without start and stop. Writes one line a function, dearest first, into FILE. Instructions in the kernel are not seen, nor is
waiting. valgrind offers AVX2 and no instructions for hashes, so numbers of ONNX Runtime and of start are not those of the
machine; those of Kenpin are. Packages: none.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FEW, MORE = 20, 100
COST = re.compile(r"^\s*([\d,]+) \([ \d.]+%\)\s+(.*)$")


def binary():
    told = subprocess.run(["cargo", "bench", "--locked", "--features", "broker", "--bench", "road", "--no-run",
                           "--message-format", "json"], capture_output=True, text=True, check=True).stdout
    artifacts = [json.loads(line) for line in told.splitlines()]
    return [a["executable"] for a in artifacts if a.get("target", {}).get("name") == "road" and a.get("executable")][-1]


def functions(program, case, parts, folder):
    out = f"{folder}/callgrind.{parts}"
    subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program, "parts", str(parts), case],
                   check=True, stderr=subprocess.DEVNULL)
    told = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", out], capture_output=True, text=True,
                          check=True).stdout
    costs, total = {}, 0
    for line in told.splitlines():
        if not (found := COST.match(line)):
            continue
        count, name = int(found[1].replace(",", "")), found[2].strip()
        if name.startswith("PROGRAM TOTALS"):
            total = count
            continue
        library = re.search(r"\[(.*)\]$", name)
        library = Path(library[1]).name if library else ""
        name = re.sub(r"\s*\[.*\]$", "", name).split(":", 1)[-1]
        if library.startswith("libonnxruntime"):
            name = "ONNX Runtime"
        elif library.startswith("road"):
            library = ""
        costs[name, library] = costs.get((name, library), 0) + count
    return total, costs


def main():
    out, case = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "student 24 k, JPEG, 1 thread"
    os.environ.setdefault("ORT_DYLIB_PATH", str(Path("target/setup/libonnxruntime.so").absolute()))
    program = os.environ.get("ROAD") or binary()
    with tempfile.TemporaryDirectory() as folder:
        few, fewer = functions(program, case, FEW, folder)
        more, dearer = functions(program, case, MORE, folder)
    parts = MORE - FEW
    each = {name: (count - fewer.get(name, 0)) / parts for name, count in dearer.items()}
    lines = [f"case: {case}", f"instructions a part: {(more - few) / parts:,.0f}",
             f"of them outside ONNX Runtime: {sum(v for (n, _), v in each.items() if n != 'ONNX Runtime'):,.0f}",
             f"start, stop and the rest: {few - FEW * (more - few) / parts:,.0f}", ""]
    for (name, library), count in sorted(each.items(), key=lambda item: -item[1])[:150]:
        lines.append(f"{count:>14,.0f}  {name}" + (f"  [{library}]" if library and name != "ONNX Runtime" else ""))
    out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines[:60]))


if __name__ == "__main__":
    main()
