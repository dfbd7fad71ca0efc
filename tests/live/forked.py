"""Programs that begin with everything imported: one process has imported it, and forks each program that a test starts.

It is one for all processes of a test run. Starting Python and importing Celery and all tasks takes a processor most of
a second, and the live tests start workers and beats by the dozen. A fork has arguments, an environment, a folder and a
log of its own; it reads its settings and connects to Redis as any other does, since an import does neither. That a
program starts from nothing as well is for the tests that start it with `subprocess`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.run_folder import only_one, run_folder

ROOT = Path(__file__).parents[2]

#: In the folder of the test run: where the process that forks the others listens, and what it says.
SOCKET, LOG = "zygote.sock", "zygote.log"

#: What ends it.
END = b"null\n"

#: It belongs to no process of the run, since it serves all of them, and hears no Ctrl-C: that ends the tests.
DETACHED = """
import os, runpy, sys
sys.path[0] = os.getcwd()
if os.fork():
    os._exit(0)
os.setsid()
runpy.run_module("tests.live.zygote", run_name="__main__")
"""


def inherited() -> dict[str, str]:
    """What a program gets of our environment: none of the settings."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


class Forked:
    """A program in the words of `subprocess.Popen`: a module with arguments, such as ``celery``, or ``-c`` and code.

    What it prints is added to the log, and its errors to a file of their own where there is one.
    """

    def __init__(
        self,
        args: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        *,
        errors: Path | None = None,
        folder: Path = ROOT,
    ) -> None:
        outputs = [log, errors or log]
        for each in outputs:
            each.touch()  # for whoever reads it at once
        self.args = list(args)
        self.pid = zygote().fork(
            args=self.args, env=dict(env), outputs=[str(each.absolute()) for each in outputs], folder=str(folder)
        )
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = zygote().code(self.pid)
        return self.returncode

    def wait(self, timeout: float) -> int:
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Zygote:
    """The process that forks the others, as one that runs tests speaks to it."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._lock, self._rest = threading.Lock(), b""
        self._begun, self._codes = list[int](), dict[int, int]()

    def fork(self, **what: Any) -> int:
        """The process id of a new program."""
        with self._lock:
            before = len(self._begun)
            self._wire.sendall(json.dumps(what).encode() + b"\n")
            while len(self._begun) == before:
                self._listen()
            return self._begun[-1]

    def code(self, pid: int) -> int | None:
        """The exit code of a program, once it is over: minus the signal's number where one has ended it."""
        with self._lock:
            while pid not in self._codes and select.select([self._wire], [], [], 0)[0]:
                self._listen()
            return self._codes.get(pid)

    def running(self) -> list[int]:
        """Those of our programs that are not over."""
        return [pid for pid in self._begun if self.code(pid) is None]

    def _listen(self) -> None:
        data = self._wire.recv(65_536)
        assert data, f"the process that forks the others has ended: {_log()}"
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "code" in said:
                self._codes[said["pid"]] = said["code"]
            else:
                self._begun.append(said["pid"])

    def close(self) -> None:
        self._wire.close()


@functools.cache
def zygote() -> Zygote:
    """That of this test run: whichever of its processes needs it first starts it."""
    with only_one("zygote") as folder:
        wire = _connected(folder)
        if wire is None:
            _start(folder)
            wire = _connected(folder)
    assert wire is not None
    return Zygote(wire)


def running() -> list[int]:
    """The programs of this process that are not over."""
    return zygote().running() if zygote.cache_info().currsize else []


def hang_up() -> None:
    """Close this process's connection to it. What it has forked for us has to be over."""
    if zygote.cache_info().currsize:
        zygote().close()
        zygote.cache_clear()


def stop(folder: Path) -> None:
    """End the one of a test run, where there is one."""
    hang_up()
    if wire := _connected(folder):
        with wire:
            wire.sendall(END)
            while wire.recv(65_536):
                pass


def _connected(folder: Path) -> socket.socket | None:
    wire = socket.socket(socket.AF_UNIX)
    try:
        wire.connect(str(folder / SOCKET))
    except (FileNotFoundError, ConnectionRefusedError):
        wire.close()
        return None
    return wire


def _start(folder: Path) -> None:
    (folder / SOCKET).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as door, (folder / LOG).open("wb") as log:
        # It can be called at once, and answers when it has imported everything.
        door.bind(str(folder / SOCKET))
        door.listen(64)
        subprocess.run(
            [sys.executable, "-c", DETACHED, str(door.fileno())],
            cwd=ROOT, env=inherited(), pass_fds=[door.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            check=True,
        )  # fmt: skip


def _log() -> str:
    return (run_folder() / LOG).read_text()[-2_000:]
