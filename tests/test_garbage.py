"""Who leaves a connection open is told so, and nobody else."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

LEAKING = """
import socket


def test_a_connection_is_left_in_a_cycle():
    left = [socket.socket()]
    left.append(left)


def test_of_the_same_file():
    pass
"""

INNOCENT = """
import gc


def test_of_the_next_file():
    gc.collect()
"""


def test_the_collector_never_comes_by_itself():
    assert not gc.isenabled()


def test_a_connection_left_open_fails_the_file_that_left_it(tmp_path):
    (tmp_path / "conftest.py").write_text("from tests.garbage import collect_garbage, pytest_collection_finish\n")
    (tmp_path / "test_a.py").write_text(LEAKING)
    (tmp_path / "test_b.py").write_text(INNOCENT)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=line", "-W", "error", "-p", "no:cacheprovider"]

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    told = sorted(line.partition(" - ")[0] for line in ran.stdout.splitlines() if line.startswith(("PASSED", "ERROR")))
    assert told == [
        "ERROR test_a.py::test_of_the_same_file",
        "PASSED test_a.py::test_a_connection_is_left_in_a_cycle",
        "PASSED test_a.py::test_of_the_same_file",
        "PASSED test_b.py::test_of_the_next_file",
    ], ran.stdout
    assert "unclosed <socket" in ran.stdout
