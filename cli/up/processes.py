"""The processes that `up` and `demo` run: started one after the other, stopped in reverse order."""

from __future__ import annotations

import contextlib
import errno
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

from cli.up.children import spawn
from cli.up.forked import Forked, ForkServer
from worker.errors import KlaviyoError, SettingsError

#: Quiet, because its banner would list hundreds of actions.
CELERY = ("celery", "--quiet", "-A", "worker")
LOOPBACK = "127.0.0.1"
MAX_PORT = 65_535

PrintLine = Callable[[str, str], None]
Process = subprocess.Popen[bytes] | Forked


class ProcessEnded(KlaviyoError):
    """A process that should be running has ended."""


@dataclass(slots=True)
class Child:
    """One process, the seconds that it may take to stop, and the start of the line that it is printing."""

    name: str
    process: Process
    patience_s: float
    partial_line: bytes = b""


class Processes:
    """Child processes that belong together. Leaving the ``with`` block stops all of them, the last started first.

    Their output goes line by line to ``print_line(name, line)``, while `watch` runs and while they stop; or,
    with ``logs``, into one file each in that folder. Those of Celery's are forked where there is a server for that.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        print_line: PrintLine | None = None,
        logs: Path | None = None,
        forks: ForkServer | None = None,
    ) -> None:
        self._environment = environment
        self._forks = forks
        self._print_line = print_line
        self._logs = logs
        self._children: list[Child] = []
        self._output, self._pipes = selectors.DefaultSelector(), contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for child in reversed(self._children):
                self._end(child)
        except KeyboardInterrupt:
            # A second Ctrl-C: kill them at once.
            for child in self._children:
                child.process.kill()
                child.process.wait()
        self._output.close()
        self._pipes.close()

    def start(self, name: str, command: Sequence[str], patience_s: float = 10.0, **environment: str) -> None:
        """Start a process, which may take ``patience_s`` seconds to stop before it is killed."""
        self._start(name, lambda output: _spawn(command, output, {**self._environment, **environment}), patience_s)

    def start_celery(self, name: str, words: Sequence[str], patience_s: float = 10.0, **environment: str) -> None:
        """Start a process of Celery's in the same way; ``words`` are those after `CELERY` on its command line."""
        line, given = [*CELERY, *words], {**self._environment, **environment}

        def begin(output: IO[bytes]) -> Process:
            if self._forks:
                return self._forks.fork(name, line, given, output)
            return _spawn([sys.executable, "-m", *line], output, given)

        self._start(name, begin, patience_s)

    def _start(self, name: str, begin: Callable[[IO[bytes]], Process], patience_s: float) -> None:
        """Begin a process, with the file that it is to write to."""
        if self._logs is not None:
            with (self._logs / f"{name}.log").open("wb") as log:
                self._children.append(Child(name, begin(log), patience_s))
            return
        reading, writing = os.pipe()
        output = self._pipes.enter_context(os.fdopen(reading, "rb", 0))
        with os.fdopen(writing, "wb", 0) as pipe:
            child = Child(name, begin(pipe), patience_s)
        self._children.append(child)
        self._output.register(output, selectors.EVENT_READ, child)

    def check(self) -> None:
        """Require that all processes are still running.

        Raises:
            ProcessEnded: one of them has ended by itself.

        """
        for child in self._children:
            if (code := child.process.poll()) is not None:
                self._forward_output(0.1)
                how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                where = (
                    f"; its log is {self._logs / f'{child.name}.log'}" if self._logs else "; its last lines are above"
                )
                raise ProcessEnded(f"{child.name} {how}, so everything is stopped{where}.")

    def wait_for(self, what: str, ready: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until something is ready.

        Raises:
            ProcessEnded: a process has ended, or the time is up.

        """
        until = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > until:
                raise ProcessEnded(f"{what} was not ready after {seconds:.0f} s, so everything is stopped.")
            self._forward_output(0.05)

    def watch(self) -> None:
        """Forward the output of the processes until one ends by itself.

        Raises:
            ProcessEnded: always, unless an exception such as KeyboardInterrupt comes first.

        """
        while True:
            self._forward_output(0.5)
            self.check()

    def _end(self, child: Child) -> None:
        child.process.terminate()
        until = time.monotonic() + child.patience_s
        while child.process.poll() is None:
            if time.monotonic() > until:
                child.process.kill()
                child.process.wait()
            self._forward_output(0.05)
        self._forward_output(0.0)

    def _forward_output(self, seconds: float) -> None:
        """Forward complete lines; wait up to ``seconds`` for output."""
        if not self._output.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._output.select(seconds):
            child: Child = key.data
            # Not readline(): it would keep lines in a buffer that select() does not know about.
            new = os.read(key.fd, 65_536)
            if not new:
                self._output.unregister(key.fileobj)
                new = b"\n" if child.partial_line else b""  # nothing will end the last line
            *lines, child.partial_line = (child.partial_line + new).split(b"\n")
            for line in lines:
                if self._print_line:
                    self._print_line(child.name, line.decode(errors="replace").rstrip())


def _spawn(command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]) -> Process:
    variables = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
    return spawn(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=variables)


def require_free_port(port: int, option: str, host: str = LOOPBACK) -> None:
    """Require that nothing listens on a port; ``option`` is the one that sets it.

    Raises:
        SettingsError: something does, or there is no such port.

    """
    if not 0 <= port <= MAX_PORT:
        raise SettingsError(f"There is no port {port}: {option} takes a number up to {MAX_PORT:,}.")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # A connection that was just closed does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                remedy = "this machine has no such address."
            else:
                remedy = f"stop whatever listens there, or choose another port with {option}."
            raise SettingsError(f"Cannot listen on port {port} of {host} ({error.strerror}): {remedy}") from None


def free_port() -> int:
    """Return a port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
