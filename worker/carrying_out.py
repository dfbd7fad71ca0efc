"""One delivery of an action's task: claim its lease, make its request, and decide how the task goes on.

The way on from here is one of four: the envelope is returned; an error is raised; the task goes back to wait (RETRY
in Flower, with the reason); or, if another delivery has the task by now, nothing is done.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from celery.exceptions import Ignore, Retry
from celery.utils.log import get_logger

from worker.account_and_lane import TASK_PREFIX, checked_id, lane_of, place_of, together_asked
from worker.accounts.lookup import DEFAULT, account
from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.backoff import backoff
from worker.calls import delay_of, expiry_of, received
from worker.errors import (
    SENDER_DIED,
    Answered,
    CredentialsFailed,
    Forbidden,
    KlaviyoError,
    OutcomeUnknown,
    Throttled,
    Unauthorized,
    Unavailable,
    given_up,
    rebuild,
)
from worker.execution import (
    Call,
    NoLookupBudget,
    Settle,
    attempt,
    log_adopted,
    nothing_to_do,
    resolve,
    settle_lease,
)
from worker.governor import A_WORKER, ALONE, Claim, Delivery, End, Expiry, Governor, Settlement, Together, get_governor
from worker.message_headers import ATTEMPT, DELIVERY, EXPIRES, HEADER, tag_of
from worker.pauses import FIRST_PROBE_S, MAX_FORBIDDEN_IN_A_ROW, how_to_resume
from worker.process import ending, prefetched_leases
from worker.process.state import closing
from worker.redis.memory import full_reason, has_memory, retry_delay, size_if_large
from worker.settings import Settings, get_settings
from worker.telemetry.meters import meters
from worker.telemetry.traces import begin_settle, trace_wait
from worker.together.sharing import traveling
from worker.transport import together_of

logger = get_logger(__name__)


def make_call(declaration: Declaration, request: Any, args: Sequence[Any], params: Params) -> Call:
    """Return the call that a delivery asks for.

    Our own callers check a call before they publish it; one that came by send_task is checked here. Ids that are set
    for the call derive from the task's id, so that they are the same in every delivery.

    Raises:
        InputError, SettingsError: the call is wrong, or there is no such account.

    """
    checked_id(declaration.name, request.id)
    lane_of(request)
    if not isinstance(request.get(HEADER), Mapping):
        given = received(declaration, args, params, follows=bool(request.parent_id))
        params = declaration.bind(given, request.id)
    alias = account(get_settings(), place_of(request).account or DEFAULT).alias
    return Call(declaration, alias, params, request.id, tag_of(request))


def claim_lease(call: Call, request: Any, lane: str, governor: Governor, settings: Settings) -> Claim:
    """Claim the lease of a delivery.

    Raises:
        Retry, Ignore: there is no lease, Redis has no room for the result, or the worker is stopping.
        Revoked: nobody wants the task any more.
        OutcomeUnknown: the request was sent before and must not be sent again.

    """
    if closing.is_set():
        prefetched_leases.return_lease(governor, call.task_id, call.holder)
        raise back_to_wait(call, request, lane, "the worker is stopping", 0.0)
    if prefetched_leases.take_lease(governor, call.holder, call.task_id):
        return Claim("ok", 0)
    once = not call.repeat.blindly
    lease_ms = settings.lease_ms * (3 if call.declaration.resolve else 1)
    claim = governor.claim(call.task_id, lease_ms, once, call.holder)
    if claim.state == "none":
        raise back_to_wait(call, request, lane, "waiting for its turn", delay_of(request), expires=expiry_of(request))
    if claim.state in ("revoked", "expired"):
        raise Revoked(claim.reason or "it expired before its turn came", claim.state == "expired")
    if claim.state == "unknown":
        governor.done(call.task_id)
        raise OutcomeUnknown(call.declaration.name, call.account, SENDER_DIED, call.repeat.note)
    if claim.roomless and not has_memory():
        # Repeating the request now would waste budget: its result could not be stored.
        governor.settle(call.task_id, Settlement(used=False, forget=True), call.holder)
        raise back_to_wait(call, request, lane, full_reason(), retry_delay(claim.roomless), roomless=True)
    return claim


def run(declaration: Declaration, request: Any, args: Sequence[Any], params: Params) -> Envelope:
    """Carry out one delivery of an action's task.

    Raises:
        Retry: the task waits again; its message is back in its waiting list.
        Ignore: somebody else has the task.
        KlaviyoError: it failed.

    """
    try:
        call = make_call(declaration, request, args, params)
    except KlaviyoError:
        prefetched_leases.return_lease(get_governor(), request.id, tag_of(request))
        raise
    return carry_out(call, request, may_be_left=ends_without_follower(call, request))


def carry_out(call: Call, request: Any, may_be_left: bool = False) -> Envelope:
    """Carry out one delivery of a call; raises as `run` does.

    ``may_be_left``: the task is over with the answer, so that its end may be left to `worker.process.ending`.
    """
    settings, governor = get_settings(), get_governor()
    lane = lane_of(request)
    claim = claim_lease(call, request, lane, governor, settings)
    if claim.state == "decided":
        # It has travelled with others (`worker.together.riding`).
        governor.done(call.task_id)
        return reached(claim.reason)
    return make_request(call, request, lane, claim, may_be_left)


def make_request(call: Call, request: Any, lane: str, claim: Claim, may_be_left: bool) -> Envelope:
    """Make the request of a call whose lease is claimed, and decide what the answer means."""
    settings, governor = get_settings(), get_governor()
    attempts = claim.attempts
    setattr(request, ATTEMPT, attempts + 1)
    trace_wait(request, attempts + 1)

    remembered = bool(attempts or claim.roomless or expires(request))

    def forget() -> None:
        if remembered:
            governor.done(call.task_id)

    try:
        resolved = resolve(call, governor, settings)
        if resolved.params is None:
            forget()
            return nothing_to_do(resolved)
        settle = leave_success(request) if may_be_left and not remembered else settle_lease
        this = replace(call, params=resolved.params, attempt=attempts + 1)
        envelope = attempt(this, governor, settings, settle)
        envelope.update(resolved.extras)
    except NoLookupBudget as busy:
        raise back_to_wait(call, request, lane, str(busy), busy.seconds) from None
    except (Throttled, Unavailable, Unauthorized) as error:
        over = retry_or_give_up(call, request, error, attempts, settings)
        if isinstance(over, Unavailable):
            count_attempts(call, attempts + 1)
            forget()
        raise over from None
    except KlaviyoError as error:
        if isinstance(error, Forbidden):
            pause_if_all_forbidden(error)
        count_attempts(call, attempts + 1)
        forget()
        raise
    count_attempts(call, attempts + 1)
    if not ending.is_left(call.task_id):
        require_memory(call, request, lane, claim, envelope)
        forget()
    return envelope


def count_attempts(call: Call, count: int) -> None:
    """Tell the meters how many attempts a call took that has ended."""
    for meter in meters:
        meter.attempts(call.declaration.name, count)


def retry_or_give_up(
    call: Call, request: Any, error: Throttled | Unavailable | Unauthorized, attempts: int, settings: Settings
) -> Retry | Ignore | Unavailable:
    """Return what to raise for a task that Klaviyo did not let through: it waits again, or has used its attempts."""
    lane = lane_of(request)
    if isinstance(error, Unavailable):
        if attempts + 1 >= settings.max_attempts:
            return given_up(error, attempts + 1)
        return back_to_wait(call, request, lane, str(error), backoff(attempts, settings), attempt=True)
    if isinstance(error, Unauthorized):
        pause_account(error)
    return back_to_wait(call, request, lane, str(error), 0.0)


def ends_without_follower(call: Call, request: Any) -> bool:
    """Return True if nothing follows a delivery's success, and a worker's death before it is stored does no harm."""
    if not ending.may_be_left() or request.callbacks or request.chain or request.chord:
        return False
    return call.repeat.blindly


def leave_success(request: Any) -> Settle:
    """Return how to settle: a success is left to `worker.process.ending`, anything else is settled at once."""

    def settle(call: Call, governor: Governor, end: Settlement, envelope: Envelope | None) -> None:
        if envelope is None or (call.declaration.reads and size_if_large(envelope)):
            settle_lease(call, governor, end, envelope)
        else:
            over = End(call.task_id, Delivery(*getattr(request, DELIVERY)), end)
            ending.leave(over, lambda adopted: log_adopted(call, adopted), begin_settle())

    return settle


def require_memory(call: Call, request: Any, lane: str, claim: Claim, envelope: Envelope) -> None:
    """Check that Redis has room for a large result, unless it is that of a write.

    Raises:
        Retry, Ignore: there is none; the task waits again.

    """
    if not call.declaration.reads or request.get("ignore_result"):
        return
    if (size := size_if_large(envelope)) and not has_memory():
        raise back_to_wait(call, request, lane, full_reason(size), retry_delay(claim.roomless), roomless=True)


def expires(request: Any) -> bool:
    """Return True if the governor knows when this delivery's task expires."""
    return bool((request.get(HEADER) or {}).get("expires") or request.get(EXPIRES))


