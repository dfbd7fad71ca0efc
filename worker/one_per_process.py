"""What a process has one of: its settings, its clients of Redis, and what speaks through them.

Each is made where it is first needed, since an import connects to nothing, and says so with `one_per_process`, or with
`one_per_redis` where there is one for each Redis that the process turns to. Whoever begins anew, with other settings or
another Redis, forgets all of them at once: none is left that knows an old one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import _lru_cache_wrapper, lru_cache
from typing import Any, Generic, TypeVar

from worker.redis.elsewhere import elsewhere

T = TypeVar("T")

_parts: list[_lru_cache_wrapper[Any] | PerRedis[Any]] = []


class PerRedis(Generic[T]):
    """What makes a part for each Redis: the first call makes it, and the others return the same one."""

    def __init__(self, make: Callable[[], T]) -> None:
        self.__doc__ = make.__doc__
        self._make = make
        self._made: dict[str | None, T] = {}

    def __call__(self) -> T:
        """Return that of the current Redis (`worker.redis.elsewhere`)."""
        try:
            return self._made[elsewhere()]
        except KeyError:
            return self._made.setdefault(elsewhere(), self._make())

    def made(self) -> list[T]:
        """Return those that there are by now."""
        return list(self._made.values())

    def cache_clear(self) -> None:
        """Forget them: the next call makes its own anew."""
        self._made.clear()


def one_per_process(make: Callable[[], T]) -> _lru_cache_wrapper[T]:
    """Decorate what makes a part: the first call makes it, and the others return the same one."""
    part = lru_cache(maxsize=1)(make)
    _parts.append(part)
    return part


def one_per_redis(make: Callable[[], T]) -> PerRedis[T]:
    """Decorate what makes a part of which there is one for each Redis that the process turns to."""
    part = PerRedis(make)
    _parts.append(part)
    return part


def forget() -> None:
    """Close every part that has been made, the last one declared first; the next call of each makes it anew."""
    for part in reversed(_parts):
        for made in _made(part):
            if close := getattr(made, "close", None):
                close()
        part.cache_clear()


def _made(part: _lru_cache_wrapper[Any] | PerRedis[Any]) -> list[Any]:
    if isinstance(part, PerRedis):
        return part.made()
    return [part()] if part.cache_info().currsize else []
