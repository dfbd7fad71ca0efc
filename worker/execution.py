"""One task in the worker: claim the lease, send, settle, and decide what the answer means for the task.

The way on from here is one of four: the envelope is returned; an error is raised; the task goes back to wait (RETRY
in Flower, with the reason); or, where somebody else has the task by now, nothing is done.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.exceptions import Ignore, Retry
from celery.utils.log import get_logger

from worker import ending, prefetched_leases, tokens
from worker.account_and_lane import PREFIX, checked_id, lane_of, place_of, together_asked
from worker.accounts import DEFAULT, account
from worker.api.declaration import Declaration, Resolved
from worker.api.jsonapi import Envelope, Request, interpret, outcome_unknown, quota
from worker.api.parameters import Params
from worker.api.repeat import Repeat
from worker.backoff import FIRST_PROBE_S, MAX_FORBIDDEN_IN_A_ROW, backoff, retry_after
from worker.calls import delay_of, expiry_of, received
from worker.errors import (
    Forbidden,
    KlaviyoError,
    OutcomeUnknown,
    Paused,
    Refused,
    SettingsError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.governor import ALONE, ANY_KEY, Claim, Delivery, End, Expiry, Governor, Settlement, Together, get_governor
from worker.http_client import get_client, send
from worker.message_headers import ATTEMPT, DELIVERY, EXPIRES, HEADER, tag_of
from worker.meters import meters
from worker.patience import asking_redis_once
from worker.process import closing, working
from worker.redis_memory import full_reason, has_memory, retry_delay, size_if_large
from worker.scopes import learn, require_scopes
from worker.settings import Settings, get_settings
from worker.tiers import Line
from worker.together.traveling import reached, traveling
from worker.traces import begin_settle, trace_wait, tracing_request
from worker.transport import together_of

logger = get_logger(__name__)

#: Not Celery's logger: in a command, where no logging is set up, this one writes to standard error.
direct = logging.getLogger("worker.now")

#: Longest sleep, in seconds, of a process that waits for its turn; a longer wait is logged.
TURN_POLL_S = 5.0


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


#: Settles the lease of a request that has ended; with the envelope if it has succeeded.
Settle = Callable[[Call, Governor, Settlement, Envelope | None], None]


def settle_lease(call: Call, governor: Governor, end: Settlement, envelope: Envelope | None) -> None:
    """Settle the lease of a call whose request has ended, in whatever way."""
    settled = begin_settle()
    if adopted := governor.settle(call.task_id, end, call.holder):
        tell_adopted(call, adopted)
    settled()


def tell_adopted(call: Call, adopted: int) -> None:
    """Log that Klaviyo's headers give another limit than the declaration."""
    logger.warning(
        "Klaviyo allows %s requests a minute for %s on account %s, not %s: adopted.",
        adopted, call.declaration.name, call.account, call.declaration.limits.steady,
        extra={"account": call.account, "action": call.declaration.name, "task_id": call.task_id},
    )  # fmt: skip


def attempt(call: Call, governor: Governor, settings: Settings, settle: Settle = settle_lease) -> Envelope:
    """Send the request of a call whose lease is claimed, and settle the lease whatever happens.

    Raises:
        Throttled: the bucket is blocked now, or there is no access token yet.
        Unavailable: the request may be repeated.
        OutcomeUnknown: it must not be repeated.
        Refused, SettingsError: Klaviyo refuses it, or the settings are wrong.

    """
    try:
        return exchange(call, governor, settings, settle)
    except Unavailable as unavailable:
        raise lost(call, unavailable) from None


def lost(call: Call, unavailable: Unavailable) -> Unavailable | OutcomeUnknown:
    """What it means for a call that its request had no answer."""
    if unavailable.sent and not call.repeat.blindly:
        return outcome_unknown(call.declaration.name, call.account, unavailable, call.repeat.note)
    return unavailable


def exchange(call: Call, governor: Governor, settings: Settings, settle: Settle) -> Envelope:
    """The same, whoever may repeat it: raises what `attempt` does but for `OutcomeUnknown`."""
    name, alias = call.declaration.name, call.account
    end, envelope = Settlement(used=False, forget=True), None
    try:
        owner = tokens.authorized(account(settings, alias), name, governor)
        request = call.prepared or call.declaration.request(call.params)
        # From here on, Klaviyo may have had the request, whatever goes wrong.
        end = Settlement(used=True, unanswered=True)
        with tracing_request(name, alias, request.method, call.declaration.path, call.attempt) as answered:
            response = send(get_client(), owner, name, request)
            if response.status == 401 and tokens.may_renew(owner):
                # It was certainly not carried out, and counts for nobody: Klaviyo does not know whose it was.
                response = send(get_client(), tokens.renew(owner, name, governor), name, request)
            answered(response.status)
        accepted = response.status < 500 and response.status not in (401, 403, 429) and not call.declaration.client_side
        accepted_key = ANY_KEY if working.is_set() else owner.fingerprint
        end = Settlement(used=True, quota=quota(response.headers), accepted_key=accepted_key if accepted else "")
        envelope = interpret(
            name, alias, response.status, response.headers, response.content,
            reads=call.declaration.reads, upserts=call.declaration.upserts,
        )  # fmt: skip
        if unread := envelope.get("unread"):
            logger.warning("%s on account %s was carried out, but its result is not known: %s.", name, alias, unread)
        return envelope
    except Throttled as throttled:
        # The window ends somewhere inside the last of these seconds.
        end = Settlement(used=False, block=retry_after(throttled) + 0.05, forget=True)
        for meter in meters:
            meter.throttled(name, call.line.name)
        raise
    except SettingsError:
        end = Settlement(used=False, forget=True)
        raise
    except Refused:
        end = replace(end, forget=True)
        raise
    except Unavailable as unavailable:
        sent = unavailable.sent
        end = Settlement(used=sent, quota=end.quota, forget=not sent, unanswered=end.unanswered)
        raise
    finally:
        settle(call, governor, end, envelope)


