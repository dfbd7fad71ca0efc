"""What can be known of a message that no task can be made of: whose it is, who waits for it, what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from celery.app.task import Context
from kombu.exceptions import ContentDisallowed, DecodeError

from worker.place import PREFIX

#: What is told of a task that failed to those who wait for it: its errbacks, its chord, the rest of its chain.
_WAITING = ("errbacks", "chord", "chain")


def context(message: Any) -> Context:
    """The task that a message is of, as far as it tells; its ``id`` is None where it does not.

    In Celery's first protocol all of it is in the body, in the second only who waits for the task.
    """
    headers = message.headers if isinstance(message.headers, Mapping) else {}
    try:
        payload = message.payload
    except Exception:
        payload = None
    inside, waiting = (payload, payload) if isinstance(payload, Mapping) else ({}, {})
    if isinstance(payload, list | tuple) and len(payload) == 3 and isinstance(payload[2], Mapping):
        waiting = payload[2]
    told = {**inside, **headers}
    names = ("id", "task", "root_id", "parent_id", "group", "group_index")
    known = {name: told.get(name) for name in names} | {name: waiting.get(name) for name in _WAITING}
    if not known["id"] or not isinstance(known["id"], str):
        known["id"] = None
    return Context({**known, "delivery_info": {}})


def unknown(name: str, known: Iterable[str]) -> str:
    """What is wrong with a task's name that is none of these, and what to do about it."""
    ours = [each.removeprefix(PREFIX) for each in known if each.startswith(PREFIX)]
    if near := difflib.get_close_matches(name.removeprefix(PREFIX), ours, n=1):
        return f"no task has this name; did you mean {PREFIX + near[0]!r}?"
    return (
        "no task of klaviyo-worker has this name: send another application's task to a queue of its own; "
        "`klaviyo actions` lists ours, each as 'klaviyo.NAME'"
    )


def problem(message: Any, error: Exception) -> str:
    """What is wrong with a message, and what to do about it; nothing of its body is repeated."""
    if isinstance(error, ContentDisallowed):
        return f"its message is {message.content_type}, and workers read JSON only: send it with serializer='json'"
    if isinstance(error, DecodeError) or message.errors:
        return f"the body of its message cannot be read as {message.content_type}"
    if isinstance(message.headers, Mapping) and "task" not in message.headers:
        return "its message is of Celery's first protocol: send it with task_protocol = 2"
    return "its message is not that of a task"
