"""Many calls of one action: all are checked first, and then put into their waiting lists some hundred at a time.

A call that Celery would send the same way as the one before differs from it in its id, its body and its share of a
request: its message is made by filling these in.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from celery.result import AsyncResult

from worker.account_and_lane import Place, here
from worker.action_task import ActionTask, headers
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.calls import confirmed, only, routed
from worker.checked_task import Asked
from worker.errors import InputError, KlaviyoError
from worker.governor import ALONE
from worker.message_headers import ACCOUNT, LANE, TOGETHER
from worker.plain_calls import SHARE, body_of, is_plain, pattern_of, put_many, result_of
from worker.redis.homes import at_home_of_call
from worker.telemetry.masking import mask_values
from worker.telemetry.traces import get_tracer
from worker.tiers import Line

#: Calls that one round trip publishes.
MAX_CALLS_PER_BATCH = 250


def publish_all(
    task: ActionTask,
    calls: Iterable[Mapping[str, Any]],
    options: Mapping[str, Any],
    aside: list[tuple[int, KlaviyoError]] | None,
) -> list[AsyncResult[Envelope]]:
    """Queue calls, as `worker.action.Action.delay_many` says."""
    options = dict(options)
    place = Place(options.pop(ACCOUNT, None), options.pop(LANE, None)).inside(here())
    with at_home_of_call(place.account, {}):
        asked = task.asked(place, together=options.pop(TOGETHER, None), **options)
        # Each call begins a trace of its own, which a prepared message cannot carry.
        plain = is_plain(task, {"task_id": "", **routed({}, "", "")}) and get_tracer() is None
        publisher = _Plain(task, asked) if plain else _ByCelery(task, asked)
        for number, call in enumerate(calls):
            task_id = new_id()
            try:
                params = task.declaration.bind(only(task.called, call), task_id)
            except KlaviyoError as error:
                if aside is None:
                    problems = error.problems if isinstance(error, InputError) else [str(error)]
                    raise InputError(task.called, [f"call {number}: {each}" for each in problems]) from None
                aside.append((number, error))
            else:
                publisher.add(task_id, params)
        return publisher.publish()


class _ByCelery:
    """Publishes calls one by one: somebody listens, or they belong to the task that is being carried out."""

    def __init__(self, task: ActionTask, asked: Asked) -> None:
        self._task, self._asked = task, asked
        self._calls: list[tuple[str, Params]] = []

    def add(self, task_id: str, params: Params) -> None:
        self._calls.append((task_id, params))

    def publish(self) -> list[AsyncResult[Envelope]]:
        task, asked = self._task, self._asked
        return [task.publish(task.addressed(None, params, asked), task_id) for task_id, params in self._calls]


class _Plain:
    """Puts calls straight into their waiting lists."""

    def __init__(self, task: ActionTask, asked: Asked) -> None:
        task.require_scopes(asked)
        self._task, self._asked = task, asked
        self._ids: list[str] = []
        #: Of calls that differ only in what is filled in: their message, and where they wait.
        self._kinds: dict[tuple[Any, ...], tuple[str, list[tuple[str, str, str]]]] = {}
        #: By line and by the request that would carry them: id, message and share of each call.
        self._lines: dict[tuple[Line, str], list[tuple[str, str, str]]] = {}

    def add(self, task_id: str, params: Params) -> None:
        line, blindly, (share, carrier) = self._task.way(params, self._asked)
        kind = (line.name, blindly, carrier, *params)
        if kind not in self._kinds:
            together = (SHARE, carrier) if carrier else ALONE
            options = {"task_id": task_id, **routed({}, line.queue, mask_values(params))}
            made = pattern_of(self._task, headers(line, self._asked, blindly, together), options)
            self._kinds[kind] = made, self._lines.setdefault((line, carrier), [])
        pattern, waiting = self._kinds[kind]
        waiting.append((task_id, pattern % {"body": body_of(params), "id": task_id, "share": share}, share))
        self._ids.append(task_id)

    def publish(self) -> list[AsyncResult[Envelope]]:
        asked = self._asked
        for (line, carrier), tasks in self._lines.items():
            for start in range(0, len(tasks), MAX_CALLS_PER_BATCH):
                batch = tasks[start : start + MAX_CALLS_PER_BATCH]
                with confirmed(self._task.called, batch[0][0]):
                    put_many((line.name, line.spec), asked.lane, batch, asked.delay, asked.expires, carrier)
        return [result_of(self._task, task_id) for task_id in self._ids]


def new_id() -> str:
    """A task's id, as Celery makes it: a UUID of version 4, in a third of the time."""
    hex = os.urandom(16).hex()
    return f"{hex[:8]}-{hex[8:12]}-4{hex[13:16]}-{'89ab'[int(hex[16], 16) & 3]}{hex[17:20]}-{hex[20:]}"
