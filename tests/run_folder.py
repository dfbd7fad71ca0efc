"""The folder that all processes of a test run share, and what they start together there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

#: The variable that names it. It is short: a socket's path, at most 104 bytes, begins with it.
VARIABLE = "TEST_RUN_FOLDER"


def make_run_folder() -> Path:
    """Make the folder of this run, which the processes that it starts find by the environment."""
    folder = Path(tempfile.mkdtemp(prefix="klaviyo-"))
    folder.chmod(0o755)  # PostgreSQL is not run by root
    os.environ[VARIABLE] = str(folder)
    return folder


def run_folder() -> Path:
    """Return the folder of this run."""
    return Path(os.environ[VARIABLE])


@contextmanager
def only_one(name: str) -> Iterator[Path]:
    """Let one process at a time do something in the folder of the run, such as start what all of them use."""
    folder = run_folder()
    with (folder / f"{name}.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        yield folder
