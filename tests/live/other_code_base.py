"""A process in which nothing of ours can be imported: an application of another code base, with Celery alone."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def settings(folder: Path, options: Mapping[str, Any]) -> dict[str, str]:
    """The environment in which a Celery application knows more of its Redis than the address: these options."""
    lines = [f"{name}_transport_options = {dict(options)!r}\n" for name in ("broker", "result_backend")]
    (folder / "where_redis_is.py").write_text("".join(lines))
    return {"CELERY_CONFIG_MODULE": "where_redis_is"}


def run(script: str, folder: Path, options: Mapping[str, Any], *arguments: str) -> str:
    """Run a script among an application's own modules; what it printed.

    ``options`` are what the stock transport and result backend need to know of their Redis beside its address.
    """
    # Without `site`, an editable install of ours is not found either.
    command = [sys.executable, "-S", "-c", script, *arguments]
    environment = {"PATH": "", "PYTHONPATH": sysconfig.get_path("purelib"), **settings(folder, options)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout
