"""What a forked child does with what its parent has opened: it leaves it alone, and opens its own.

kombu's own provisions are not carried out by a plain `os.fork`, such as Gunicorn's, and Celery's result backend has
none (findings/forked_results.sh). So a child would have its parent's connections, on which one is sent the other's
answers, and locks that nobody will release: those of threads that there are in the parent only.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from celery import Celery
from kombu.utils.objects import cached_property


def watch(applications: Callable[[], Iterable[Celery]]) -> None:
    """Let each child of this process have applications of its own."""

    def leave_to_parent() -> None:
        for app in applications():
            _leave_to_parent(app)

    os.register_at_fork(after_in_child=leave_to_parent)


def _leave_to_parent(app: Any) -> None:
    # Nothing is closed here: what a child says on a connection, its parent is answered.
    for part in (app, vars(app).get("amqp"), app._backend):
        _unlock(type(part))
    if app._pool is not None:
        _leave_broker(app)
    if hasattr(app._backend, "result_consumer"):
        _leave_backend(app._backend)
    for names in (vars(app), vars(app._local)):
        names.pop("oid", None)


def _leave_broker(app: Any) -> None:
    from kombu import pools

    parents = app._pool
    app._after_fork()
    for group in (pools.producers, pools.connections):
        for key, pool in list(group.items()):
            if parents in (pool, getattr(pool, "connections", None)):
                group.pop(key)  # `del` would hash the key, a hash, once more


def _leave_backend(backend: Any) -> None:
    """Keep the backend, which results of the parent's refer to, without its subscription and what that waits for."""
    from worker.redis.connection import unlock

    if "client" in vars(backend):
        unlock(backend.client.connection_pool)
    backend.result_consumer = backend.ResultConsumer(
        backend, backend.app, backend.accept, backend._pending_results, backend._pending_messages
    )


def _unlock(kind: type) -> None:
    """Renew the locks of a class's cached properties; kombu's take theirs at every access."""
    for each in kind.__mro__:
        for found in vars(each).values():
            if isinstance(found, cached_property):
                vars(found)["lock"] = threading.RLock()
