"""Ports for the servers of tests."""

from __future__ import annotations

import random
import socket

from tests.run_folder import run_folder

#: Below those that Linux gives to outgoing connections: one of these could have the port before the server that is to
#: have it has started, or while it is down.
PORTS = range(10_000, 32_768)

_random = random.SystemRandom()


def free_ports(number: int) -> list[int]:
    """Ports that nobody has, and that no process of this test run is given again: a server may be down for a while."""
    found: list[int] = []
    while len(found) < number:
        port = _random.choice(PORTS)
        if _is_free(port) and _is_taken_first(port):
            found.append(port)
    return found


def free_port() -> int:
    """A port that nobody has."""
    return free_ports(1)[0]


def _is_taken_first(port: int) -> bool:
    try:
        (run_folder() / f"port{port}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