def back_to_wait(
    call: Call,
    request: Any,
    lane: str,
    reason: str,
    delay: float,
    attempt: bool = False,
    expires: Expiry | None = None,
    roomless: bool = False,
) -> Retry | Ignore:
    """Move the task's message back to its waiting list. Return the exception that tells Celery and Flower."""
    delivery = Delivery(*getattr(request, DELIVERY))
    line = (call.line.name, call.line.spec)
    together = together_with(call, request)
    parked = get_governor().park(
        delivery, line, lane, call.task_id, delay,
        at_head=True, attempt=attempt, expires=expires, roomless=roomless, together=together,
    )  # fmt: skip
    if parked is None:
        return Ignore(reason)
    when = datetime.now(UTC) + timedelta(seconds=delay) if delay else None
    return Retry(reason, exc=WaitingReason(reason), when=when)


def together_with(call: Call, request: Any) -> Together:
    """What a delivery's call can share a request with: what its publisher said, if that was one of ours.

    Nothing where it is not the call's own task that waits, but a step of something larger.
    """
    name = str(request.get("task")).removeprefix(TASK_PREFIX)
    if name not in (call.declaration.name, *call.declaration.names_2024):
        return ALONE
    wait = request.get(HEADER)
    if isinstance(wait, Mapping):
        return together_of(wait)
    return traveling(call.declaration, call.account, call.params, not call.repeat.blindly, together_asked(request))


