"""The Celery task of one action: every way of publishing a call leads through it, and so does every delivery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from celery import Task
from celery.result import AsyncResult

from worker.accounts import DEFAULT, account
from worker.calls import confirmed, expiry, masked, received, routed, seconds_until
from worker.declaration import Declaration, Params
from worker.errors import KlaviyoError
from worker.execution import now, run
from worker.jsonapi import Envelope
from worker.passing import carried_out, passing_on
from worker.place import LANES, PREFIX, Place, by_priority, checked_id, here, lane_named, place_of, taken
from worker.settings import get_settings
from worker.transport import HEADER, header


class ActionTask(Task):  # type: ignore[type-arg]
    """The Celery task of one action."""

    Strategy = "worker.strategy:default"
    Request = "worker.request:Request"
    acks_late = True
    typing = False
    # Errors that explain themselves: a line in the log, no traceback.
    throws = (KlaviyoError,)
    # One character: what people and shops are called has no place in events, logs and Flower.
    resultrepr_maxsize = 1
    max_retries = None

    def __init__(self, declaration: Declaration, name: str) -> None:
        self.declaration = declaration
        self.name = PREFIX + name
        self.__doc__ = declaration.doc

    def __call__(self, *args: Any, **params: Any) -> Envelope:
        """Carry out one delivery, and publish what follows it."""
        return carried_out(self, lambda: self.run(*args, **params))

    def run(self, *args: Any, **params: Any) -> Envelope:
        """Carry out one delivery."""
        request = self.request
        if not request.is_eager:
            return run(self.declaration, request, args, params)
        given = received(self.declaration, args, params, follows=True)
        alias = account(get_settings(), place_of(request).account or DEFAULT).alias
        return self.here(alias, self.declaration.bind(given, request.id))

    def here(self, alias: str, params: Params) -> Envelope:
        """Make the request now, in this process, within everybody's budget; wait for it if need be."""
        return now(self.declaration, alias, params)

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

        ``countdown`` (seconds) and ``eta`` wait in Redis, however long; what has not been sent when it ``expires``
        (seconds, a timedelta, a time) ends as REVOKED. The account is ``klaviyo_account``, an option
        or in ``headers``, the lane ``klaviyo_lane``; ``on()`` is the better way to say it. Without them they are those
        of the task that is being carried out. ``priority`` is Celery's on Redis: 0 to 4 is the lane ``now``, 5 to 9
        ``bulk``. Options that say how a message travels (``queue``, ``exchange``, ``serializer``…) change nothing.

        Raises:
            InputError: the call is wrong; nothing was published.
            SettingsError: there is no such account.
            NotConfirmed: Redis has not said in time that it has the task.

        """
        told: dict[str, Any] = dict(headers or {})
        asked = taken(options, told)
        priority = options.pop("priority", None)
        name, late = self.declaration.name, by_priority(priority)
        place = asked.inside(Place(lane=late)).inside(here())
        try:
            checked_id(name, options.get("task_id") or "")
            lane = lane_named(name, place.lane or LANES[0])
            delay, until = seconds_until(name, countdown, eta), expiry(name, expires)
            # A task of a chain is published again if the worker dies there; its id was fixed with the chain.
            given = received(self.declaration, args or (), kwargs or {}, follows=passing_on())
            params = self.declaration.bind(given, options.get("task_id"))
            alias = account(get_settings(), place.account or DEFAULT).alias
        except KlaviyoError:
            if not passing_on():
                raise
            # The task that it follows has succeeded: this one fails, in the worker that takes it.
            queue = self.declaration.line(DEFAULT, {}).queue
            unchecked: AsyncResult[Envelope] = super().apply_async(
                args,
                kwargs,
                headers={**told, **place.options()},
                **routed({**options, "expires": expires}, queue, "{…}"),
            )
            return unchecked
        line = self.declaration.line(alias, params)
        wait: Any = {**header(line, lane, delay, until), "account": alias}
        sent = {"task_id": str(uuid4()), **routed(options, line.queue, masked(params))}
        with confirmed(name, sent["task_id"]):
            result: AsyncResult[Envelope] = super().apply_async(None, params, headers={**told, HEADER: wait}, **sent)
        return result

    def apply(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        """Carry out the call in this process, as Celery's ``task_always_eager`` does."""
        told = dict(options.pop("headers", None) or {})
        told.update(taken(options, told).inside(here()).options())
        return super().apply(args, kwargs, headers=told, **options)
