"""Runs a benchmark of an earlier commit beside today's, so that both figures come from one machine in one run."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence

from benchmarks.processes import ROOT

#: The last commit at which each task was claimed and closed by itself.
BASELINE = "11a8bd0"


def printed_by(commit: str, benchmark: str, words: Sequence[str] = ()) -> str:
    """What a benchmark of a commit prints, with the packages that are installed now."""
    archived = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archived)) as files:
            files.extractall(folder, filter="data")
        return subprocess.run(
            [sys.executable, "-m", benchmark, *words],
            cwd=folder, env={**os.environ, "PYTHONPATH": folder}, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
