"""Connections of Celery applications in this process: closed by whoever has opened them.

One that is merely let go of is closed by the garbage collector, in the middle of somebody else's test, which then fails
for it: Celery closes none with an application.
"""

from __future__ import annotations

import gc
import warnings
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
        _close_backend(made)


@contextmanager
def connected_to(broker_url: str, result_backend: str) -> Iterator[None]:
    """Let our application publish here and read its results here, and to where it did before once this is over."""
    before = app.conf.broker_url, app.conf.result_backend
    _move(broker_url, result_backend)
    yield
    _move(*before)


def _move(broker_url: str, result_backend: str) -> None:
    _close_backend(app)
    pools.reset()
    app.conf.update(broker_url=broker_url, result_backend=result_backend)
    app._after_fork()
    app._backend_cache, app._local.backend = None, None


def _close_backend(celery: Any) -> None:
    with warnings.catch_warnings():
        # What an earlier test has let go of without closing it is not for this one to fail for.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # results say goodbye to the server: it must still be there
    if isinstance(celery._backend, RedisBackend):
        celery._backend.result_consumer.stop()
        celery._backend.client.close()
