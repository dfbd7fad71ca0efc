"""A process in which nothing of ours can be imported: an application of another code base, with Celery alone."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path


def run(script: str, folder: Path, *arguments: str) -> str:
    """Run a script among an application's own modules; what it printed."""
    # Without `site`, an editable install of ours is not found either.
    command = [sys.executable, "-S", "-c", script, *arguments]
    environment = {"PATH": "", "PYTHONPATH": sysconfig.get_path("purelib")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout
