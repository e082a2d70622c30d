"""Checks of `make vm-test` on what people and programs do with a running line: change it over, label, ask why, trigger."""
import json
import shlex
import time

from checks import want

CONFIG = "/etc/kenpin/kenpin.toml"
SERVICE = "runuser -u kenpin --"


def command(scene, verb, payload):
    """A command over MQTT from inside the guest, and the device's answer to it."""
    asked = f"mosquitto_rr -V 5 -q 1 -t kenpin/v1/vmtest/command/{verb} -e vmtest/answer -m {shlex.quote(payload)} -W 60"
    return json.loads(scene.run(asked, f"an answer to the command {verb}", 90))


def by_capture(verdicts):
    """In the order in which the line sent the parts: verdicts may overtake each other."""
    return sorted(verdicts, key=lambda verdict: int(verdict["part"].rsplit("-", 1)[1]))


def until_made_by(scene, recipe, within=240):
    """Waits until the newest verdicts are on parts of this recipe: on a slow machine many captured earlier may come first."""
    end = time.monotonic() + within
    while {v["recipe"] for v in scene.more(8)[-6:]} != {recipe}:
        want(time.monotonic() < end, f"parts of the recipe {recipe} within {within} s", scene.standing())


def changeover(scene):
    """A command changes the recipe, and is answered once it is warm; each part keeps the recipe of its capture."""
    process, start = scene.active(), len(scene.told())
    before = scene.more(4)
    want({v["recipe"] for v in before} == {"cells"}, "the recipe cells", before[-1]["recipe"])
    answer = command(scene, "recipe", "bars")
    want(answer["done"] and "warm for it: elpv-student-small" in answer["told"], "the command to be done, with the model that is warm", answer)
    until_made_by(scene, "bars")
    refused = command(scene, "recipe", "rods")
    want(not refused["done"] and "rods" in refused["told"], "a recipe that no route knows to be refused", refused)
    back = command(scene, "recipe", "cells")
    want(back["done"], "the command to be done", back)
    until_made_by(scene, "cells")
    # Without the first and last: of parts that overtake each other some may not be among these.
    seen = by_capture(scene.told()[start:])[2:-3]
    turns = [v["recipe"] for v, last in zip(seen, [None, *seen]) if last is None or last["recipe"] != v["recipe"]]
    want(turns == ["cells", "bars", "cells"], "each recipe to begin once in the order of capture", turns)
    for v in seen:
        judged = v["route"] == ["bars"] and len(v["votes"]) == 1 if v["recipe"] == "bars" else v["route"] in (["mono"], ["other"])
        want(judged, "each part to be judged by the route of its own recipe", v)
    want(scene.active() == process, "the same process", scene.standing())
    count = sum(1 for v in seen if v["recipe"] == "bars")
    return (
        f"{answer['told']}; refused: {refused['told']}; {len(seen)} parts in the order of capture, {count} of them bars, "
        f"each judged by the route of its own recipe, same process"
    )


def labels(scene):
    """The labels on disk: verdict, truth, who, and the way they came."""
    sql = "select seq, truth, said_by, way from label order by id"
    return scene.run(f"{SERVICE} sqlite3 -readonly /var/lib/kenpin/journal.sqlite '{sql}'", "the labels").split()


def labelled(scene):
    """What an operator says reaches the journal over MQTT, and by the command under the user of the service; nobody else's does."""
    one, two = scene.more(2)[:2]
    label = {"schema": "kenpin.label/1", "epoch": one["epoch"], "seq": one["seq"], "truth": "bad", "by": "anna"}
    answer = command(scene, "label", json.dumps(label))
    want(answer["done"], "the label over MQTT to be taken", answer)
    unknown = command(scene, "label", json.dumps({**label, "seq": 999999}))
    want(not unknown["done"] and "999999" in unknown["told"], "a label on no verdict to be refused", unknown)
    call = f"kenpin label {CONFIG} {two['seq']} good --by ben"
    taken = json.loads(scene.run(f"{SERVICE} {call} --json", "kenpin label to take it"))
    want(taken["part"] == two["part"], "the label on the part that was meant", taken)
    stranger = scene.machine.run(f"runuser -u nobody -- {call}")
    want(not stranger, "a user without rights to the journal to be refused", stranger)
    wanted = [f"{one['seq']}|bad|anna|mqtt", f"{two['seq']}|good|ben|cli"]
    want(labels(scene) == wanted, f"the labels {wanted} on disk", labels(scene))
    scene.more(2)
    return f"{answer['told']}; by the command as kenpin: verdict {two['seq']} {taken['truth']}; refused to the user nobody, {stranger}"


