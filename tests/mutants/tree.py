"""A copy of the tree, to break and to run tests in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path

from .outcome import Case, cases
from .table import ROOT, Mutant

#: Seconds for one test under a break. A break that makes a test wait for ever is none that it has noticed.
PATIENCE = 60


class Tree:
    """A copy of the tree as it stands, uncommitted changes and all."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "tree"
        self._scratch = folder / "scratch"
        shutil.copytree(ROOT, self._root, ignore=shutil.ignore_patterns(".*", "__pycache__"))

    @contextmanager
    def broken(self, mutant: Mutant) -> Iterator[None]:
        """Break it so, and mend it again."""
        path = self._root / mutant.file
        whole = path.read_text("utf-8")
        _write(path, mutant.applied(whole))
        try:
            yield
        finally:
            _write(path, whole)

    def run(self, tests: Sequence[str]) -> tuple[list[Case], str]:
        """How these tests end here, and what pytest said."""
        report = self._root / "report.xml"
        report.unlink(missing_ok=True)
        command = [
            sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider",
            f"--timeout={PATIENCE}", f"--basetemp={self._scratch}", f"--junitxml={report}", *tests,
        ]  # fmt: skip
        # The tree is in front of an installation of it.
        done = subprocess.run(
            command, cwd=self._root, env=os.environ | {"PYTHONPATH": str(self._root)}, capture_output=True, text=True
        )
        said = done.stdout + done.stderr
        return (cases(report.read_text("utf-8")) if report.exists() else []), said


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    # A break of the same size in the same second would be taken for what was compiled before.
    Path(cache_from_source(str(path))).unlink(missing_ok=True)
