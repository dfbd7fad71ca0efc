"""One request of a call: its lease, its sending and its answer, within everybody's budget.

A worker makes it for a delivery (`worker.carrying_out`); `send_in_process` makes it for a caller who waits.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from celery.utils.log import get_logger

from worker.accounts import tokens
from worker.accounts.lookup import account
from worker.accounts.scopes import learn, require_scopes
from worker.api.declaration import Declaration, Resolved
from worker.api.jsonapi import Envelope, Request, interpret, quota
from worker.api.parameters import Params
from worker.api.repeat import Repeat
from worker.backoff import backoff, retry_after
from worker.errors import (
    Forbidden,
    KlaviyoError,
    OutcomeUnknown,
    Paused,
    Refused,
    SettingsError,
    Throttled,
    Unavailable,
    given_up,
)
from worker.governor import ANY_KEY, Governor, RequestEnd, get_governor, under_way
from worker.governor.under_way import UnderWay
from worker.http_client import get_client, send
from worker.pauses import FIRST_PROBE_S
from worker.process.state import closing, working
from worker.redis.connection import AWAY
from worker.redis.patience import RETRY_PAUSE_S, asking_redis_once
from worker.settings import Settings, get_settings
from worker.telemetry.meters import meters
from worker.telemetry.traces import begin_closing, tracing_request
from worker.tiers import Line

logger = get_logger(__name__)

#: Not Celery's logger: in a command, where no logging is set up, this one writes to standard error.
direct = logging.getLogger("worker.now")

#: The end of a request that Klaviyo may have had, until its answer is there.
UNANSWERED = RequestEnd(used=True, unanswered=True)

#: Longest sleep, in seconds, of a process that waits for budget; a longer wait is logged.
BUDGET_POLL_S = 5.0


@dataclass(frozen=True, slots=True)
class Call:
    """One action to carry out on one account, with the id under which the governor knows it.

    ``prepared`` is the request if it has been made and stored before; ``attempt`` counts from 1.
    """

    declaration: Declaration
    account: str
    params: Params
    task_id: str
    holder: str = ""
    prepared: Request | None = None
    attempt: int = 1

    @property
    def line(self) -> Line:
        """Its waiting list."""
        return self.declaration.line(self.account, self.params)

    @property
    def repeat(self) -> Repeat:
        """Whether it may be sent again."""
        return self.declaration.repeat_of(self.params)


#: Closes the lease of a request that has ended; with the envelope if it has succeeded.
CloseLease = Callable[[Call, Governor, RequestEnd, Envelope | None], None]


def close_lease(call: Call, governor: Governor, end: RequestEnd, envelope: Envelope | None) -> None:
    """Close the lease of a call whose request has ended, in whatever way."""
    closed = begin_closing()
    if adopted := governor.close_lease(call.task_id, end, call.holder):
        log_adopted(call, adopted)
    closed()


def log_adopted(call: Call, adopted: int) -> None:
    """Log that Klaviyo's headers name another limit than the declaration does."""
    logger.warning(
        "Klaviyo allows %s requests a minute for %s on account %s, not %s: adopted.",
        adopted, call.declaration.name, call.account, call.declaration.limits.steady,
        extra={"account": call.account, "action": call.declaration.name, "task_id": call.task_id},
    )  # fmt: skip


def attempt(call: Call, governor: Governor, settings: Settings, close: CloseLease = close_lease) -> Envelope:
    """Send the request of a call whose lease is claimed, and close the lease whatever happens.

    Raises:
        Throttled: the bucket is blocked now, or the line is, as its account has no access token yet.
        Unavailable: the request may be repeated.
        OutcomeUnknown: it must not be repeated.
        Refused, SettingsError: Klaviyo refuses it, or the settings are wrong.

    """
    try:
        return send_claimed(call, governor, settings, close, [] if call.repeat.blindly else [call.task_id])
    except Unavailable as unavailable:
        raise lost(call, unavailable) from None


def lost(call: Call, unavailable: Unavailable) -> Unavailable | OutcomeUnknown:
    """Return what a lost answer means for a call."""
    if unavailable.sent and not call.repeat.blindly:
        return OutcomeUnknown(call.declaration.name, call.account, unavailable.reason, call.repeat.note)
    return unavailable


