"""What a process has one of: its settings, its clients of Redis, and what speaks through them.

Each is made where it is first needed, since an import connects to nothing, and says so with `one_per_process`. Whoever
begins anew, with other settings or another Redis, forgets all of them at once: none is left that knows an old one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import _lru_cache_wrapper, lru_cache
from typing import Any, TypeVar

T = TypeVar("T")

_parts: list[_lru_cache_wrapper[Any]] = []


def one_per_process(make: Callable[[], T]) -> _lru_cache_wrapper[T]:
    """Decorate what makes a part: the first call makes it, and the others return the same one."""
    part = lru_cache(maxsize=1)(make)
    _parts.append(part)
    return part


def forget() -> None:
    """Close every part that has been made, the last one declared first; the next call of each makes it anew."""
    for part in reversed(_parts):
        if part.cache_info().currsize and (close := getattr(part(), "close", None)):
            close()
        part.cache_clear()
