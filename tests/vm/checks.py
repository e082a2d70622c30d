"""Checks of `make vm-test` on the service and its machine: each does something to the machine and says what it saw, or raises Failed."""
import json
import re
import time

# Shorter than the unit's minute, so that the test need not wait that long; longer than a model's run under emulation.
WATCHDOG_S = 20
PID = "systemctl show -p MainPID --value kenpin"
JOURNAL = "/var/lib/kenpin/journal.sqlite"
COUNT = f"runuser -u kenpin -- sqlite3 -readonly {JOURNAL} 'select coalesce(max(seq), 0) from verdict'"


class Failed(Exception):
    """What was wanted and what was seen instead."""


def want(held, wanted, seen=""):
    """Goes on only where something holds."""
    if not held:
        raise Failed(f"want {wanted}" + (f"; seen: {seen}" if str(seen) else ""))


class Scene:
    """The machine, the packages, and what the subscriber and the journal have written down so far."""

    def __init__(self, machine, packages):
        self.machine, self.packages = machine, packages
        self.told_file = machine.share / "told.tsv"

    def told(self):
        """Every verdict that the subscriber was told, in the order it was told them."""
        lines = self.told_file.read_text().splitlines() if self.told_file.exists() else []
        bodies = (line.split("\t", 1)[1] for line in lines if line.startswith("kenpin/"))
        return [json.loads(body) for body in bodies]

    def journalled(self):
        """The greatest sequence number on disk in the guest."""
        answer = self.machine.run(COUNT)
        want(answer, "the journal to be readable", answer)
        return int(answer.out)

    def until_told(self, seq, within=90):
        """Waits until the subscriber was told this sequence number."""
        end = time.monotonic() + within
        while not any(verdict["seq"] >= seq for verdict in self.told()[-200:]):
            want(time.monotonic() < end, f"the subscriber to be told seq {seq} within {within} s", self.standing())
            time.sleep(0.5)

    def more(self, parts=6, within=90):
        """Waits for so many more parts, judged, written down and told: their verdicts."""
        seen = len(self.told())
        end = time.monotonic() + within
        while len(self.told()) < seen + parts:
            want(time.monotonic() < end, f"{parts} more verdicts told within {within} s", self.standing())
            time.sleep(0.5)
        return self.told()[seen:]

    def standing(self):
        """Why nothing comes: the unit's state and the last lines of its log."""
        asked = "systemctl show -p ActiveState,SubState,Result,StatusText kenpin; journalctl -u kenpin -n 4 -o cat --no-pager"
        return " / ".join(self.machine.run(asked).out.splitlines())

    def run(self, command, wanted, within=120):
        """A line of shell that must succeed: what it printed."""
        answer = self.machine.run(command, within)
        want(answer, wanted, answer)
        return answer.out

    def wait(self, command, wanted, within=90):
        """A line of shell that must succeed in time: what it printed."""
        answer = self.machine.wait(command, within)
        want(answer, f"{wanted} within {within} s", f"{answer} / {self.standing()}")
        return answer.out

    def active(self, within=120):
        """Waits until the service is active: its process."""
        self.wait("systemctl is-active -q kenpin", "the service to be active", within)
        return self.run(PID, "the service's process")


def frames(verdicts, camera):
    """The sequence numbers of a camera's frames in the order of the parts: verdicts may overtake each other, frames may not."""
    parts = sorted(verdicts, key=lambda verdict: int(verdict["part"].rsplit("-", 1)[1]))
    return [frame["sequence"] for verdict in parts for frame in verdict["frames"] if frame["camera"] == camera]


def package_installed(scene):
    """As a user does: apt with the file, dependencies looked for; the machine has no network."""
    first = scene.packages[0].name
    scene.run(f"DEBIAN_FRONTEND=noninteractive apt-get install -y -qq /share/{first}", "apt to install it", 300)
    version = scene.run("dpkg-query -W -f '${Version} ${Status}' kenpin", "dpkg to know it")
    want(version.endswith("install ok installed"), "dpkg to call it installed", version)
    said = scene.run("kenpin --version", "the command to run")
    groups = scene.run("id -nG kenpin", "the user kenpin").split()
    want({"kenpin", "video", "gpio"} <= set(groups), "the user in the groups video and gpio", groups)
    owner = scene.run("stat -c '%U %a' /var/lib/kenpin", "its folder of state")
    want(owner == "kenpin 750", "/var/lib/kenpin to belong to kenpin, mode 750", owner)
    conffile = scene.run("dpkg-query -W -f '${Conffiles}' kenpin", "dpkg to tell conffiles")
    want("/etc/kenpin/kenpin.toml" in conffile, "kenpin.toml to be a conffile", conffile)
    state = scene.machine.run("systemctl is-enabled kenpin").out
    want(state == "disabled", "the service to wait for a config, disabled", state)
    return f"{version.split()[0]}; {said}; user in {' '.join(groups)}; service {state} until there is a config"


