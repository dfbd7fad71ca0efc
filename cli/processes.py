"""The processes that `up` and `demo` run: started one after the other, ended in the opposite order."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from worker.children import spawn
from worker.errors import KlaviyoError, SettingsError

#: Quiet: its banner would list some hundred actions.
CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "worker")
LOOPBACK = "127.0.0.1"

Tell = Callable[[str, str], None]


class Fallen(KlaviyoError):
    """A process that should run has ended."""


@dataclass(slots=True)
class Child:
    """One process, the seconds that it may take to end, and the beginning of the line that it is writing."""

    name: str
    process: subprocess.Popen[bytes]
    patience: float
    rest: bytes = b""


class Processes:
    """Child processes that belong together. Used in a ``with``: its end is the end of all, the last started first.

    Their output goes line by line to ``tell(name, line)``, while `watch` runs and while they end; or, with ``logs``,
    into one file each in that folder.
    """

    def __init__(self, environment: Mapping[str, str], tell: Tell | None = None, logs: Path | None = None) -> None:
        self._environment = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        self._tell = tell
        self._logs = logs
        self._children: list[Child] = []
        self._output = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for child in reversed(self._children):
                self._end(child)
        except KeyboardInterrupt:
            # Asked a second time: at once.
            for child in self._children:
                child.process.kill()
                child.process.wait()
        self._output.close()
        for child in self._children:
            if child.process.stdout is not None:
                child.process.stdout.close()

    def start(self, name: str, command: Sequence[str], patience: float = 10.0, **environment: str) -> None:
        """Start one more process."""
        with contextlib.ExitStack() as files:
            log: int | IO[bytes] = subprocess.PIPE
            if self._logs is not None:
                log = files.enter_context((self._logs / f"{name}.log").open("wb"))
            process = spawn(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self._environment, **environment},
            )
        child = Child(name, process, patience)
        self._children.append(child)
        if process.stdout is not None:
            self._output.register(process.stdout, selectors.EVENT_READ, child)

    def check(self) -> None:
        """See that all are still there.

        Raises:
            Fallen: one has ended by itself.

        """
        for child in self._children:
            if (code := child.process.poll()) is not None:
                self._pass_on(0.1)
                how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                where = (
                    f"; its log is {self._logs / f'{child.name}.log'}" if self._logs else "; its last lines are above"
                )
                raise Fallen(f"{child.name} {how}, so everything stops{where}.")

    def wait_for(self, what: str, ready: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until something is ready.

        Raises:
            Fallen: a process has ended, or the time is over.

        """
        until = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > until:
                raise Fallen(f"{what} was not ready after {seconds:.0f} s, so everything stops.")
            self._pass_on(0.05)

    def watch(self) -> None:
        """Pass on what the processes say, until one ends by itself.

        Raises:
            Fallen: always, unless an exception such as KeyboardInterrupt comes first.

        """
        while True:
            self._pass_on(0.5)
            self.check()

    def _end(self, child: Child) -> None:
        child.process.terminate()
        until = time.monotonic() + child.patience
        while child.process.poll() is None:
            if time.monotonic() > until:
                child.process.kill()
                child.process.wait()
            self._pass_on(0.05)
        self._pass_on(0.0)

    def _pass_on(self, seconds: float) -> None:
        """Hand over the lines that are there; wait so long for some."""
        if not self._output.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._output.select(seconds):
            child: Child = key.data
            # Not readline(): it would keep lines in a buffer of which select() does not know.
            new = os.read(key.fd, 65_536)
            if not new:
                self._output.unregister(key.fileobj)
            *lines, child.rest = (child.rest + new).split(b"\n")
            for line in lines:
                if self._tell:
                    self._tell(child.name, line.decode(errors="replace").rstrip())


def need_port(port: int, option: str, host: str = LOOPBACK) -> None:
    """See that nobody listens on a port; ``option`` is the one that names it.

    Raises:
        SettingsError: somebody does.

    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # A connection that has just been closed does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} of {host} cannot be listened on ({error.strerror}): end what listens there, or name "
                f"another port with {option}."
            ) from None


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
