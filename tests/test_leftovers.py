"""A file that leaves something in its process is told so, and no later one fails for it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

FILES = {
    "test_a_connection.py": """
import socket


def test_a_connection_is_left_in_a_cycle():
    left = [socket.socket()]
    left.append(left)


def test_another_of_the_same_file():
    pass
""",
    "test_a_variable.py": """
import os


def test_a_variable_is_left():
    os.environ["LEFT"] = "behind"
""",
    "test_the_next.py": """
import gc


def test_there_is_nothing_left():
    gc.collect()
""",
}


def test_the_collector_never_comes_by_itself():
    assert not gc.isenabled()


def test_what_a_file_leaves_fails_that_file_and_no_other(tmp_path):
    (tmp_path / "conftest.py").write_text("from tests.leftovers import nothing_is_left, pytest_collection_finish\n")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=line", "-W", "error", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    told = sorted(line.partition(" - ")[0] for line in ran.stdout.splitlines() if line.startswith(("PASSED", "ERROR")))
    assert told == [
        "ERROR test_a_connection.py::test_another_of_the_same_file",
        "ERROR test_a_variable.py::test_a_variable_is_left",
        "PASSED test_a_connection.py::test_a_connection_is_left_in_a_cycle",
        "PASSED test_a_connection.py::test_another_of_the_same_file",
        "PASSED test_a_variable.py::test_a_variable_is_left",
        "PASSED test_the_next.py::test_there_is_nothing_left",
    ], ran.stdout
    assert "unclosed <socket" in ran.stdout
    assert "{'the variable LEFT': 'behind'}" in ran.stdout
