"""An arm64 machine in QEMU, driven from outside through its guest agent. Standard library only; always emulated, never KVM."""
import base64
import json
import pathlib
import socket
import subprocess
import time


class Gone(Exception):
    """The machine does not answer, or did not do in time what was waited for."""


class Answer:
    """What a command said in the guest: exit code, standard output and error as text."""

    def __init__(self, code, out, error):
        self.code, self.out, self.error = code, out.strip(), error.strip()

    def __bool__(self):
        return self.code == 0

    def __str__(self):
        said = " / ".join(line for line in (self.out.splitlines() + self.error.splitlines())[-3:])
        return f"exit code {self.code}" + (f": {said}" if said else "")


class Machine:
    """One disk and the share it sees as /share; started, cut off and started again on the same disk."""

    def __init__(self, image, disk, share, console):
        self.image, self.disk, self.share = pathlib.Path(image), pathlib.Path(disk), pathlib.Path(share)
        self.console, self.socket = pathlib.Path(console), self.disk.with_suffix(".agent")
        self.process = self.agent = None
        self.buffer = b""

    def start(self, within=300):
        """Boots; seconds until the guest agent answers."""
        began = time.monotonic()
        self.socket.unlink(missing_ok=True)
        command = [
            "nice", "-n", "5", "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a76", "-smp", "2", "-m", "1536",
            "-accel", "tcg,thread=multi", "-display", "none", "-no-reboot", "-nic", "none", "-serial", f"file:{self.console}",
            "-monitor", "none", "-kernel", str(self.image / "kernel"), "-initrd", str(self.image / "initrd"),
            "-append", "console=ttyAMA0 rw quiet panic=1",
            "-drive", f"if=none,id=disk,file={self.disk},format=raw", "-device", "virtio-blk-pci,drive=disk",
            "-virtfs", f"local,path={self.share},mount_tag=share,security_model=none",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={self.socket},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        end = began + within
        while not self.socket.exists():
            self._alive(end, "QEMU opens its socket")
        self.agent = socket.socket(socket.AF_UNIX)
        self.agent.connect(str(self.socket))
        self.buffer = b""
        while not self._greets():
            self._alive(end, "the guest agent answers")
        return time.monotonic() - began

    def _alive(self, end, wanted):
        if self.process.poll() is not None:
            raise Gone(f"QEMU ended with exit code {self.process.returncode} before {wanted}")
        if time.monotonic() > end:
            raise Gone(f"in time for nothing: waited in vain until {wanted}; the console is in {self.console}")
        time.sleep(0.2)

    def _greets(self):
        """Whether the agent is there; answers to earlier greetings are thrown away."""
        number = time.monotonic_ns() % 1_000_000_000
        try:
            self._say("guest-sync", {"id": number})
            while self._hear(within=2).get("return") != number:
                pass
            return True
        except (TimeoutError, ValueError):
            return False

    def _say(self, command, arguments):
        self.agent.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")

    def _hear(self, within=60):
        self.agent.settimeout(within)
        while b"\n" not in self.buffer:
            piece = self.agent.recv(65536)
            if not piece:
                raise Gone("the guest agent's line is closed")
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def _ask(self, command, arguments):
        self._say(command, arguments)
        answer = self._hear()
        if "return" not in answer:
            raise Gone(f"the guest agent refused {command}: {answer}")
        return answer["return"]

    def run(self, command, within=120):
        """Runs a line of shell as root in the guest."""
        asked = {"path": "/bin/sh", "arg": ["-c", command], "capture-output": True}
        number = self._ask("guest-exec", asked)["pid"]
        end = time.monotonic() + within
        while True:
            state = self._ask("guest-exec-status", {"pid": number})
            if state["exited"]:
                text = [base64.b64decode(state.get(key, "")).decode(errors="replace") for key in ("out-data", "err-data")]
                return Answer(state.get("exitcode", 128 + state.get("signal", 0)), *text)
            if time.monotonic() > end:
                raise Gone(f"after {within} s still at `{command}`")
            time.sleep(0.1)

    def wait(self, command, within=90):
        """Runs a line of shell until it succeeds: its answer, the last one when the time is over."""
        end = time.monotonic() + within
        while True:
            answer = self.run(command, within)
            if answer or time.monotonic() > end:
                return answer
            time.sleep(0.3)

    def cut(self):
        """The power is gone: nothing is written any more, nothing is closed."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, within=120):
        """Shuts down as the button does."""
        self._say("guest-shutdown", {})
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.cut()
            raise Gone(f"did not shut down within {within} s") from None
