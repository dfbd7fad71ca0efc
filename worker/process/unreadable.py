"""What can be made out about a message that is no task: its id, what waits for it, and what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from celery.app.task import Context
from celery.exceptions import InvalidTaskError
from celery.utils.log import get_logger
from kombu.exceptions import ContentDisallowed, DecodeError, OperationalError

from worker.account_and_lane import TASK_PREFIX
from worker.message_headers import ACCOUNT, LANE
from worker.redis.connection import AWAY

logger = get_logger(__name__)

#: Headers that must be text if they are present.
_TEXTS = ("shadow", "eta", "group", "root_id", "parent_id", ACCOUNT, LANE)

#: What is wrong with a message about which nothing more can be said.
ODD = "its message is not that of a task"

#: Errors that mean that Redis is away; they say nothing about a message.
PASSING = (*AWAY, OperationalError)

#: What waits for a task and is told of its failure.
_WAITING = ("errbacks", "chord", "chain")


def check_message(message: Any) -> None:
    """Check that a message has the form of Celery's second protocol; Celery itself finds out only within the task.

    Raises:
        InvalidTaskError: it does not.

    """
    headers, payload = message.headers, message.payload
    texts = [headers.get(name) for name in _TEXTS]
    if not all(each is None or isinstance(each, str) for each in texts):
        raise InvalidTaskError("a header is not text")
    if not isinstance(payload, list | tuple) or len(payload) != 3:
        raise InvalidTaskError("its body does not have three parts")
    args, kwargs, embedded = payload
    embedded = embedded or {}
    if not (isinstance(args, list | tuple) and isinstance(kwargs, Mapping) and isinstance(embedded, Mapping)):
        raise InvalidTaskError("its arguments are not a list and a mapping")
    lists = [embedded.get(name) or [] for name in ("callbacks", "errbacks", "chain")]
    if not all(isinstance(each, list) and all(map(_is_signature, each)) for each in lists):
        raise InvalidTaskError("what follows it is not a signature")
    if embedded.get("chord") and not _is_signature(embedded["chord"]):
        raise InvalidTaskError("its chord is not a signature")


def _is_signature(part: Any) -> bool:
    """Whether something has the form of a task's signature."""
    if not isinstance(part, Mapping) or not isinstance(part.get("task"), str):
        return False
    kinds = (("args", list | tuple), ("kwargs", Mapping), ("options", Mapping))
    return all(isinstance(part.get(name), kind) for name, kind in kinds)


def context(message: Any) -> Context:
    """Return the task of a message, as far as it can be made out; its ``id`` is None if that cannot.

    In Celery's first protocol everything is in the body, in the second only what waits for the task.
    """
    headers = message.headers if isinstance(message.headers, Mapping) else {}
    try:
        payload = message.payload
    except Exception:
        payload = None
    inside, waiting = (payload, payload) if isinstance(payload, Mapping) else ({}, {})
    if isinstance(payload, list | tuple) and len(payload) == 3 and isinstance(payload[2], Mapping):
        waiting = payload[2]
    fields = {**inside, **headers}
    names = ("id", "task", "root_id", "parent_id", "group", "group_index")
    known = {name: fields.get(name) for name in names} | {name: waiting.get(name) for name in _WAITING}
    if not known["id"] or not isinstance(known["id"], str):
        known["id"] = None
    return Context({**known, "delivery_info": {}})


def unknown(name: str, known: Iterable[str]) -> str:
    """Return what is wrong with the name of a task that we do not have, and what to do."""
    ours = [each.removeprefix(TASK_PREFIX) for each in known if each.startswith(TASK_PREFIX)]
    if near := difflib.get_close_matches(name.removeprefix(TASK_PREFIX), ours, n=1):
        return f"no task has this name; did you mean {TASK_PREFIX + near[0]!r}?"
    return (
        "no task of klaviyo-worker has this name: send another application's task to a queue of its own; "
        "`klaviyo actions` lists ours, each as 'klaviyo.NAME'"
    )


def problem(message: Any, error: Exception) -> str:
    """Return what is wrong with a message and what to do, without repeating anything of its body."""
    if isinstance(error, ContentDisallowed):
        return f"its message is {message.content_type}, and workers read JSON only: send it with serializer='json'"
    if isinstance(error, DecodeError) or message.errors:
        return f"the body of its message cannot be read as {message.content_type}"
    if isinstance(message.headers, Mapping) and "task" not in message.headers:
        return "its message is of Celery's first protocol: send it with task_protocol = 2"
    return ODD


def fail(backend: Any, task: Any, error: Exception) -> None:
    """Record a task as failed, and tell what waits for it, if that can be made out."""
    try:
        backend.mark_as_failure(task.id, error, request=task)
    except PASSING:
        raise
    except Exception as odd:
        logger.error(
            "Task %s has failed, but what waits for it could not be notified, as it is unreadable (%s).",
            task.id,
            type(odd).__name__,
        )
        backend.mark_as_failure(task.id, error)
