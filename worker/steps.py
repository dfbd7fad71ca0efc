"""Tasks that are steps of something larger: a job, a sync, a list that is read to its end.

A step may be delivered more than once, and its worker may die anywhere in it. So it reads how far things have come
before it does anything, and what it leaves behind tells the next one the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Generic, TypeVar

import redis
from celery import Task
from celery.exceptions import Ignore, Retry
from kombu.exceptions import OperationalError

from worker.accounts import DEFAULT
from worker.action import ACTIONS, Action, ActionTask
from worker.declaration import Params
from worker.errors import KlaviyoError, Malformed, Refused, SettingsError, Unavailable
from worker.execution import Call, back_to_wait, carry_out, lane_of, patiently, unacknowledged_if_left
from worker.governor import Lane, get_governor
from worker.jsonapi import Envelope
from worker.transport import HEADER, header

T = TypeVar("T")
S = TypeVar("S")


class Step(Task):  # type: ignore[type-arg]
    """A step that makes no request, or leaves it to others."""

    Strategy = ActionTask.Strategy
    acks_late = True
    typing = False
    throws = (KlaviyoError,)
    resultrepr_maxsize = 1
    max_retries = None

    @property
    def task_id(self) -> str:
        """The id of the task that is being carried out."""
        return str(self.request.id)

    @property
    def holder(self) -> str:
        """The delivery that is being carried out, as the governor knows it."""
        tag: str = self.request.get("klaviyo_delivery")[-1]
        return tag

    @property
    def account(self) -> str:
        """The alias of the account whose budget it has waited for, or that its publisher asked for."""
        wait = self.request.get(HEADER) or {}
        return str(wait.get("account") or self.request.get("klaviyo_account") or DEFAULT)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Carry out one delivery."""
        with unacknowledged_if_left(self.request):
            return self.run(*args, **kwargs)


class AskingStep(Step, ABC, Generic[S]):
    """A step that makes one request, under the governor like any action, and goes on with the answer.

    ``about`` is a dataclass of what it must know besides the request. It travels with the message, and Flower shows it:
    it holds ids and counts, and nobody's data.
    """

    about: type[S]
    ignore_result = True

    def ask(
        self,
        action: Action[Any],
        params: Params,
        account: str,
        about: S,
        *,
        lane: Lane = "now",
        countdown: float = 0.0,
        task_id: str | None = None,
    ) -> None:
        """Publish this step; it waits ``countdown`` seconds, then for its request's budget."""
        declaration = action.declaration
        line = declaration.line(account, params)
        headers: Any = {HEADER: {**header(line, lane, countdown), "account": account}}
        kwargs = {"action": declaration.name, "params": params, **asdict(about)}  # type: ignore[call-overload]
        published(lambda: self.apply_async((), kwargs, headers=headers, queue=line.queue, task_id=task_id))

    def run(self, *, action: str, params: Params, **about: Any) -> None:
        """Make the request and go on."""
        account, told = self.account, self.about(**about)
        if not self.needed(told):
            patiently(lambda: get_governor().release(self.task_id))
            return
        call = Call(ACTIONS[action].declaration, account, params, self.task_id, self.holder)
        try:
            envelope = carry_out(call, self.request)
        except (Refused, Unavailable, SettingsError) as error:
            self.failed(error, params, account, told)
            return
        try:
            self.answered(envelope, params, account, told)
        except Malformed as error:
            self.failed(error, params, account, told)

    def needed(self, about: S) -> bool:
        """Whether the request still has to be made."""
        return True

    def later(self, action: str, params: Params, reason: str, seconds: float) -> Retry | Ignore:
        """Put the step back to wait, to be taken again from its beginning; raise what this returns."""
        call = Call(ACTIONS[action].declaration, self.account, params, self.task_id, self.holder)
        return back_to_wait(call, self.request, lane_of(self.request), reason, seconds)

    @abstractmethod
    def answered(self, envelope: Envelope, params: Params, account: str, about: S) -> None:
        """Go on with Klaviyo's answer; where this finds it `Malformed`, go on without one."""

    def failed(self, error: KlaviyoError, params: Params, account: str, about: S) -> None:
        """Go on without one."""
        raise error


def published(publish: Callable[[], T]) -> T:
    """Publish something, waiting while Redis is away: there is no other place for it meanwhile."""

    def step() -> T:
        try:
            return publish()
        except OperationalError as error:
            raise redis.ConnectionError(str(error)) from None

    return patiently(step)
