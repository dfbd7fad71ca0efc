"""Child processes that end with their parent, however it ends."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def spawn(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a child process.

    It gets SIGTERM when its parent dies (Linux: when the thread dies that called this, so call it from the main one),
    and it does not hear the terminal's Ctrl-C: the parent decides who ends when.
    """
    return subprocess.Popen(command, preexec_fn=_die_with_parent, process_group=0, **options)  # noqa: S603


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
