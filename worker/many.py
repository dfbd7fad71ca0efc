"""Many calls of one action: all are checked first, and then put into their waiting lists some hundred at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from celery.result import AsyncResult

from worker.account_and_lane import Place, here
from worker.action_task import ActionTask
from worker.api.jsonapi import Envelope
from worker.calls import confirmed, routed
from worker.checked_task import Addressed, new_id
from worker.errors import InputError, KlaviyoError
from worker.message_headers import ACCOUNT, LANE, TOGETHER
from worker.plain_calls import PlainCall, is_plain, publish_many

#: Calls in one round trip.
MAX_CALLS_PER_STEP = 250


def publish_all(
    task: ActionTask,
    calls: Iterable[Mapping[str, Any]],
    options: Mapping[str, Any],
    aside: list[tuple[int, KlaviyoError]] | None,
) -> list[AsyncResult[Envelope]]:
    """Queue calls, as `worker.action.Action.delay_many` tells."""
    options = dict(options)
    place = Place(options.pop(ACCOUNT, None), options.pop(LANE, None)).inside(here())
    asked = task.asked(place, together=options.pop(TOGETHER, True), **options)
    checked: list[Addressed] = []
    for number, params in enumerate(calls):
        try:
            checked.append(task.addressed(None, params, asked))
        except KlaviyoError as error:
            if aside is None:
                problems = error.problems if isinstance(error, InputError) else [str(error)]
                raise InputError(task.called, [f"call {number}: {each}" for each in problems]) from None
            aside.append((number, error))
    if not checked:
        return []
    options = {"task_id": "", **routed({}, checked[0].queue, checked[0].shown)}
    if not is_plain(task, options):
        # Celery's way: somebody listens to what is published, or it belongs to the task that is being carried out.
        return [task.publish(call, new_id()) for call in checked]
    results: list[AsyncResult[Envelope]] = []
    for start in range(0, len(checked), MAX_CALLS_PER_STEP):
        step = [_plain(call, options) for call in checked[start : start + MAX_CALLS_PER_STEP]]
        with confirmed(task.called, step[0][2]["task_id"]):
            results += publish_many(task, step)
    return results


def _plain(call: Addressed, options: Mapping[str, Any]) -> PlainCall:
    own = {"task_id": new_id(), "queue": call.queue, "routing_key": call.queue, "kwargsrepr": call.shown}
    return call.kwargs, call.headers, {**options, **own}
