"""Worker, beat and Flower as forks of one process that has imported what they need: `cli.up.fork_server`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from subprocess import DEVNULL
from typing import IO, Any

from cli.up.children import spawn
from worker.errors import KlaviyoError

MAX_ANSWER_BYTES = 1_000

#: Seconds between two looks whether a fork has ended.
POLL_S = 0.02


class NoForks(KlaviyoError):
    """The process that forks the others has ended."""


class ForkServer:
    """The process that forks the others, and tells how they end. They end with it, and it with this process."""

    def __init__(self) -> None:
        # Its packets keep each request together with the file that it brings.
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = spawn(
                [sys.executable, "-m", "cli.up.fork_server", str(its.fileno())],
                stdin=DEVNULL, pass_fds=[its.fileno()], env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        self._codes: dict[int, int] = {}

    def fork(self, name: str, words: Sequence[str], environment: Mapping[str, str], output: IO[bytes]) -> Forked:
        """Run ``python -m`` with these words in a new process, which writes to the file.

        It waits until all is imported. The process has the variables that this one had when the server was started,
        and these.

        Raises:
            NoForks: the server has ended.

        """
        asked = {"name": name, "words": list(words), "environment": dict(environment)}
        with contextlib.suppress(OSError):  # the answer tells that it is gone
            socket.send_fds(self._socket, [json.dumps(asked).encode()], [output.fileno()])
        while "code" in (answer := self._receive()):
            pass
        pid = answer["pid"]
        self._codes.pop(pid, None)  # of another process that had this number before
        return Forked(self, pid)

    def exit_code(self, pid: int) -> int | None:
        """Return the exit code of a process that has ended, minus the signal's number where one has ended it."""
        self._socket.setblocking(False)
        try:
            with contextlib.suppress(BlockingIOError):
                while pid not in self._codes:
                    self._receive()
        except NoForks:
            # What it has forked ends with it.
            return self._codes.setdefault(pid, -signal.SIGTERM)
        finally:
            self._socket.setblocking(True)
        return self._codes.get(pid)

    def _receive(self) -> Any:
        """Receive what the server tells, and keep it if it tells of an end."""
        try:
            data = self._socket.recv(MAX_ANSWER_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            code = self._process.wait()
            raise NoForks(f"The process that forks worker, beat and Flower has ended with exit code {code}.")
        answer = json.loads(data)
        if "code" in answer:
            self._codes[answer["pid"]] = answer["code"]
        return answer

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.terminate()
        self._process.wait()


class Forked:
    """A process that the server has forked, in the words of `subprocess.Popen`."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server, self.pid = server, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.exit_code(self.pid)
        return self.returncode

    def wait(self) -> int:
        """Wait until it has ended, and return the exit code."""
        while (code := self.poll()) is None:
            time.sleep(POLL_S)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@contextlib.contextmanager
def forking() -> Iterator[ForkServer | None]:
    """Start a server, which imports while the caller goes on; none where a fork is not safe.

    On macOS a fork may not use the system's own libraries, and looking up a proxy does.
    """
    if sys.platform != "linux":
        yield None
        return
    server = ForkServer()
    try:
        yield server
    finally:
        server.close()
