"""Which of several Redis is the current one: that of this process or, for a while, another.

Each is a deployment of its own, with its own workers, windows and jobs. A process belongs to one of them. What it does
for an account that lives on another one, it does within `at`: whatever speaks to Redis asks here which is the current
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: The name of the Redis that ``KLAVIYO_REDIS_URL`` leads to.
MAIN = "main"

#: The attribute of an error that says where it came about: by then another Redis may be the current one.
_WHERE = "_klaviyo_redis"

_name: ContextVar[str | None] = ContextVar("redis", default=None)


def elsewhere() -> str | None:
    """Return the name of the current Redis; None if it is that of this process."""
    return _name.get()


@contextmanager
def at(name: str | None) -> Iterator[None]:
    """Make another Redis the current one within this block; None: that of this process."""
    token = _name.set(name)
    try:
        yield
    except Exception as error:
        if not hasattr(error, _WHERE):
            setattr(error, _WHERE, name)
        raise
    finally:
        _name.reset(token)


def redis_of(error: BaseException) -> str | None:
    """The name of the other Redis at which an error came about; None for that of this process.

    One that has not left the block of a Redis came about there.
    """
    found: str | None = getattr(error, _WHERE, elsewhere())
    return found