def example_refused(scene):
    """The config that the package brings is not ready, and says what is missing."""
    answer = scene.machine.run("kenpin check /etc/kenpin/kenpin.toml")
    want(answer.code == 1 and "parts" in answer.out + answer.error, "exit code 1 and the folder that is missing", answer)
    return f"exit code 1: {(answer.out or answer.error).splitlines()[0]}"


def service_active(scene):
    """Configured, enabled, started: notified, by its own user, in its sandbox."""
    scene.run(
        "cp -r /share/models /etc/kenpin/ && cp /share/kenpin.toml /etc/kenpin/ && cp /share/libonnxruntime.so /usr/local/lib/"
        " && mkdir -p /etc/systemd/system/kenpin.service.d"
        f" && printf '[Service]\\nWatchdogSec={WATCHDOG_S}\\n' >/etc/systemd/system/kenpin.service.d/vmtest.conf"
        " && systemctl daemon-reload && kenpin check /etc/kenpin/kenpin.toml",
        "the config to be free of findings",
    )
    began = time.monotonic()
    scene.run("systemctl enable --now kenpin", "systemctl to start it", 240)
    seconds = time.monotonic() - began
    process = scene.active()
    shown = scene.run("systemctl show -p Type,StatusText,NRestarts kenpin", "its state").replace("\n", ", ")
    want("Type=notify" in shown and "StatusText=," not in shown, "Type=notify and a status text", shown)
    user = scene.run(f"ps -o user= -p {process}", "its process")
    want(user == "kenpin", "the process to belong to kenpin", user)
    return f"ready {seconds:.0f} s after systemctl enable --now; {shown}; user {user}"


