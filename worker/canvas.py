"""Celery's own tasks, as they are in a worker of ours: ``celery.map``, ``celery.starmap`` and ``celery.accumulate``.

Celery's map makes all its calls one after the other, in one worker and without a lease. Here each is a task that waits
for its own budget at Klaviyo, and their results make the list. None of the three logs what it carries, nor puts it into
events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from celery import Task
from celery.canvas import group, maybe_signature
from celery.exceptions import Ignore

from worker.account_and_lane import place_of
from worker.action_task import ActionTask
from worker.app import app
from worker.calls import delay_of, only, routed
from worker.errors import InputError, KlaviyoError
from worker.publishing import published
from worker.successors import run_and_pass_on
from worker.telemetry.masking import HIDDEN
from worker.tiers import DEFAULT_QUEUE


class Quiet(Task):  # type: ignore[type-arg]
    """A task of Celery's of which logs and events show nothing but its name."""

    Strategy = ActionTask.Strategy
    Request = ActionTask.Request
    acks_late = True
    typing = False
    throws = (KlaviyoError,)
    resultrepr_maxsize = 1

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Carry out one delivery."""
        return run_and_pass_on(self, lambda: self.run(*args, **kwargs))

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """Publish it for a worker of ours, with none of its values in the headers that events and Flower show."""
        return super().apply_async(args, kwargs, **routed(options, DEFAULT_QUEUE, HIDDEN))


class Accumulate(Quiet):
    """The end of a group that took a task's place: the list of its results, or one of them."""

    def run(self, *results: Any, index: int | None = None) -> Any:
        """Return the results."""
        return results if index is None else results[index]


class Each(Quiet):
    """One call for each item; ``call`` makes it where the task is none of ours."""

    def __init__(self, name: str, call: Callable[[Any, Any], Any]) -> None:
        super().__init__(name)
        self._call = call

    def run(self, task: Mapping[str, Any], it: Sequence[Any]) -> Any:
        """Make the calls."""
        pattern: Any = maybe_signature(task, app=app)
        if not isinstance(pattern.type, ActionTask):
            return [self._call(pattern.type, item) for item in it]
        calls = [_one(pattern, item) for item in it]
        if self.request.is_eager:
            return [call.apply(throw=True).get() for call in calls]
        return self._in_turn(calls)

    def _in_turn(self, calls: list[Any]) -> Any:
        """Let a group of them take this task's place."""
        if not calls:
            return []
        place, delay = place_of(self.request), delay_of(self.request)
        for number, call in enumerate(calls):
            # The same ids when the worker dies here: what is published twice is carried out once.
            call.options = {**place.options(), **call.options, "task_id": f"{self.request.id}-{number}"}
            call.set(countdown=delay or None)

        def publish() -> None:
            try:
                self.replace(group(calls, app=app))
            except Ignore:
                return

        published(publish)
        raise Ignore(f"{len(calls)} calls take its place")


def _one(pattern: Any, item: Any) -> Any:
    declaration = pattern.type.declaration
    call = pattern.clone(kwargs=dict(only(declaration.name, item)))
    if call.args:
        raise InputError(declaration.name, ["it takes keyword arguments only"])
    return call.set(immutable=True)


def _take_over(*tasks: Quiet) -> None:
    for task in tasks:
        app.tasks.unregister(task.name)
        app.register_task(task)


_take_over(
    Each("celery.map", lambda task, item: task(item)),
    Each("celery.starmap", lambda task, item: task(*item)),
    Accumulate("celery.accumulate"),
)