def send_claimed(
    call: Call, governor: Governor, settings: Settings, close: CloseLease, unrepeatable: Sequence[str]
) -> Envelope:
    """Do what `attempt` does, but let the caller say what a lost answer means: this raises no `OutcomeUnknown`.

    ``unrepeatable``: the tasks whose part in the request must not be repeated.
    """
    name, alias = call.declaration.name, call.account
    end, envelope = RequestEnd(used=False, forget=True), None
    under_way.begin(call.task_id, lambda: _under_way(call, settings), unrepeatable)
    try:
        owner = tokens.authorized(account(settings, alias), name, governor)
        request = call.prepared or call.declaration.request(call.params)
        if settings.redis_replicas and unrepeatable:
            require_replicas(call, governor)
        # From here on, Klaviyo may have had the request, whatever goes wrong.
        end = UNANSWERED
        with tracing_request(name, alias, request.method, call.declaration.path, call.attempt) as answered:
            response = send(get_client(), owner, name, request)
            if response.status == 401 and tokens.may_renew(owner):
                # It was certainly not carried out, and counts for nobody: Klaviyo does not know whose it was.
                end = RequestEnd(used=False, forget=True)
                renewed = tokens.renew(owner, name, governor)
                end = UNANSWERED
                response = send(get_client(), renewed, name, request)
            answered(response.status)
        accepted = response.status < 500 and response.status not in (401, 403, 429) and not call.declaration.client_side
        accepted_key = ANY_KEY if working.is_set() else owner.fingerprint
        end = RequestEnd(used=True, quota=quota(response.headers), accepted_key=accepted_key if accepted else "")
        envelope = interpret(
            name, alias, response.status, response.headers, response.content,
            reads=call.declaration.reads, upserts=call.declaration.upserts,
        )  # fmt: skip
        if unread := envelope.get("unread"):
            logger.warning("%s on account %s was carried out, but its result is not known: %s.", name, alias, unread)
        return envelope
    except Throttled as throttled:
        # The window ends somewhere inside the last of these seconds. Where it was not Klaviyo that said so, the line is
        # blocked all the same: each task behind this one would only find out the same.
        seconds, reason = retry_after(throttled) + 0.05, throttled.block_reason
        end = RequestEnd(used=False, block=seconds, block_reason=reason, forget=True)
        if not reason:
            for meter in meters:
                meter.throttled(name, call.line.name)
        raise
    except SettingsError:
        end = RequestEnd(used=False, forget=True)
        raise
    except Refused as refused:
        end = replace(end, forget=True)
        if isinstance(refused, Forbidden):
            learn(account(settings, alias), refused, call.declaration.scopes)
        raise
    except Unavailable as unavailable:
        sent = unavailable.sent
        end = RequestEnd(used=sent, quota=end.quota, forget=not sent, unanswered=end.unanswered)
        raise
    finally:
        try:
            close(call, governor, end, envelope)
        finally:
            under_way.finish(call.task_id, end.forget)


def _under_way(call: Call, settings: Settings) -> UnderWay:
    line = call.line
    return call.task_id, call.holder, line.name, line.spec, settings.lease_ms, 0


def require_replicas(call: Call, governor: Governor) -> None:
    """Make sure that replicas have on record that this request is sent, so that no failover forgets it.

    Raises:
        NotOnRecord: too few replicas have it, or Redis is away.

    """
    try:
        governor.confirm()
    except AWAY as error:
        raise NotOnRecord(call.declaration.name, call.account, str(error)) from None


class NotOnRecord(Throttled):
    """A request that must not be repeated was not sent, since a failover would have forgotten that it was."""

    block_reason = "replicas of Redis have not confirmed the request yet"

    def __init__(self, action: str, account: str, reason: str) -> None:
        super().__init__(action, account, 429, [], RETRY_PAUSE_S)
        self.args = (action, account, reason)

    def __str__(self) -> str:
        return f"waiting for replicas of Redis: {self.args[2]}"