def explained(scene):
    """A verdict is explained as the user of the service beside the daemon: the score comes out again, and pictures say where."""
    scene.more(2)
    asked = [v for v in scene.told() if (v.get("review") or {}).get("asked") and v["route"] == ["mono"] and len(v["frames"]) == 2]
    want(asked, "a verdict that is put up for review, with both frames")
    verdict = asked[-1]
    kept = f"/var/lib/kenpin/images/{verdict['epoch'].replace('-', '')[:8]}-{verdict['seq']:012}"
    scene.wait(f"ls {kept}-top.png {kept}-side.png", "its frames to be kept", 60)
    began = time.monotonic()
    out = scene.run(f"{SERVICE} kenpin explain {CONFIG} {verdict['seq']} --json", "kenpin explain to end well", 400)
    account = json.loads(out)
    want(account["part"] == verdict["part"] and not account["refusals"], "the same part and nothing refused", account)
    want(len(account["members"]) == len(verdict["votes"]), "an answer for each vote", account["members"])
    made = scene.run(f"{SERVICE} find /var/lib/kenpin/images/explained -type f", "its folder").split()
    pictures = [path for path in made if path.endswith(".png")]
    names = {path.rsplit("/", 1)[1] for path in made}
    want(account["page"].rsplit("/", 1)[1] in names and len(pictures) >= 2, "a page and a picture of each camera", made)
    seconds = time.monotonic() - began
    return f"verdict {verdict['seq']}: {account['reasons'][0]}; scores come out again, {len(pictures)} pictures, {seconds:.0f} s"


PROGRAMS = """
[cameras.shelf]
kind = "pipe"
command = ["/bin/sh", "-c", "while head -c 57600 /dev/zero; do sleep 0.2; done"]
raw = { format = "grey", width = 320, height = 180 }
pace = "triggered"
trigger_sensor = "program"
expected = false
[sensors.program]
kind = "unix-listen"
path = "trigger.sock"
part_key = "part"
acknowledge = true
expected = false

[cameras.dead]
kind = "pipe"
command = ["/usr/bin/tail", "-f", "/dev/null"]
silence_ms = 600000
raw = { format = "grey", width = 320, height = 180 }
pace = "triggered"
trigger_sensor = "idle"
expected = false
[sensors.idle]
kind = "unix-listen"
path = "idle.sock"
part_key = "part"
acknowledge = true
expected = false
"""

# Connects, says one line, says that this was all, prints what comes back.
PROGRAM = 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\\n"; print $s "$ARGV[1]\\n"; shutdown($s, 1); print while <$s>;'


def programs_trigger(scene):
    """A program of another user in the group kenpin triggers over a Unix socket and is told what becomes of it; others may not."""
    scene.run(
        f"mkdir -p /etc/kenpin/conf.d && printf %s {shlex.quote(PROGRAMS)} >/etc/kenpin/conf.d/programs.toml"
        " && useradd --no-create-home --groups kenpin fitter && systemctl restart kenpin", "a restart", 240
    )  # fmt: skip
    scene.active()
    rights = scene.run("stat -c '%U:%G %a' /run/kenpin /run/kenpin/trigger.sock", "the sockets").splitlines()
    want(rights == ["kenpin:kenpin 750", "kenpin:kenpin 660"], "folder and socket to be the group's", rights)

    def say(user, socket, line):
        call = f"runuser -u {user} -- perl -MIO::Socket::UNIX -e {shlex.quote(PROGRAM)} /run/kenpin/{socket} {line}"
        return scene.machine.run(call, 90)

    answers = {
        ("fitter", "trigger.sock", "part=prog-1"): "accepted prog-1",
        ("fitter", "trigger.sock", "part=prog-1 again=yes"): "duplicate prog-1",
        ("fitter", "idle.sock", "part=prog-2"): "accepted prog-2\nmissed prog-2: no frame of camera dead came",
    }
    for call, wanted in answers.items():
        answer = say(call[0], call[1], shlex.quote(call[2]))
        want(answer and answer.out == wanted, f"the answer {wanted!r} to {call[2]}", answer)
    stranger = say("nobody", "trigger.sock", "part=prog-3")
    want(not stranger and "Permission denied" in stranger.error, "a user outside of the group to be refused", stranger)
    end = time.monotonic() + 90
    while not {"prog-1", "prog-2"} <= (parts := {v["part"] for v in scene.told()}):
        want(time.monotonic() < end, "verdicts on both parts", scene.standing())
        scene.more(2)
    want("prog-3" not in parts, "no verdict on a part that nobody was let trigger")
    shot = next(v for v in scene.told() if v["part"] == "prog-1")
    want([frame["camera"] for frame in shot["frames"]] == ["shelf"], "the frame that the program triggered", shot["frames"])
    scene.run("userdel fitter && rm -r /etc/kenpin/conf.d && systemctl restart kenpin", "a restart", 240)
    scene.active()
    scene.more(4, 180)
    told = "; ".join(answers.values()).replace("\n", ", ")
    return f"{' and '.join(rights)}; a user of the group kenpin is told: {told}; the user nobody: Permission denied"
