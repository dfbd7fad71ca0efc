"""Child processes that end with their parent, however it ends."""

from __future__ import annotations

import ctypes
import os
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
    parent = os.getpid()
    return subprocess.Popen(command, preexec_fn=lambda: die_with(parent), process_group=0, **options)  # noqa: S603


def die_with(parent: int) -> None:
    """Let this process, which its parent has just forked, get SIGTERM when the parent dies, or now if it has."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
