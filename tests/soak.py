#!/usr/bin/env python3
"""An hour of a line: two cameras at 30 frames a second, every verdict received by mosquitto_sub, memory and files looked at.

    soak.py [--minutes 60] [--kenpin PROGRAM]    after `make demo` and `cross/setup test`

Two replay cameras play the ELPV test cells again and again; what they show at one moment is one part, judged by a student for
each camera. Every ten seconds the daemon's resident memory and open files are noted. Prints a table, leaves
target/soak/report.json. Exit code 1 when a verdict is missing or came out of order, when files are left open, or when memory
grew by more than 5 % and 4 MB from the second tenth of the run to the last. Latencies are told and never judged. Standard
library only.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

CONFIG = """\
[device]
id = "soak"
[cameras.top]
kind = "replay"
path = "parts.txt"
repeat = true
part_id = "none"
pace = "paced"
frames_per_second = 30
[cameras.side]
kind = "replay"
path = "parts.txt"
repeat = true
part_id = "none"
pace = "paced"
frames_per_second = 30
[join]
window_ms = 15
[models.small]
folder = "{models}/elpv-student-small"
[[routes]]
name = "both"
members = [{{ model = "small", camera = "top" }}, {{ model = "small", camera = "side" }}]
[journal]
path = "state/journal.sqlite"
max_mib = 256
[mqtt]
broker = "127.0.0.1:{port}"
"""
LOOK_EVERY = 10.0

root = pathlib.Path(__file__).resolve().parent.parent
parser = argparse.ArgumentParser(description="Runs a line of two cameras for an hour.")
parser.add_argument("--minutes", type=float, default=60, help="how long; 60 where not told")
parser.add_argument("--kenpin", type=pathlib.Path, default=root / "target/release/kenpin", help="the program")
arguments = parser.parse_args()
os.environ.setdefault("ORT_DYLIB_PATH", str(root / "target/setup/libonnxruntime.so"))
os.environ["PATH"] += ":/usr/sbin"
out = root / "target/soak"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def status(pid):
    """Resident megabytes and open files of a process."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return kilobytes * 1024 / 1e6, len(os.listdir(f"/proc/{pid}/fd"))


def prepare(port):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    cells = (root / "models/elpv/test.txt").read_text().split()
    images = root / "target/setup/elpv/elpv_dataset/data/images"
    (out / "parts.txt").write_text("".join(f"{images / cell}.png\n" for cell in cells))
    (out / "kenpin.toml").write_text(CONFIG.format(models=root / "models", port=port))
    (out / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")


def watch(daemon, seconds):
    """What was seen of the daemon, every ten seconds."""
    seen, begun = [], time.monotonic()
    while time.monotonic() - begun < seconds:
        time.sleep(min(LOOK_EVERY, seconds))
        if daemon.poll() is not None:
            sys.exit(f"soak: the daemon ended by itself with {daemon.returncode}; see {out / 'daemon.log'}")
        megabytes, files = status(daemon.pid)
        seen.append({"seconds": time.monotonic() - begun, "resident_mb": megabytes, "files": files})
    return seen


def run(port):
    with (out / "verdicts.jsonl").open("w") as verdicts, (out / "daemon.log").open("w") as log:
        broker = subprocess.Popen(["mosquitto", "-c", out / "mosquitto.conf"], stderr=subprocess.DEVNULL)
        while subprocess.run(["mosquitto_pub", "-p", str(port), "-t", "x", "-n"], stderr=subprocess.DEVNULL).returncode:
            time.sleep(0.1)
        words = ["-V", "5", "-q", "1", "-p", str(port), "-c", "-i", "soak", "-t", "kenpin/v1/soak/verdict"]
        heard = subprocess.Popen(["mosquitto_sub", *words], stdout=verdicts)
        daemon = subprocess.Popen([arguments.kenpin, "run", out / "kenpin.toml"], stderr=log)
        try:
            seen = watch(daemon, arguments.minutes * 60)
            daemon.send_signal(signal.SIGTERM)
            if daemon.wait(timeout=90) != 0:
                sys.exit(f"soak: the daemon ended with {daemon.returncode}; see {out / 'daemon.log'}")
        finally:
            for process in (daemon, heard, broker):
                process.terminate()
                process.wait()
    return seen


def percentile(values, share):
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def report(seen):
    verdicts = [json.loads(line) for line in (out / "verdicts.jsonl").read_text().splitlines()]
    numbers = [verdict["seq"] for verdict in verdicts]
    latencies = [verdict["milliseconds"]["total"] for verdict in verdicts]
    tenth = max(len(latencies) // 10, 1)
    looks = max(len(seen) // 10, 1)
    resident = [look["resident_mb"] for look in seen]
    begin, end = statistics.median(resident[looks:2 * looks] or resident), statistics.median(resident[-looks:])
    files = [look["files"] for look in seen]
    return {
        "minutes": arguments.minutes,
        "verdicts": len(verdicts),
        "lost": (numbers[-1] if numbers else 0) - len(set(numbers)),
        "in_order": numbers == list(range(1, len(numbers) + 1)),
        "both_frames": sum(len(verdict["frames"]) == 2 for verdict in verdicts),
        "resident_mb": {"second_tenth": begin, "last_tenth": end, "most": max(resident)},
        "files": {"first": files[0], "last": files[-1], "most": max(files)},
        "latency_ms_p99": {"first_tenth": percentile(latencies[:tenth], 0.99), "last_tenth": percentile(latencies[-tenth:], 0.99)},
    }


port = free_port()
prepare(port)
told = report(run(port))
(out / "report.json").write_text(json.dumps(told, indent=2) + "\n")
print(json.dumps(told, indent=2))
memory, files = told["resident_mb"], told["files"]
grown = memory["last_tenth"] - memory["second_tenth"]
faults = [
    ("verdicts are missing", told["lost"] != 0 or told["verdicts"] == 0),
    ("verdicts came out of order", not told["in_order"]),
    (f"memory grew by {grown:.1f} MB", grown > 4 and grown > 0.05 * memory["second_tenth"]),
    (f"files were left open, {files['first']} and then {files['last']}", files["last"] > files["first"] + 2),
]
for what, wrong in faults:
    if wrong:
        print(f"soak: {what}", file=sys.stderr)
sys.exit(any(wrong for _, wrong in faults))
