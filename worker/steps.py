"""Tasks that are steps of something larger: a job, a sync, a list that is read to its end.

A step may be delivered more than once, and its worker may die anywhere in it. So it reads how far things have come
before it does anything, and what it leaves behind tells the next one the same.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Generic, TypeVar

from celery import Task
from celery.exceptions import Ignore, Retry
from celery.states import READY_STATES

from worker.account_and_lane import checked_id, lane_of, place_of
from worker.accounts.lookup import DEFAULT
from worker.accounts.scopes import require_scopes
from worker.action import ACTIONS, Action
from worker.action_task import ActionTask
from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.app import app
from worker.calls import until_of
from worker.carrying_out import Revoked, back_to_wait, carry_out
from worker.checked_task import Addressed, Asked, CheckedTask
from worker.errors import KlaviyoError, Malformed, Refused, SettingsError, Unavailable
from worker.execution import Call
from worker.governor import Lane, get_governor
from worker.message_headers import COUNTDOWN, HEADER, UNTIL, tag_of
from worker.publishing import published
from worker.redis.patience import waits_for_redis
from worker.successors import run_and_pass_on
from worker.tiers import DEFAULT_QUEUE
from worker.transport import header

S = TypeVar("S")


@waits_for_redis
def has_ended(task_id: str) -> bool:
    """Return True if a task's result tells how it ended."""
    return app.AsyncResult(task_id).state in READY_STATES


class Step(Task):  # type: ignore[type-arg]
    """A step that makes no request, or leaves it to others."""

    Strategy = ActionTask.Strategy
    Request = ActionTask.Request
    acks_late = True
    typing = False
    throws = (KlaviyoError,)
    resultrepr_maxsize = 1
    max_retries = None

    #: False for a step that tells how something has ended: it is carried out even if its id is revoked.
    revocable = True

    @property
    def task_id(self) -> str:
        """The id of the task that is being carried out."""
        return str(self.request.id)

    @property
    def holder(self) -> str:
        """The delivery that is being carried out, as the governor knows it."""
        return tag_of(self.request)

    @property
    def account(self) -> str:
        """The alias of the account whose budget it has waited for, or that its publisher asked for."""
        return str(place_of(self.request).account or DEFAULT)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Carry out one delivery."""
        return run_and_pass_on(self, lambda: self._checked_run(*args, **kwargs))

    def _checked_run(self, *args: Any, **kwargs: Any) -> Any:
        checked_id(self.name, self.task_id)
        # A step that waits for a request's budget learns by its claim that it is revoked.
        if self.revocable and not self.request.get(HEADER) and not self.request.is_eager:
            reason = get_governor().revoked(self.task_id)
            if reason is not None:
                raise Revoked(reason, expired=False)
        return self.run(*args, **kwargs)


class Opening(CheckedTask, Step):
    """A task with which callers begin something larger. Its message says how the steps go on."""

    def _checked_run(self, *args: Any, **kwargs: Any) -> Any:
        until = until_of(self.request)
        if until is not None and not self.request.is_eager and get_governor().now() / 1000 > until:
            raise Revoked("it expired before it was begun", expired=True)
        return super()._checked_run(*args, **kwargs)

    @abstractmethod
    def check_arguments(
        self, args: Any, kwargs: Mapping[str, Any], task_id: str | None
    ) -> tuple[Any, dict[str, Any], str]:
        """The arguments as they are published, and what events and Flower show of them.

        Raises:
            InputError: the call is wrong.

        """

    def addressed(self, args: Any, kwargs: Any, asked: Asked) -> Addressed:
        """The call, with what its steps need to know."""
        args, kwargs, shown = self.check_arguments(args, kwargs or {}, asked.task_id)
        if needed := self.asks(args, kwargs):
            require_scopes(asked.owner, needed.name, needed.scopes)
        waits: dict[str, Any] = {COUNTDOWN: asked.delay} if asked.delay else {}
        if until := asked.expires:
            waits[UNTIL] = until.seconds if until.absolute else time.time() + until.seconds
        return Addressed(args, kwargs, {**waits, **asked.place.options()}, DEFAULT_QUEUE, shown)

    def asks(self, args: Any, kwargs: Mapping[str, Any]) -> Declaration | None:
        """Return the action that it begins with, by its checked arguments."""
        return None


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

    def run(self, *, action: str, params: Params, **fields: Any) -> None:
        """Make the request and go on."""
        account, about = self.account, self.about(**fields)
        if not self.needed(about):
            get_governor().release(self.task_id)
            self.answered_before(account, about)
            return
        call = Call(ACTIONS[action].declaration, account, params, self.task_id, self.holder)
        try:
            envelope = carry_out(call, self.request)
        except (Refused, Unavailable, SettingsError) as error:
            self.failed(error, params, account, about)
            return
        try:
            self.answered(envelope, params, account, about)
        except Malformed as error:
            self.failed(error, params, account, about)

    def needed(self, about: S) -> bool:
        """Return True if the request still has to be made."""
        return True

    def answered_before(self, account: str, about: S) -> None:
        """Make sure that it goes on: the worker that had the answer may have died."""

    def put_off(self, action: str, params: Params, reason: str, seconds: float) -> Retry | Ignore:
        """Put the step back to wait; it begins anew later. The caller raises the exception that this returns."""
        call = Call(ACTIONS[action].declaration, self.account, params, self.task_id, self.holder)
        return back_to_wait(call, self.request, lane_of(self.request), reason, seconds)

    @abstractmethod
    def answered(self, envelope: Envelope, params: Params, account: str, about: S) -> None:
        """Go on with Klaviyo's answer; where this finds it `Malformed`, go on without one."""

    def failed(self, error: KlaviyoError, params: Params, account: str, about: S) -> None:
        """Go on without one."""
        raise error