def send_in_process(
    declaration: Declaration, alias: str, params: Params, sleep: Callable[[float], None] = time.sleep
) -> Envelope:
    """Make the request in this process, within everybody's budget: wait and try again as a task would."""
    settings, governor = get_settings(), get_governor()
    owner = account(settings, alias)
    if not declaration.client_side:
        require_scopes(owner, declaration.name, declaration.scopes)
    extras: dict[str, Any] = {}
    if declaration.resolve:

        def ask(action: Any, /, **asked: Any) -> Envelope:
            return send_in_process(action.declaration, alias, action.declaration.bind(asked), sleep)

        resolved = declaration.resolve(params, ask)
        if resolved.params is None:
            return nothing_to_do(resolved)
        params, extras = resolved.params, resolved.extras
    call = Call(declaration, alias, params, f"now-{uuid.uuid4()}")
    attempts = 0
    while True:
        warned = False
        with asking_redis_once():  # somebody waits for the answer and wants to know at once that Redis is away
            for seconds in until_reserved(call, governor, settings):
                if seconds > BUDGET_POLL_S and not warned:
                    warned = True
                    direct.warning(
                        "Waiting for budget of %s on account %s: %.0f s at present.", declaration.name, alias, seconds
                    )
                sleep(min(seconds, BUDGET_POLL_S))
        try:
            envelope = attempt(call, governor, settings)
            envelope.update(extras)
            return envelope
        except Throttled:
            continue
        except Unavailable as unavailable:
            if attempts + 1 >= settings.max_attempts:
                raise given_up(unavailable, attempts + 1) from None
            attempts += 1
            pause = backoff(attempts - 1, settings)
            if pause > BUDGET_POLL_S:
                direct.warning(
                    "%s Attempt %d of %d follows in %.0f s.", unavailable, attempts + 1, settings.max_attempts, pause
                )
            sleep(pause)


def until_reserved(call: Call, governor: Governor, settings: Settings) -> Iterator[float]:
    """Ask for the lease of a call of this process until it is granted. Yield the seconds to wait before each next try.

    Raises:
        Paused: somebody has paused the account, the action or its tier.

    """
    line = (call.line.name, call.line.spec)
    while seconds := governor.reserve(line, call.task_id, settings.lease_ms):
        yield seconds


class NoLookupBudget(KlaviyoError):
    """There is no budget now for a request that a call makes first, to look something up."""

    def __init__(self, action: str, seconds: float) -> None:
        super().__init__(action, seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"waiting for budget of {self.args[0]}, to look something up"


def resolve(call: Call, governor: Governor, settings: Settings) -> Resolved:
    """Run the declaration's ``resolve`` for a call whose lease is claimed.

    Its requests have leases of their own. Together they may take as long as one lease, after which the task waits
    again. The task's own lease is claimed for three times as long, so that it outlives the last answer.
    """
    if call.declaration.resolve is None:
        return Resolved(call.params, {})
    until = time.monotonic() + settings.lease_ms / 1000

    def ask(action: Any, /, **asked: Any) -> Envelope:
        name, params = action.declaration.name, action.declaration.bind(asked)
        lookup = Call(action.declaration, call.account, params, f"{call.task_id}-{uuid.uuid4()}")
        if time.monotonic() >= until:
            raise NoLookupBudget(name, 0.0)
        try:
            for seconds in until_reserved(lookup, governor, settings):
                if closing.wait(min(seconds, 1.0)) or time.monotonic() >= until:
                    raise NoLookupBudget(name, seconds)
            return attempt(lookup, governor, settings)
        except Paused:
            raise NoLookupBudget(name, FIRST_PROBE_S) from None
        except Throttled as throttled:
            raise NoLookupBudget(name, retry_after(throttled)) from None

    resolved = None
    try:
        resolved = call.declaration.resolve(call.params, ask)
    finally:
        if resolved is None or resolved.params is None:
            governor.close_lease(call.task_id, RequestEnd(used=False, forget=True), call.holder)
    return resolved


def nothing_to_do(resolved: Resolved) -> Envelope:
    """Return the result of a call that turned out to need no request."""
    return Envelope(data=None, error=None, successful=True, **resolved.extras)
