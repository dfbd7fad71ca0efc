"""Repeating tasks that have failed for good.

A task is put back into its waiting list, under an id derived from its own, and its failure is forgotten, atomically. So
none is repeated twice, whatever dies in between.

A repeated task shares no request with others, even if it did before. It keeps its account, its lane, its callbacks, its
errbacks and the rest of its chain. Its chord is not kept: that has learned of the failure and waits no longer. The id
by which Klaviyo recognizes a repetition is that of the first task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from worker.account_and_lane import Place, lane_named
from worker.accounts.lookup import account
from worker.app import app
from worker.calls import received, routed
from worker.checked_task import Asked
from worker.errors import KlaviyoError, SettingsError
from worker.failures.groups import Group
from worker.failures.kept import Failure, failures_of
from worker.governor import get_governor
from worker.message_headers import HEADER
from worker.plain_calls import message_of
from worker.redis.homes import here, home_of
from worker.settings import get_settings


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is to be repeated, as `worker.governor.Governor.replay` takes it."""

    failed_id: str
    line: tuple[str, str]
    lane: str
    task_id: str
    message: str


@dataclass(slots=True)
class Replayed:
    """How many tasks wait again, or would after a rehearsal; and how many cannot be repeated, by reason."""

    tasks: int = 0
    impossible: Counter[str] = field(default_factory=Counter)


class OutcomeMatters(KlaviyoError):
    """Tasks that may have been carried out are repeated only after somebody has looked."""

    def __init__(self, group: str, look_at: str) -> None:
        super().__init__(group, look_at)
        self.group = group
        self.look_at = look_at

    def __str__(self) -> str:
        return (
            f"The tasks of {self.group} may have been carried out, so they were not repeated. Look at {self.look_at} "
            "first; --yes-again repeats them."
        )


def replay(group: Group, *, yes_again: bool = False, rehearse: bool = False) -> Replayed:
    """Repeat every task of a group, the one that failed first in front.

    A task that cannot be repeated, because its call is wrong or its account is gone, stays a failure. After an
    interruption, call it again to go on with the tasks that are left.

    Raises:
        OutcomeMatters: they may have been carried out, and ``yes_again`` is not set.

    """
    if group.unknown and not yes_again:
        raise OutcomeMatters(group.id, group.look_at)
    done, governor = Replayed(), get_governor()
    for failure in failures_of(group.id):
        try:
            call = repeated(failure)
        except KlaviyoError as error:
            done.impossible[str(error)] += 1
            continue
        if rehearse or governor.replay(call.failed_id, call.line, call.lane, call.task_id, call.message):
            done.tasks += 1
    return done


def repeated(failure: Failure) -> Call:
    """Return the call that repeats a failed one.

    Raises:
        InputError, SettingsError: the call is wrong, its account is gone or lives on another Redis, or it cannot be
            decrypted.

    """
    owner = account(get_settings(), failure.account)
    if (home := home_of(failure.account)) != here():
        raise SettingsError(
            f"account {failure.account!r} lives on the Redis {home} by now, and {here()} knows nothing of its limits"
        )
    call, task = failure.opened, app.tasks[failure.task]
    lane = lane_named(task.called, failure.lane)
    given = received(task.declaration, call["args"], call["kwargs"], follows=True)
    # Bound under the first task's id, from which the id is derived by which Klaviyo recognizes a repetition.
    asked = Asked(failure.id, Place(owner.alias, lane), owner, lane, delay=0.0, expires=None, together=False)
    bound = task.addressed((), given, asked)
    options = {"task_id": repeated_id(failure.id), **routed({}, bound.queue, bound.shown)}
    headers, wait = dict(bound.headers), bound.headers[HEADER]
    message = message_of(task, bound.kwargs, headers, options, _followers(call))
    return Call(failure.id, (wait["line"], wait["spec"]), lane, options["task_id"], message)


def repeated_id(task_id: str) -> str:
    """Return the id under which a failed task is repeated."""
    return str(uuid5(NAMESPACE_OID, f"{task_id} again"))


def _followers(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: call.get(name) for name in ("callbacks", "errbacks", "chain")} | {"chord": None}
