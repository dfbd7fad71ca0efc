"""An application that has called Klaviyo and Redis before it forks, as Gunicorn does with ``--preload``.

It prints, as JSON, what it and each of its four children were answered.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import sys
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from schedules.store import connection as store
from tasks.accounts import get_accounts
from tasks.catalog_categories import create_catalog_category
from tasks.coupons import create_coupon
from tasks.lists import create_list
from tasks.tags import create_tag_group
from tasks.templates import create_template
from worker.app import app
from worker.http_client import get_client
from worker.redis.connection import get_redis

#: Seconds after which a child that stands still is ended, and tells where it stood.
PATIENCE = 120

#: A different action for each child, so that an answer shows whose it is.
CALLS: tuple[Callable[[], Any], ...] = (
    lambda: create_list(name="child 0"),
    lambda: create_catalog_category(external_id="1", name="child 1"),
    lambda: create_tag_group(name="child 2"),
    lambda: create_template(name="child 3", editor_type="CODE", html="<p></p>"),
)


def peer() -> Any:
    """The port of this thread's connection to Klaviyo, for as long as it is open."""
    connection: Any = get_client()._transport._connection  # type: ignore[attr-defined]
    return connection._connection._network_stream.get_extra_info("client_addr")[1]


def everything(who: str, call: Callable[[], Any]) -> dict[str, Any]:
    """Whatever an application does, over each of its connections."""
    redis = get_redis()
    redis.set(f"said by {who}", who)
    with store.transaction() as connection:
        stored = connection.exec_driver_sql("SELECT 1").scalar()
    queued = create_coupon.delay(external_id=who, description=who)
    return {
        "who": who,
        "answer": call()["data"],
        "said": [redis.get(f"said by {who}").decode() for _ in range(50)],  # type: ignore[union-attr]
        "queued": queued.get(timeout=120)["data"]["id"],
        "redis": redis.client_id(),
        "backend": app.backend.client.client_id(),
        "klaviyo": peer(),
        "stored": stored,
        "random": random.random(),
        "uuid": str(uuid.uuid4()),
        "oid": app.oid,
    }


@contextmanager
def held() -> Iterator[None]:
    """Have another thread hold every lock on the way of a call, as threads of an application may at any moment."""
    backend = app.backend
    locks = [
        get_redis().connection_pool._lock,
        backend.client.connection_pool._lock,
        backend.result_consumer._pubsub_lock,
        app.pool._resource.mutex,
        app.producer_pool._resource.mutex,
        type(app).amqp.lock,
        type(backend).client.lock,
        store._opening,
        store._writing,
    ]
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            holding.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    yield
    release.set()
    thread.join()


def fork(number: int, start: int) -> tuple[int, int]:
    """Start a child that waits until all are there; its id, and the pipe on which it tells how it went."""
    reading, writing = os.pipe()
    if pid := os.fork():
        os.close(writing)
        return pid, reading
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    try:
        os.read(start, 1)
        told = everything(f"child {number}", CALLS[number])
    except BaseException:
        told = {"who": f"child {number}", "raised": traceback.format_exc()}
    os.write(writing, json.dumps(told).encode())
    sys.exit()


def main() -> None:
    before = everything("parent", get_accounts)
    if not (pid := os.fork()):
        sys.exit()
    os.waitpid(pid, 0)
    still = everything("still", get_accounts)
    waiting, start = os.pipe()
    children = [fork(number, waiting) for number in (0, 1)]
    with held():
        children += [fork(number, waiting) for number in (2, 3)]
    os.write(start, b"1234")
    told = []
    for pid, reading in children:
        with os.fdopen(reading, "rb") as pipe:
            told.append(json.loads(pipe.read() or b"{}") | {"exit": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})
    print(json.dumps({"before": before, "still": still, "children": told, "after": everything("later", get_accounts)}))


main()