def outcome(end: Envelope | KlaviyoError) -> bytes:
    """Return how a call has ended that traveled with others, as it is kept for the worker that ends its task."""
    if isinstance(end, KlaviyoError):
        return orjson.dumps({"error": type(end).__name__, "args": end.args})
    return orjson.dumps({"envelope": end})


def reached(kept: str) -> Envelope:
    """Return the envelope of a call that has ended, or raise its error."""
    told: dict[str, Any] = orjson.loads(kept)
    if "error" in told:
        raise rebuild(told["error"], told["args"])
    return Envelope(told["envelope"])


def pause_account(error: Unauthorized | Forbidden) -> None:
    """Pause an account whose credentials Klaviyo refuses, try a task now and then, and tell the operator."""
    alias, governor = error.account, get_governor()
    owner, what = account(get_settings(), alias), f"account:{alias}"
    if isinstance(error, CredentialsFailed):
        why, remedy = error.why, error.remedy or owner.renewing
    else:
        checking = "check its key at Klaviyo first; if that is no longer valid, " if owner.uses_key else ""
        why, remedy = answer_in_brief(error), checking + owner.renewing
    news = governor.pause(
        what, A_WORKER, why, since=time.time(), probe=FIRST_PROBE_S, key=owner.fingerprint, remedy=remedy
    )
    if news:
        logger.error(
            "Account %s is paused and its tasks wait: %s %s Until then one task is tried at least once a minute.",
            alias, error, how_to_resume(what, remedy),
        )  # fmt: skip


def answer_in_brief(error: Answered) -> str:
    """Return what Klaviyo answered, in a few words."""
    said = next((each.get("detail") or each.get("title") for each in error.errors), None)
    return f"Klaviyo answered {error.status} to {error.action}" + (f": {said}" if said else "")


def pause_if_all_forbidden(error: Forbidden) -> None:
    """Pause an account if Klaviyo answers 403 to all of its requests, not just to one that lacks a scope."""
    governor = get_governor()
    if governor.count_forbidden(error.account) >= MAX_FORBIDDEN_IN_A_ROW:
        pause_account(error)


class Revoked(Ignore):
    """The task was revoked, or has expired: it ends as REVOKED, and nothing is sent (`worker.revocation`)."""

    def __init__(self, reason: str, expired: bool) -> None:
        super().__init__(reason, expired)
        self.reason = reason
        self.expired = expired


class WaitingReason(KlaviyoError):
    """Why a task waits, as Flower shows it beside RETRY. Not an error."""
