"""Programs that begin with everything imported: one process has imported it, and forks each program that a test starts.

Starting Python and importing Celery and all tasks takes a processor most of a second, and the live tests start workers
and beats by the dozen. A fork has arguments, an environment, a folder and a log of its own; it reads its settings and
connects to Redis as any other does, since an import does neither. That a program starts from nothing as well is for the
tests that start it with `subprocess`.
"""

from __future__ import annotations

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

ROOT = Path(__file__).parents[2]


class Forked:
    """A program that runs as a module, such as ``celery``, in the words of `subprocess.Popen`.

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
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Zygote:
    """The process that forks the others, and learns how they end."""

    def __init__(self) -> None:
        self._socket, its = socket.socketpair()
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.zygote", str(its.fileno())],
            cwd=ROOT,
            env=environment,
            pass_fds=[its.fileno()],
        )
        its.close()
        self._lock, self._rest = threading.Lock(), b""
        self._begun, self._codes = 0, dict[int, int]()

    def fork(self, **what: Any) -> int:
        """The process id of a new program."""
        with self._lock:
            self._begun = 0
            self._socket.sendall(json.dumps(what).encode() + b"\n")
            while not self._begun:
                self._listen()
            return self._begun

    def code(self, pid: int) -> int | None:
        """The exit code of a program, once it is over: minus the signal's number where one has ended it."""
        with self._lock:
            while pid not in self._codes and select.select([self._socket], [], [], 0)[0]:
                self._listen()
            return self._codes.get(pid)

    def _listen(self) -> None:
        data = self._socket.recv(65_536)
        assert data, "the process that forks the others has ended"
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "code" in said:
                self._codes[said["pid"]] = said["code"]
            else:
                self._begun = said["pid"]

    def close(self) -> None:
        self._socket.close()
        self._process.wait(30)


@functools.cache
def zygote() -> Zygote:
    """That of this process."""
    return Zygote()


def close() -> None:
    """End it, where there is one. What it has forked has to be over."""
    if zygote.cache_info().currsize:
        zygote().close()
        zygote.cache_clear()
