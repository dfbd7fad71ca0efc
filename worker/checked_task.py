"""A task that is published after its call has been checked: what Celery's options mean, for all of them alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from celery import Task
from celery.result import AsyncResult

from worker.account_and_lane import LANES, Place, by_priority, checked_id, here, lane_named, taken
from worker.accounts.credentials import Account
from worker.accounts.lookup import DEFAULT, account
from worker.api.jsonapi import Envelope
from worker.calls import confirmed, expiry, routed, seconds_until
from worker.errors import KlaviyoError
from worker.governor import Expiry, Lane
from worker.message_headers import HEADER, TOGETHER
from worker.plain_calls import is_plain, publish
from worker.redis.homes import at_home_of_call
from worker.settings import get_settings
from worker.successors import passing_on
from worker.telemetry.masking import HIDDEN
from worker.telemetry.traces import tracing_publish
from worker.tiers import DEFAULT_QUEUE


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of a call mean: ``place`` as given, ``owner`` and ``lane`` as they follow from it.

    ``delay`` is in seconds. ``together``: whether the call may share a request with others; None: where
    that means the same.
    """

    task_id: str | None
    place: Place
    owner: Account
    lane: Lane
    delay: float
    expires: Expiry | None
    together: bool | None


@dataclass(frozen=True, slots=True)
class Addressed:
    """A call as it is published; ``shown`` is what events and Flower show of its parameters."""

    args: Any
    kwargs: Any
    headers: Mapping[str, Any]
    queue: str
    shown: str


class CheckedTask(Task, ABC):  # type: ignore[type-arg]
    """A task whose calls are checked by the caller's process."""

    @property
    def called(self) -> str:
        """Its name in messages to the caller."""
        return str(self.name)

    @property
    def unchecked(self) -> str:
        """The queue of a wrong call, which fails in the worker that takes it."""
        return DEFAULT_QUEUE

    @abstractmethod
    def addressed(self, args: Any, kwargs: Any, asked: Asked) -> Addressed:
        """Return the call as it is published.

        Raises:
            InputError: it is wrong.

        """

    def asked(
        self,
        place: Place,
        task_id: str | None = None,
        countdown: float | None = None,
        eta: datetime | str | None = None,
        expires: float | timedelta | datetime | str | None = None,
        together: bool | None = None,
    ) -> Asked:
        """What the options of a call come to; raises as `apply_async` does."""
        checked_id(self.called, task_id or "")
        return Asked(
            task_id=task_id,
            place=place,
            owner=account(get_settings(), place.account or DEFAULT),
            lane=lane_named(self.called, place.lane or LANES[0]),
            delay=seconds_until(self.called, countdown, eta),
            expires=expiry(self.called, expires),
            together=together,
        )

    def apply_async(  # type: ignore[override]
        self,
        args: Any = None,
        kwargs: Any = None,
        *,
        countdown: float | None = None,
        eta: datetime | str | None = None,
        expires: float | timedelta | datetime | str | None = None,
        headers: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AsyncResult[Envelope]:
        """Check the call and publish it.

        ``countdown`` (seconds) and ``eta`` wait in Redis, however long. A call not sent by the time it ``expires``
        (seconds, a timedelta, a time) ends as REVOKED. ``klaviyo_account`` and ``klaviyo_lane``, as options or in
        ``headers``, set account and lane; ``on()`` is the better way. By default they are those of the task that is
        being carried out. ``priority`` is Celery's on Redis: 0 to 4 is the lane ``now``, 5 to 9
        ``bulk``. Options that say how a message travels (``queue``, ``exchange``, ``serializer``…) change nothing.

        Raises:
            InputError: the call is wrong; nothing was published.
            SettingsError: there is no such account, or it lives on another Redis than what the call is a part of.
            ScopeMissing: its credentials lack a scope that the call needs.
            AlreadyRevoked: its ``task_id`` is that of a task that was revoked.
            NotConfirmed: Redis has not said in time that it has the task.

        """
        sent_headers: dict[str, Any] = dict(headers or {})
        place = taken(options, sent_headers)
        if (priority := options.pop("priority", None)) is not None:
            place = place.inside(Place(lane=by_priority(priority)))
        place = place.inside(here())
        together = options.pop(TOGETHER, None)
        with at_home_of_call(place.account, options):
            try:
                asked = self.asked(place, options.get("task_id"), countdown, eta, expires, together)
                call = self.addressed(args, kwargs, asked)
            except KlaviyoError:
                if not passing_on():
                    raise
                # The task that it follows has succeeded: this one fails by itself, in the worker that takes it.
                call = Addressed(args, kwargs, place.options(), self.unchecked, HIDDEN)
                options["expires"] = expires
            return self.publish(call, options.pop("task_id", None) or str(uuid4()), sent_headers, options)

    def publish(
        self,
        call: Addressed,
        task_id: str,
        headers: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> AsyncResult[Envelope]:
        """Publish a call that has been checked, with these headers and options of Celery's beside its own."""
        sent = {"task_id": task_id, **routed(options or {}, call.queue, call.shown)}
        sent_headers = {**(headers or {}), **call.headers}
        with tracing_publish(str(self.name), task_id, sent_headers), confirmed(self.called, task_id):
            if HEADER in call.headers and is_plain(self, sent):
                return publish(self, call.kwargs, sent_headers, sent)
            result: AsyncResult[Envelope] = super().apply_async(call.args, call.kwargs, headers=sent_headers, **sent)
        return result
