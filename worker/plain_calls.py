"""A call's message, put straight into its waiting list: what Celery and kombu come to, without their way there.

That way takes producer and connection out of pools, routes, declares queues, looks settings up and sends signals, and
costs four times as much as the call's check and Redis do together (`benchmarks.publishing`). A call that asks for
nothing but to be queued needs none of it, and its message is the same: a test compares the two. Any other call, or one
that somebody listens to, goes Celery's way.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import orjson
import redis
from celery import signals
from celery._state import get_current_worker_task
from celery.result import AsyncResult
from celery.utils.nodenames import anon_nodename
from kombu.exceptions import OperationalError
from kombu.utils import json

from worker.api.jsonapi import Envelope
from worker.app import app
from worker.governor import ALONE, get_publishing_governor
from worker.lane_and_expiry import Expiry
from worker.message_headers import HEADER
from worker.process.state import working
from worker.redis.connection import AWAY
from worker.results import Backend

#: What a call has of Celery's options that asks for nothing but to be queued (`worker.calls.routed`).
PLAIN = {"task_id", "queue", "exchange", "routing_key", "serializer", "argsrepr", "kwargsrepr"}

#: What a task may have of them that asks for more, from Celery's setting ``task_annotations``.
_MORE = ("priority", "expires", "delivery_mode", "compression", "time_limit", "soft_time_limit")


#: Where a pattern is filled in: no message of ours contains these.
_BODY, _ID, SHARE = "\N{WHITE SMILING FACE}body", "\N{WHITE SMILING FACE}id", "\N{WHITE SMILING FACE}share"

#: What follows a call that asks for nothing but to be queued, as messages have it.
NO_FOLLOWERS: Mapping[str, Any] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


@cache
def _configured(setting: str) -> Any:
    return app.conf[setting]


def _is_set(setting: str) -> bool:
    """Whether a setting of Celery's is: as it was configured, unless it was changed since. Celery's look takes 5 µs."""
    changed: Any = app.conf.changes
    # As it was configured is looked up only while it is not changed: it is kept, and a change may be for a while.
    return bool(changed[setting] if setting in changed else _configured(setting))


def is_plain(task: Any, options: Mapping[str, Any]) -> bool:
    """Return True if a call concerns Redis alone: no task follows or precedes it, and no signal is listened to."""
    return (
        options.keys() == PLAIN
        and get_current_worker_task() is None
        and not working.is_set()
        and len(signals.before_task_publish.receivers) == 1  # ours, in `worker.account_and_lane`
        and not signals.after_task_publish.receivers
        and not signals.task_sent.receivers
        and not any(map(task._get_exec_options().get, _MORE))
        and not _is_set("task_always_eager")
        and not _is_set("task_send_sent_event")
        and isinstance(task.backend, Backend)
    )


def publish(
    task: Any, params: Mapping[str, Any], headers: Mapping[str, Any], options: Mapping[str, Any]
) -> AsyncResult[Envelope]:
    """Put a call into its waiting list, as `worker.transport` would.

    Raises:
        OperationalError: Redis has not said that it has it.
        AlreadyRevoked: its id is that of a task that was revoked.

    """
    wait, task_id = headers[HEADER], options["task_id"]
    expires, together = Expiry(*wait["expires"]) if wait.get("expires") else None, wait.get("together", ALONE)
    message = message_of(task, params, headers, options)
    line, put = (wait["line"], wait["spec"]), get_publishing_governor().wait
    ask_redis(lambda: put(line, wait["lane"], task_id, message, wait["delay"], expires, together=together))
    return result_of(task, task_id)


def put_many(*batch: Any) -> None:
    """Put new calls into their waiting lists, as `Governor.wait_all` takes them; raises as `publish` does."""
    ask_redis(lambda: get_publishing_governor().wait_all(*batch))


def ask_redis(ask: Callable[[], object]) -> None:
    """Ask Redis to take what is published, and once more on a new connection, which a server that restarted needs.

    Raises:
        OperationalError: it has not said that it has.

    """
    try:
        try:
            ask()
        except AWAY:
            ask()  # a copy that came through is one
    except redis.RedisError as error:
        raise OperationalError(str(error)) from error


def result_of(task: Any, task_id: str) -> AsyncResult[Envelope]:
    """The result of a call that was published, for the caller."""
    result: AsyncResult[Envelope] = task.AsyncResult(task_id)
    result.ignored = task.ignore_result
    return result


def message_of(
    task: Any,
    params: Mapping[str, Any],
    headers: Mapping[str, Any],
    options: Mapping[str, Any],
    followers: Mapping[str, Any] = NO_FOLLOWERS,
) -> str:
    """Return the message, of Celery's second protocol, as kombu puts it into Redis."""
    return _json(_message(task, body_of(params, followers), headers, options))


def pattern_of(task: Any, headers: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """The message of many calls that differ only in what is filled in: ``pattern % {"body": …, "id": …, "share": …}``.

    In the headers, the call's share of a request is to be `SHARE`.
    """
    message = _json(_message(task, _BODY, headers, {**options, "task_id": _ID}))
    return message.replace("%", "%%").replace(_BODY, "%(body)s").replace(_ID, "%(id)s").replace(SHARE, "%(share)s")


def body_of(params: Mapping[str, Any], followers: Mapping[str, Any] = NO_FOLLOWERS) -> str:
    """The body of a call's message."""
    return b64encode(_json(((), params, followers)).encode()).decode()


def _message(task: Any, body: str, headers: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    task_id = options["task_id"]
    return {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": task.name,
            "id": task_id,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": task_id,
            "parent_id": None,
            "argsrepr": options["argsrepr"],
            "kwargsrepr": options["kwargsrepr"],
            "origin": anon_nodename(),
            "ignore_result": task.ignore_result,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
            **headers,
        },
        "properties": {
            "correlation_id": task_id,
            "reply_to": task.app.thread_oid,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": options["queue"]},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": task_id,  # each delivery gets one of its own
        },
    }


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a header of the caller's own that kombu can write
        written: str = json.dumps(value)
        return written