def examined(scene):
    """What `kenpin doctor` finds, by the name of the check."""
    answer = scene.machine.run("kenpin doctor --json /etc/kenpin/kenpin.toml", 120)
    want(answer.code in (0, 1), "exit code 0 or 1 of kenpin doctor", answer)
    found = {}
    for finding in json.loads(answer.out)["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found


def doctor(scene):
    """Nothing fails on a sound machine; each planted fault is found, and the command that doctor prints mends it."""
    well = examined(scene)
    failed = [finding["found"] for findings in well.values() for finding in findings if finding["severity"] == "fail"]
    want(not failed, "no failure on a sound machine", failed)
    sound = ("onnxruntime", "cameras", "access", "broker", "config", "service")
    for name in sound:
        want([finding["severity"] for finding in well.get(name, [])] == ["ok"], f"{name} to be ok", well.get(name))
    library = "/usr/local/lib/libonnxruntime.so"
    scene.run(f"systemctl stop mosquitto && gpasswd -d kenpin video && mv {library} /root/", "three faults to be planted")
    ill = examined(scene)
    broken = {name: finding for name in sound for finding in ill[name] if finding["severity"] in ("warn", "fail")}
    want({"onnxruntime", "access", "broker"} <= set(broken), "all three faults to be found", list(broken))
    want("/dev/video0" in broken["access"]["found"], "the cameras that may not be opened", broken["access"])
    scene.run(f"mv /root/{library.rsplit('/', 1)[1]} {library}", "the library to be back")
    for name in ("access", "broker"):
        scene.run(f'sudo() {{ "$@"; }}; {broken[name]["mend"]}', f"the command for {name} to succeed", 240)
    scene.active()
    after = examined(scene)
    for name in sound:
        want([finding["severity"] for finding in after[name]] == ["ok"], f"{name} to be ok again", after[name])
    told = "; ".join(f"{name}: {broken[name]['found']}" for name in ("onnxruntime", "access", "broker"))
    warned = sorted({name for name, findings in well.items() if any(f["severity"] == "warn" for f in findings)})
    return f"sound but for warnings about {', '.join(warned) or 'nothing'}; planted and found: {told[:300]}; mended by its own commands"


def frames_ordered(scene):
    """Both cameras, every part, in order, with what the line said of it."""
    scene.run("systemctl start vmtest-line", "the line to start")
    verdicts = scene.more(30, 180)[2:]
    for camera in ("top", "side"):
        numbers = frames(verdicts, camera)
        want(len(numbers) == len(verdicts), f"a frame of camera {camera} in each of {len(verdicts)} parts", len(numbers))
        want(all(a < b for a, b in zip(numbers, numbers[1:])), f"camera {camera}'s numbers to rise", numbers)
    for verdict in verdicts:
        kind = verdict["readings"].get("plc", {}).get("type")
        want(verdict["route"] == [{"mono": "mono"}.get(kind, "other")], f"the route of a part of type {kind}", verdict["route"])
        want(verdict["verdict"] in ("pass", "reject") and not verdict["degraded"], "a judgement, not degraded", verdict["reasons"])
    providers = {vote["placement"]["provider"] + " " + vote["placement"]["version"] for v in verdicts for vote in v["votes"]}
    took = sorted(verdict["milliseconds"]["infer"] for verdict in verdicts)
    return (
        f"{len(verdicts)} parts, each with a frame of both cameras, numbers rising ({frames(verdicts, 'top')[0]} to "
        f"{frames(verdicts, 'top')[-1]} on top); routes by the broker's readings; ONNX Runtime {', '.join(providers)}; "
        f"{took[len(took) // 2]:.0f} ms in the models' hands (median, emulated)"
    )


def verdicts_received(scene):
    """What mosquitto_sub was told is what the line sent and what the journal holds."""
    seq = scene.journalled()
    scene.until_told(seq)
    told = [verdict["seq"] for verdict in scene.told()]
    want(told == list(range(1, len(told) + 1)), "seq from 1 without a gap, in order", told[-20:])
    sent = [line.split("\t")[0] for line in (scene.machine.share / "line.tsv").read_text().splitlines()]
    judged = {verdict["part"] for verdict in scene.told()}
    missing = [part for part in sent[: len(told) - 4] if part not in judged]
    want(not missing, "a verdict on every part of the line", missing)
    return f"mosquitto_sub has seq 1 to {len(told)} in order; a verdict on each of the line's {len(sent)} parts but those on the way"


def watchdog(scene):
    """A daemon that hangs is ended by systemd and started again."""
    before, process = scene.machine.run("systemctl show -p NRestarts --value kenpin").out, scene.active()
    began = time.monotonic()
    scene.run(f"kill -STOP {process}", "the daemon to be stopped")
    scene.wait(f'[ "$({PID})" != {process} ] && systemctl is-active -q kenpin', "another process", 300)
    seconds = time.monotonic() - began
    log = scene.run("journalctl -u kenpin -o cat --no-pager | grep -i watchdog | tail -n 2", "the watchdog in the log")
    want("atchdog timeout" in log, "systemd to say that the watchdog ran out", log)
    after = scene.machine.run("systemctl show -p NRestarts --value kenpin").out
    want(int(after) == int(before) + 1, "one restart more", f"{before}, then {after}")
    scene.more(4, 180)
    return f"stopped by SIGSTOP; ended by the watchdog ({WATCHDOG_S} s here), active again after {seconds:.0f} s, judging again"


def killed(scene):
    """A daemon that is killed is started again; parts that had no verdict yet get one."""
    process = scene.active()
    scene.run(f"kill -KILL {process}", "the daemon to be killed")
    scene.wait(f'[ "$({PID})" != {process} ] && systemctl is-active -q kenpin', "another process", 120)
    scene.more(4, 180)
    interrupted = sum(1 for v in scene.told() if any(reason.get("reason") == "interrupted" for reason in v["reasons"]))
    return f"killed by SIGKILL, active and judging again; {interrupted} parts so far undecided because interrupted"


def without_and_again(scene, process):
    """Waits until the log tells of a camera that is gone and of one that came back, and parts have both frames again."""
    log = "journalctl -u kenpin -o cat --no-pager --since @$(cat /root/since) | grep -i 'camera side'"
    gone = scene.wait(f"{log} | head -n 1 | grep .", "a line in the log about camera side", 90)
    end = time.monotonic() + 150
    seen = []
    while not seen or not all(len(verdict["frames"]) == 2 for verdict in seen[-3:]):
        want(time.monotonic() < end, "both cameras again within 150 s", scene.standing())
        seen += scene.more(3)
    want(scene.active() == process, "the same process", scene.standing())
    alone = sum(1 for verdict in seen if len(verdict["frames"]) < 2)
    return f"told in the log ({gone[:140]}); {alone} parts told with a frame missing; both cameras again, same process"


def camera_disconnected(scene):
    """vivid plays an unplugged camera: every call answers ENODEV until all have let go of it."""
    process = scene.active()
    scene.run("date +%s >/root/since; v4l2-ctl -d /dev/video1 -c disconnect=1", "vivid to disconnect")
    return without_and_again(scene, process)


def cameras_unbound(scene):
    """The driver is taken away with both devices and given back."""
    process = scene.active()
    driver = "/sys/bus/platform/drivers/vivid"
    device = scene.run(f"ls {driver} | grep '^vivid\\.' | head -n 1", "vivid's device")
    scene.run(f"date +%s >/root/since; echo {device} >{driver}/unbind", "vivid to be unbound", 60)
    want(not scene.machine.run("ls /dev/video0"), "no /dev/video0 any more")
    scene.more(3)
    scene.run(f"echo {device} >{driver}/bind", "vivid to be bound", 60)
    names = scene.run("ls /dev/video*", "devices").split()
    return f"{device} unbound, bound again as {' '.join(names)}; {without_and_again(scene, process)}"


def broker_stopped(scene):
    """Verdicts wait in the journal while there is nobody to tell."""
    process, before = scene.active(), scene.journalled()
    scene.run("systemctl stop mosquitto", "the broker to stop")
    scene.wait(f"[ $({COUNT}) -ge {before + 12} ]", "twelve more verdicts in the journal", 120)
    waiting = scene.journalled()
    want(scene.told()[-1]["seq"] < waiting, "verdicts to wait", scene.told()[-1]["seq"])
    last = scene.told()[-1]["seq"]
    scene.run("systemctl start mosquitto", "the broker to start")
    scene.until_told(waiting, 120)
    seqs = [v["seq"] for v in scene.told()]
    want(set(range(1, waiting + 1)) <= set(seqs), "no seq to be missing", sorted(set(range(1, waiting + 1)) - set(seqs))[:20])
    want(scene.active() == process, "the same process", scene.standing())
    return f"broker stopped: verdicts {last + 1} to {waiting} waited in the journal and were told when it was back, same process"


def plan(verdicts):
    """The hash of the plan of the last verdict."""
    return verdicts[-1]["plan"]


def reload_good(scene):
    """SIGHUP with another threshold: a new plan, the same process, no part lost."""
    process, before = scene.active(), scene.more(2)
    scene.run("sed -i 's/^name = \"other\"/&\\nreject_from = 0.75/' /etc/kenpin/kenpin.toml && systemctl reload kenpin", "a reload")
    end = time.monotonic() + 90
    after = before
    while plan(after) == plan(before):
        want(time.monotonic() < end, "verdicts by another plan", scene.standing())
        after = scene.more(2)
    other = [v for v in scene.more(4) if v["route"] == ["other"]]
    want(other and all(v["thresholds"]["reject_from"] == 0.75 for v in other), "the new threshold in the verdicts", other[-1:])
    want(scene.active() == process, "the same process", scene.standing())
    return f"plan {plan(before)[:8]} became {plan(after)[:8]}, reject_from 0.75 in the verdicts, same process"


def reload_bad(scene):
    """SIGHUP with a config that is wrong: refused, told, the old one goes on."""
    process, before = scene.active(), scene.more(2)
    scene.run("cp /etc/kenpin/kenpin.toml /root/good.toml && echo 'no_such_key = 1' >>/etc/kenpin/kenpin.toml", "a bad config")
    scene.machine.run("systemctl reload kenpin")
    status = scene.wait("systemctl show -p StatusText kenpin | grep -i refused", "the refusal in the status", 60)
    after = scene.more(4)
    want(plan(after) == plan(before), "the plan to stay", f"{plan(before)}, then {plan(after)}")
    want(scene.active() == process, "the same process", scene.standing())
    scene.run("cp /root/good.toml /etc/kenpin/kenpin.toml && systemctl reload kenpin", "the good config again")
    scene.wait("! systemctl show -p StatusText kenpin | grep -qi refused", "the refusal to be over", 60)
    return f"{status}; plan {plan(after)[:8]} stayed, same process"


def out_of_memory(scene):
    """A child of the daemon eats the memory of the service: it alone is killed."""
    child = (
        '[cameras.eater]\\nkind = "pipe"\\ncommand = ["/usr/bin/tail", "/dev/zero"]\\nexpected = false\\nsilence_ms = 300000\\n'
        'raw = { format = "grey", width = 16, height = 16 }\\n'
    )
    scene.run(
        f"mkdir -p /etc/kenpin/conf.d && printf '{child}' >/etc/kenpin/conf.d/eater.toml"
        " && printf '[Service]\\nMemoryHigh=infinity\\nMemoryMax=300M\\n' >/etc/systemd/system/kenpin.service.d/eater.conf"
        " && systemctl daemon-reload && systemctl restart kenpin", "a restart", 240
    )  # fmt: skip
    process = scene.active()
    killed = scene.wait("journalctl -k -o cat --no-pager | grep -i 'Killed process' | tail -n 1 | grep .", "the kernel to kill it", 180)
    want("(tail)" in killed, "the child to be killed", killed)
    scene.more(4, 180)
    want(scene.active() == process, "the daemon to live on", scene.standing())
    scene.run(
        "rm -r /etc/kenpin/conf.d /etc/systemd/system/kenpin.service.d/eater.conf"
        " && systemctl daemon-reload && systemctl restart kenpin", "a restart", 240
    )  # fmt: skip
    scene.active()
    scene.more(4, 180)
    return f"{killed[:120]}; the daemon lived on, same process, judging"


def builder_out_of_memory(scene):
    """TensorRT's builder, which Kenpin starts for an engine, eats the memory of the service: it alone is killed, and its model is
    answered by the next provider. TensorRT is a stand-in (builder.c), the builder is Kenpin's own child."""
    runtime = (
        '[runtime]\\nonnxruntime_library = "/usr/local/lib/stand-in/libonnxruntime.so"\\nproviders = ["tensorrt", "cpu"]\\n'
        '[runtime.tensorrt]\\nengine_build = "background"\\n'
    )
    scene.run(
        "mkdir -p /usr/local/lib/stand-in /etc/kenpin/conf.d && cp /share/stand-in.so /usr/local/lib/stand-in/libonnxruntime.so"
        f" && printf '{runtime}' >/etc/kenpin/conf.d/builder.toml && date +%s >/root/since"
        " && printf '[Service]\\nMemoryHigh=infinity\\nMemoryMax=300M\\n' >/etc/systemd/system/kenpin.service.d/builder.conf"
        " && systemctl daemon-reload && systemctl restart kenpin", "a restart", 240
    )  # fmt: skip
    process = scene.active()
    since = "--no-pager -o cat --since @$(cat /root/since)"
    killed = scene.wait(f"journalctl -k {since} | grep -i 'Killed process' | head -n 1 | grep .", "the kernel to kill it", 300)
    dead, name = re.search(r"Killed process (\d+) \((.+?)\)", killed).groups()
    want(name == "kenpin" and dead != process, f"a child of Kenpin's own program and not the daemon, {process}, to be killed", killed)
    unit = scene.wait(f"journalctl -u kenpin {since} | grep -i 'OOM killer' | head -n 1 | grep .", "systemd to say so", 60)
    end = time.monotonic() + 180
    seen = []
    while not seen:
        want(time.monotonic() < end, "judgements that say why the processor answers", scene.standing())
        judged = [v for v in scene.more(2, 180) if v["verdict"] in ("pass", "reject")]
        fallbacks = [str(vote["placement"].get("fallback")) for v in judged for vote in v["votes"]]
        seen = [fallback for fallback in fallbacks if "the builder was killed by signal 9" in fallback]
    want(scene.active() == process, "the daemon to live on", scene.standing())
    left = scene.run("find /var/lib/kenpin/engines -name '*.engine' | wc -l", "the folder of engines")
    want(left == "0", "no engine in place", left)
    scene.run(
        "rm -r /etc/kenpin/conf.d /usr/local/lib/stand-in /etc/systemd/system/kenpin.service.d/builder.conf"
        " && systemctl daemon-reload && systemctl restart kenpin", "a restart", 240
    )  # fmt: skip
    scene.active()
    scene.more(4, 180)
    return f"{killed[:110]}; {unit}; daemon {process} lived on; its verdicts say: {seen[0]}"


def power_cut(scene):
    """The broker hangs, so verdicts pile up unsent; then the power goes. All that was committed is there after the next boot."""
    scene.more(2)
    scene.run("pkill -STOP -x mosquitto", "the broker to hang")
    before = scene.journalled()
    scene.wait(f"[ $({COUNT}) -ge {before + 8} ]", "eight verdicts that wait", 120)
    committed = scene.journalled()
    told = scene.told()
    last = max(v["seq"] for v in told)
    scene.machine.cut()
    seconds = scene.machine.start()
    scene.active(240)
    sound = scene.run(f"runuser -u kenpin -- sqlite3 -readonly {JOURNAL} 'pragma integrity_check'", "the journal to be readable")
    want(sound == "ok", "the journal to be sound", sound)
    scene.until_told(committed, 180)
    bodies = {v["seq"]: v["part"] for v in scene.told() if v["seq"] <= committed}
    want(sorted(bodies) == list(range(1, committed + 1)), "every verdict committed before the cut to be told", len(bodies))
    epochs = {v["epoch"] for v in scene.told()}
    want(len(epochs) == 1, "one epoch", epochs)
    scene.run("systemctl start vmtest-line", "the line to start")
    scene.more(4, 180)
    return (
        f"QEMU killed with seq {last + 1} to {committed} written and unsent; booted in {seconds:.0f} s, service started by itself, "
        f"integrity_check ok, all of 1 to {committed} told, same epoch"
    )


def upgraded(scene):
    """Another version over the running one: config kept, service restarted, numbers go on."""
    process = scene.active()
    config = scene.run("sha256sum /etc/kenpin/kenpin.toml", "the config")
    scene.run(f"dpkg -i /share/{scene.packages[1].name}", "dpkg to upgrade", 300)
    version = scene.run("dpkg-query -W -f '${Version}' kenpin", "dpkg to know it")
    want(version == scene.packages[1].name.split("_")[1], "the second version", version)
    want(scene.run("sha256sum /etc/kenpin/kenpin.toml", "the config") == config, "the config to be kept")
    want(not scene.machine.run("ls /etc/kenpin/*.dpkg-*"), "no second config beside it")
    want(scene.active() != process, "another process", process)
    verdicts = scene.more(4, 180)
    want(len({v["epoch"] for v in scene.told()}) == 1, "the same epoch")
    return f"{version}; config untouched, service restarted, seq goes on at {verdicts[0]['seq']}"


def nothing_lost(scene):
    """The line stops; then journal and subscriber must agree to the last verdict."""
    scene.run("systemctl stop vmtest-line", "the line to stop")
    scene.wait(f"a=$({COUNT}); sleep 4; [ $({COUNT}) = $a ]", "the last part", 60)
    seq = scene.journalled()
    scene.until_told(seq, 120)
    copy = f"runuser -u kenpin -- sqlite3 {JOURNAL} '.backup /tmp/journal.sqlite' && mv /tmp/journal.sqlite /share/"
    scene.run(copy, "a copy of the journal", 60)
    return f"journal copied with {seq} verdicts"


def purged(scene):
    """Nothing is left: no file, no user, no group that the package made, no unit."""
    scene.run("rm -r /etc/systemd/system/kenpin.service.d", "the test's own drop-in to go")
    scene.run("DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq kenpin", "apt to purge", 180)
    left = scene.machine.run(
        "find / -xdev -iname '*kenpin*' -not -path '/proc/*' -not -path '/var/log/*' -not -path '/var/lib/mosquitto/*'"
        " -not -path '/tmp/*'; find / -xdev -nouser; ls -d /run/kenpin 2>/dev/null"
    ).out
    want(not left, "no file", left)
    want(not scene.machine.run("getent passwd kenpin || getent group kenpin"), "no user, no group")
    want(not scene.machine.run("systemctl cat kenpin"), "no unit")
    want(not scene.machine.run("dpkg -s kenpin | grep -q ^Status"), "dpkg to have forgotten it")
    return "no file, no folder of state, no user, no group, no unit"
