"""Klaviyo's actions for an application that shares nothing with klaviyo-worker but its Redis; it needs only Celery.

    create_profile.delay(email="ada@example.com")                          queue it
    create_profile.on("eu-store", lane="bulk", countdown=60).delay(...)    choose account, lane, time
    create_profile.si(email="ada@example.com")                             a signature, for chains, groups and chords
    get_profiles.collect(sort="created")                                   a list, read to its end: one result
    run_job(bulk_import_profiles).delay(profiles=[...])                    a job, followed to its end: one result

They are sent by Celery's current application, like those of ``shared_task``, or by the one given to ``.on(app=…)``.
Its broker must be the workers' Redis and, for ``.get()``, its result backend too. Wrong values fail in the worker.

``.get()`` of a task that failed raises one of the errors below, each a `KlaviyoError`: ``except Conflict as error``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, ClassVar, Generic, Literal, ParamSpec, Required, TypedDict

from celery import Celery, current_app
from celery.canvas import Signature
from celery.result import AsyncResult

P = ParamSpec("P")

# Where Celery looks for the class of a stored error: it finds the one in this module.
sys.modules.setdefault("klaviyo_errors", sys.modules[__name__])

#: The result of an action: ``data``, ``error``, ``successful`` and, if there are any, ``included``, ``links``,
#: ``meta``, ``job_id``, ``created`` (False if it was updated instead), ``unread`` (why a success has no data).
Envelope = dict[str, Any]


@dataclass(frozen=True)
class Action(Generic[P]):
    """One Klaviyo operation, carried out by a worker."""

    declared: Callable[P, None]
    queue: str
    account: str | None = None
    lane: Literal["now", "bulk"] | None = None
    countdown: float | None = None
    expires: float | datetime | None = None
    together: bool | None = None
    app: Celery | None = None

    @property
    def name(self) -> str:
        """The task's name, ``klaviyo.create_profile``."""
        return f"klaviyo.{self.declared.__name__}"

    def on(
        self,
        account: str | None = None,
        *,
        lane: Literal["now", "bulk"] | None = None,
        countdown: float | None = None,
        expires: float | datetime | None = None,
        together: bool | None = None,
        app: Celery | None = None,
    ) -> Action[P]:
        """Return the action for another account, in another lane, later (any number of seconds) or by this application.

        A task that has not been sent when it ``expires`` (seconds from the call, or a time) ends as REVOKED.
        ``together=False``: it has a request of its own, however many like it wait; ``together=True``: it may also go as
        a record of a bulk job, and ends with that. In a chain, a part without an account runs on that of the part
        before it.
        """
        return replace(
            self, account=account, lane=lane, countdown=countdown, expires=expires, together=together, app=app
        )

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Queue it: once this returns, it will be carried out."""
        return self.si(*args, **kwargs).apply_async()

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[Envelope]:
        """Return a signature that takes nothing from the task before it."""
        return self._signature(args, kwargs, immutable=True)

    def s(self, *args: P.args, **kwargs: P.kwargs) -> Signature[Envelope]:
        """Return a signature that receives the result of the task before it, if there is one, as in Celery's canvas."""
        return self._signature(args, kwargs, immutable=False)

    def collect(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Have the workers read a list to its end: one result with all of it, and its ``count``.

        A list of over 8 MB stays with the workers, and its result has no ``data``.
        """
        self.declared(*args, **kwargs)
        return self._sent("klaviyo.collect", "klaviyo", (self.declared.__name__,), kwargs, _names(kwargs)).apply_async()

    def _signature(self, args: Any, kwargs: Any, immutable: bool) -> Signature[Envelope]:
        self.declared(*args, **kwargs)  # raises TypeError for an unknown or a missing name
        return self._sent(self.name, self.queue, (), kwargs, _names(kwargs), immutable)

    def _sent(
        self, task: str, queue: str, args: Any, kwargs: Any, shown: str, immutable: bool = True
    ) -> Signature[Envelope]:
        headers = {
            "klaviyo_account": self.account,
            "klaviyo_lane": self.lane,
            "klaviyo_together": self.together,
        }
        options = {
            "queue": queue,
            "headers": {name: value for name, value in headers.items() if value is not None},
            "countdown": self.countdown,
            "expires": self.expires,
            "serializer": "json",
            # What Celery's events and Flower show: the names of the parameters, but not their values.
            "argsrepr": "()",
            "kwargsrepr": shown,
        }
        return Signature(
            task, args=args, kwargs=kwargs, options=options, immutable=immutable, app=self.app or current_app
        )  # fmt: skip


@dataclass(frozen=True)
class Job(Generic[P]):
    """The job that an action starts; account, lane and time are those of the action."""

    action: Action[P]

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Start the job and follow it to its end: one result, with counters and errors, for all of it."""
        return self.si(*args, **kwargs).apply_async()

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[Envelope]:
        """Return a signature that takes nothing from the task before it."""
        self.action.declared(*args, **kwargs)
        kind = self.action.declared.__name__
        shown = f"{{'kind': {kind!r}, 'params': {_names(kwargs)}}}"
        return self.action._sent("klaviyo.job", "klaviyo", (), {"kind": kind, "params": kwargs}, shown)


def run_job(action: Action[P]) -> Job[P]:
    """Return the job that an action starts, followed to its true end; the task fails if the action starts no job."""
    return Job(action)


def _names(kwargs: Any) -> str:
    return "{" + ", ".join(f"{name!r}: '***'" for name in kwargs) + "}"


def action(queue: str) -> Callable[[Callable[P, None]], Action[P]]:
    """Make a function's signature an action; ``queue`` is that of its tier."""
    return lambda declared: Action(declared, queue)
