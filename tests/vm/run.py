#!/usr/bin/env python3
"""Boots the machine, breaks it in every way there is a check for, and writes target/vm/result.json.

    run.py [--only CHECK ...]    CHECK: the name of a function in checks.py or operating.py

Exit code 0 when every check held and no verdict was lost, 1 when not, 3 when something is missing to try it with.
"""
import argparse
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import time

import checks
import operating
from machine import Gone, Machine

root = pathlib.Path(__file__).resolve().parent.parent.parent
home = root / "target/vm"
MODELS = ("elpv-student", "elpv-student-small")
# Without these there is nothing to check.
ESSENTIAL = {checks.package_installed, checks.service_active, checks.frames_ordered}
CHECKS = [
    checks.package_installed, checks.example_refused, checks.service_active, checks.doctor, checks.frames_ordered,
    checks.verdicts_received, checks.watchdog, checks.killed, checks.camera_disconnected, checks.cameras_unbound,
    checks.broker_stopped, checks.reload_good, checks.reload_bad, operating.changeover, operating.labelled, operating.explained,
    operating.programs_trigger, checks.out_of_memory, checks.builder_out_of_memory, checks.power_cut, checks.upgraded,
    checks.nothing_lost, checks.purged,
]  # fmt: skip


def missing(what):
    """Says what is missing and ends."""
    print(f"vm-test: {what}", file=sys.stderr)
    sys.exit(3)


def second_package(first):
    """The same package under a later version, made by cargo-deb without building again."""
    version = first.name.split("_")[1] + "+upgrade"
    command = [
        root / "target/setup/cargo-deb", "--quiet", "--no-build", "--no-strip", "--fast", "--target", "aarch64-unknown-linux-gnu",
        "--deb-version", version, "--output", home / "share/",
    ]  # fmt: skip
    environment = {**os.environ, "CARGO_TARGET_DIR": str(root / "target/arm64")}
    subprocess.run(command, check=True, cwd=root, env=environment, stdout=subprocess.DEVNULL)
    return home / "share" / f"kenpin_{version}_arm64.deb"


def stand_in(share):
    """An ONNX Runtime whose TensorRT takes memory until it is killed (builder.c), made by the compiler that `make arm64` uses."""
    command = [root / "target/setup/zig/zig", "cc", "-target", "aarch64-linux-gnu.2.31", "-shared", "-fPIC", "-O1", "-Wall", "-Werror"]
    subprocess.run([*command, "-o", share / "stand-in.so", root / "tests/vm/builder.c", "-ldl"], check=True)


def prepare():
    """A fresh disk and a share with packages, models, config and library: both packages."""
    found = sorted((root / "target/deb").glob("kenpin_*_arm64.deb"), key=lambda path: path.stat().st_mtime)
    library = root / "target/setup/libonnxruntime-aarch64.so"
    for path in (home / "image/disk.img", library):
        path.exists() or missing(f"{path} is missing: make vm-test makes it")
    found or missing("there is no package in target/deb: make deb-arm64 makes it")
    shutil.which("qemu-system-aarch64") or missing("qemu-system-aarch64 is missing: install qemu-system-arm")
    share = home / "share"
    shutil.rmtree(share, ignore_errors=True)
    share.mkdir()
    for name in MODELS:
        shutil.copytree(root / "models" / name, share / "models" / name)
    shutil.copy(root / "tests/vm/kenpin.toml", share)
    shutil.copy(library, share / "libonnxruntime.so")
    shutil.copy(found[-1], share)
    stand_in(share)
    subprocess.run(["cp", "--sparse=always", home / "image/disk.img", home / "disk.img"], check=True)
    return [share / found[-1].name, second_package(found[-1])]


def lost(share):
    """Verdicts of the journal that the subscriber was not told, was told otherwise, or whose number is missing from the journal."""
    journal = sqlite3.connect(f"file:{share / 'journal.sqlite'}?immutable=1", uri=True)
    kept = {seq: json.loads(body)["part"] for seq, body in journal.execute("select seq, body from verdict")}
    told = {verdict["seq"]: verdict["part"] for verdict in scene.told()}
    return [seq for seq in range(1, max([*kept, *told], default=0) + 1) if seq not in kept or told.get(seq) != kept[seq]]


def tried(check, gone):
    """One check: name, whether it held, what was seen, seconds."""
    began = time.monotonic()
    try:
        ok, detail = (False, f"not tried: {gone}") if gone else (True, check(scene))
    except checks.Failed as why:
        ok, detail = False, str(why)
    except (Gone, OSError, ValueError, KeyError) as why:
        ok, detail = False, f"{type(why).__name__}: {why}"
    seconds = round(time.monotonic() - began, 1)
    print(f"vm-test: {'ok    ' if ok else 'FAILED'} {check.__name__} ({seconds} s): {detail}", flush=True)
    return {"name": check.__name__, "ok": ok, "detail": detail, "seconds": seconds}


arguments = argparse.ArgumentParser(description="Boots the machine and breaks it in every way there is a check for.")
arguments.add_argument("--only", nargs="+", metavar="CHECK", help="these checks only")
arguments = arguments.parse_args()
began = time.monotonic()
machine = Machine(home / "image", home / "disk.img", home / "share", home / "console.log")
scene = checks.Scene(machine, prepare())
results, gone = [], None


def boot(_):
    """The machine boots."""
    return f"{machine.start():.0f} s to the guest agent; {machine.run('uname -srm').out}"


try:
    for check in [boot, *(check for check in CHECKS if not arguments.only or check.__name__ in arguments.only)]:
        results.append(tried(check, gone))
        ended = machine.process is None or machine.process.poll() is not None
        if not results[-1]["ok"] and not gone and (ended or check in ESSENTIAL):
            gone = f"{check.__name__} failed"
finally:
    if machine.agent and machine.process.poll() is None:
        (home / "journal.log").write_text(machine.run("journalctl --no-pager -o short-monotonic | tail -n 4000").out)
    machine.cut()

copied = (home / "share/journal.sqlite").exists()
missed = lost(home / "share") if copied else None
report = {
    "checks": results,
    "lost": None if missed is None else len(missed),
    "verdicts": len({verdict["seq"] for verdict in scene.told()}),
    "told_again": len(scene.told()) - len({verdict["seq"] for verdict in scene.told()}),
    "minutes": round((time.monotonic() - began) / 60, 1),
}
(home / "result.json").write_text(json.dumps(report, indent=1) + "\n")
bad = [result["name"] for result in results if not result["ok"]]
print(f"vm-test: {len(results) - len(bad)} of {len(results)} checks held, lost {report['lost']} of {report['verdicts']} verdicts, "
      f"{report['minutes']} minutes; target/vm/result.json")  # fmt: skip
sys.exit(0 if not bad and report["lost"] == 0 else 1)