def send_in_process(
    declaration: Declaration, alias: str, params: Params, sleep: Callable[[float], None] = time.sleep
) -> Envelope:
    """Make the request in this process, within everybody's budget, waiting and trying again as a task would."""
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
                if seconds > TURN_POLL_S and not warned:
                    warned = True
                    direct.warning(
                        "Waiting for the turn of %s on account %s: %.0f s at present.", declaration.name, alias, seconds
                    )
                sleep(min(seconds, TURN_POLL_S))
        try:
            envelope = attempt(call, governor, settings)
            envelope.update(extras)
            return envelope
        except Throttled:
            continue
        except Unavailable as unavailable:
            attempts += 1
            if attempts >= settings.max_attempts:
                raise given_up(unavailable, attempts) from None
            sleep(backoff(attempts, settings))


def until_reserved(call: Call, governor: Governor, settings: Settings) -> Iterator[float]:
    """Ask for the lease of a call of this process until it is granted. Yield the seconds to wait before each next try.

    Raises:
        Paused: somebody has paused the account, the action or its tier.

    """
    line = (call.line.name, call.line.spec)
    while seconds := governor.reserve(line, call.task_id, settings.lease_ms):
        yield seconds


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
        name = call.declaration.name
        lost = Unavailable(name, call.account, "the worker that had sent it died before the answer came")
        raise outcome_unknown(name, call.account, lost, call.repeat.note)
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

    ``may_be_left``: the task is over with the answer, so that its end may be left to `worker.ending`.
    """
    settings, governor = get_settings(), get_governor()
    lane = lane_of(request)
    claim = claim_lease(call, request, lane, governor, settings)
    if claim.state == "told":
        # It has travelled with others (`worker.together.riding`).
        governor.done(call.task_id)
        return reached(claim.reason)
    return make_request(call, request, lane, claim, may_be_left)


def make_request(call: Call, request: Any, lane: str, claim: Claim, may_be_left: bool) -> Envelope:
    """Make the request of a call whose lease is claimed, and see what the answer means."""
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
            learn(account(settings, error.account), error, call.declaration.scopes)
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
    """Have the attempts of a call that has ended counted."""
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
    """Return how to settle: a success is left to `worker.ending`, anything else is settled at once."""

    def settle(call: Call, governor: Governor, end: Settlement, envelope: Envelope | None) -> None:
        if envelope is None or (call.declaration.reads and size_if_large(envelope)):
            settle_lease(call, governor, end, envelope)
        else:
            over = End(call.task_id, Delivery(*getattr(request, DELIVERY)), end)
            ending.leave(over, lambda adopted: tell_adopted(call, adopted), begin_settle())

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


def pause_account(error: Unauthorized | Forbidden) -> None:
    """Pause an account whose credentials Klaviyo refuses, try a task now and then, and tell the operator."""
    alias, governor = error.account, get_governor()
    owner, said = account(get_settings(), alias), str(error)
    news = governor.pause(
        f"account:{alias}", "a worker", said, since=time.time(), probe=FIRST_PROBE_S, key=owner.fingerprint
    )
    if news:
        logger.error(
            "Account %s is paused and its tasks wait: %s To let it go on, %s: the account then resumes "
            "by itself. Until then one task is tried at least once a minute.", alias, said, owner.renewing,
        )  # fmt: skip


def pause_if_all_forbidden(error: Forbidden) -> None:
    """Pause an account if Klaviyo answers 403 to all of its requests, not just to one that lacks a scope."""
    governor = get_governor()
    if governor.count_forbidden(error.account) >= MAX_FORBIDDEN_IN_A_ROW:
        pause_account(error)


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
            governor.settle(call.task_id, Settlement(used=False, forget=True), call.holder)
    return resolved


def expires(request: Any) -> bool:
    """Return True if the governor knows when this delivery's task expires."""
    return bool((request.get(HEADER) or {}).get("expires") or request.get(EXPIRES))


def nothing_to_do(resolved: Resolved) -> Envelope:
    """Return the result of a call that turned out to need no request."""
    return Envelope(data=None, error=None, successful=True, **resolved.extras)


def given_up(unavailable: Unavailable, attempts: int) -> Unavailable:
    """Return the same error with the number of attempts that were made."""
    return Unavailable(unavailable.action, unavailable.account, unavailable.reason, unavailable.sent, attempts)


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
    name = str(request.get("task")).removeprefix(PREFIX)
    if name not in (call.declaration.name, *call.declaration.names_2024):
        return ALONE
    told = request.get(HEADER)
    if isinstance(told, Mapping):
        return together_of(told)
    return traveling(call.declaration, call.account, call.params, not call.repeat.blindly, together_asked(request))


class Revoked(Ignore):
    """Nobody wants the task any more: it ends as REVOKED, and nothing is sent (`worker.revocation`)."""

    def __init__(self, reason: str, expired: bool) -> None:
        super().__init__(reason, expired)
        self.reason = reason
        self.expired = expired


class WaitingReason(KlaviyoError):
    """Why a task waits, as RETRY in Flower shows it; no error."""
