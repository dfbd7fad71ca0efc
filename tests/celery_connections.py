"""Connections of Celery applications in this process: closed by whoever has opened them.

One that is merely let go of is closed by the garbage collector, in the middle of somebody else's test, which then fails
for it: Celery closes none with an application.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from celery.backends.redis import RedisBackend
from kombu import pools

from worker.app import app


@contextmanager
def application(name: str, url: str, **options: Any) -> Iterator[Celery]:
    """Another application, which publishes to the Redis at this address; with ``backend`` it reads results, too.

    Its connections to the broker are those of every application that speaks to this Redis, and stay open for these.
    """
    with Celery(name, broker=url, set_as_current=False, **options) as made:
        yield made
        close_backend(made._backend)


@contextmanager
def connected_to(broker_url: str, result_backend: str) -> Iterator[None]:
    """Let our application publish here and read its results here, and to where it did before once this is over."""
    before = app.conf.broker_url, app.conf.result_backend
    _move(broker_url, result_backend)
    yield
    _move(*before)


def _move(broker_url: str, result_backend: str) -> None:
    close_backend(app._backend)
    pools.reset()
    app.conf.update(broker_url=broker_url, result_backend=result_backend)
    app._after_fork()
    app._backend_cache, app._local.backend = None, None


def close_backend(backend: Any) -> None:
    """Close a result backend. A result that is let go of later says goodbye to nobody: it would connect once more."""
    gc.collect()  # results say goodbye to the server: it must still be there
    if isinstance(backend, RedisBackend) and "client" in vars(backend):
        backend.result_consumer.stop()
        backend.result_consumer._pubsub = None
        backend.client.connection_pool.disconnect()
