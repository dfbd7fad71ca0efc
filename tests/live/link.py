"""A link to a Redis server that can be cut, refuse, fall silent, or answer for the server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Any

from tests.ports import free_port

CHUNK = 65_536


class Link:
    """A TCP address that leads to a server's unix socket, as long as nobody says otherwise."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._silent = threading.Event()
        self._saying: bytes | None = None
        self._late = 0.0
        self._listener: socket.socket | None = None
        self.port = free_port()
        self.said = 0
        self._listen()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """Close every connection; new ones are made."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for each in pair:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def refuse(self) -> None:
        """Cut, and take no new connection."""
        if self._listener is not None:
            # Closing alone leaves the thread that waits for a connection with the socket.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut()

    def fall_silent(self) -> None:
        """Take everything and pass nothing on, in either direction, without a reset: as when packets are dropped."""
        self._silent.set()

    def be_late(self, seconds: float) -> None:
        """Pass on what is asked so many seconds later."""
        self._late = seconds

    def say(self, error: str) -> None:
        """Answer every command with an error instead of passing it on."""
        self._saying = f"-{error}\r\n".encode()

    def mend(self) -> None:
        """Lead to the server again; connections that have lost a byte are closed."""
        lost = self._silent.is_set() or self._saying is not None
        self._saying, self._late = None, 0.0
        self._silent.clear()
        if lost:
            self.cut()
        if self._listener is None:
            self._listen()

    def close(self) -> None:
        self.refuse()

    def _listen(self) -> None:
        listener = self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(str(self._target))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.add((near, far))
            threading.Thread(target=self._pass_on, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(far, near, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, asking: bool) -> None:
        try:
            while data := source.recv(CHUNK):
                if self._silent.is_set():
                    continue
                if asking and self._saying is not None:
                    # One error for each command of a pipeline: an array whose length stands at a line's beginning.
                    commands = sum(1 for each in (b"\r\n" + data).split(b"\r\n") if each[:1] == b"*")
                    self.said += commands
                    source.sendall(self._saying * commands)
                else:
                    if asking and self._late:
                        time.sleep(self._late)
                    target.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, target):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def silent_server() -> tuple[Any, str]:
    """A server that takes connections and never answers, and its address."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    return listener, f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
