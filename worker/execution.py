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

from worker import ending, prefetched_leases
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
    Paused,
    Refused,
    SettingsError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.governor import ANY_KEY, Claim, Delivery, End, Expiry, Governor, Settlement, get_governor
from worker.http_client import get_client, send
from worker.message_headers import DELIVERY, EXPIRES, HEADER, tag_of
from worker.patience import asking_redis_once
from worker.place import checked_id, lane_of, place_of
from worker.process import closing, working
from worker.room import large, no_room, pause, room
from worker.settings import Settings, get_settings
from worker.tiers import Line

logger = get_logger(__name__)

#: Not Celery's: where nothing is set up for logging, as in a command, this one is heard on standard error.
direct = logging.getLogger("worker.now")

#: Seconds between two looks of a process that waits for its turn; a longer wait is told.
SHORT = 5.0


@dataclass(frozen=True, slots=True)
class Call:
    """One action to carry out on one account, with the id under which the governor knows it.

    ``prepared`` is the request where it was made before, by whoever keeps it.
    """

    declaration: Declaration
    account: str
    params: Params
    task_id: str
    holder: str = ""
    prepared: Request | None = None

    @property
    def line(self) -> Line:
        """The waiting list it belongs to."""
        return self.declaration.line(self.account, self.params)

    @property
    def repeat(self) -> Repeat:
        """Whether it may be sent again."""
        return self.declaration.repeat_of(self.params)


#: What becomes of a lease whose request has ended; with the envelope where Klaviyo has said yes.
Settle = Callable[[Call, Governor, Settlement, Envelope | None], None]


def settled(call: Call, governor: Governor, end: Settlement, envelope: Envelope | None) -> None:
    """Settle the lease of a call whose request has ended, however it has."""
    if adopted := governor.settle(call.task_id, end, call.holder):
        tell_adopted(call, adopted)


def tell_adopted(call: Call, adopted: int) -> None:
    """Say that Klaviyo's headers tell of another limit than the declaration."""
    logger.warning(
        "Klaviyo allows %s requests a minute for %s on account %s, not %s: adopted.",
        adopted, call.declaration.name, call.account, call.declaration.limits.steady,
    )  # fmt: skip


def attempt(call: Call, governor: Governor, settings: Settings, settle: Settle = settled) -> Envelope:
    """Send the request of a call whose lease is claimed, and settle the lease whatever happens.

    Raises:
        Throttled: the bucket is blocked now.
        Unavailable: it may be tried again.
        OutcomeUnknown: it may not.
        Refused, SettingsError: Klaviyo, or the settings, say no.

    """
    name, alias = call.declaration.name, call.account
    end, envelope = Settlement(used=False, forget=True), None
    try:
        owner, request = account(settings, alias), call.prepared or call.declaration.request(call.params)
        # From here on whatever goes wrong may have gone wrong after Klaviyo had the request.
        end = Settlement(used=True)
        response = send(get_client(), owner, name, request)
        accepted = response.status < 500 and response.status not in (401, 403, 429) and not call.declaration.client_side
        welcome = ANY_KEY if working.is_set() else owner.fingerprint
        end = Settlement(used=True, quota=quota(response.headers), welcome=welcome if accepted else "")
        envelope = interpret(
            name, alias, response.status, response.headers, response.content,
            reads=call.declaration.reads, upserts=call.declaration.upserts,
        )  # fmt: skip
        if unread := envelope.get("unread"):
            logger.warning("%s on account %s was carried out, and its result is not known: %s.", name, alias, unread)
        return envelope
    except Throttled as throttled:
        # The window ends somewhere inside the last of these seconds.
        end = Settlement(used=False, block=retry_after(throttled) + 0.05, forget=True)
        raise
    except SettingsError:
        end = Settlement(used=False, forget=True)
        raise
    except Refused:
        end = replace(end, forget=True)
        raise
    except Unavailable as unavailable:
        end = Settlement(used=unavailable.sent, quota=end.quota, forget=not unavailable.sent)
        if unavailable.sent and not call.repeat.blindly:
            raise outcome_unknown(name, alias, unavailable, call.repeat.note) from None
        raise
    finally:
        settle(call, governor, end, envelope)


def now(declaration: Declaration, alias: str, params: Params, sleep: Callable[[float], None] = time.sleep) -> Envelope:
    """Make the request in this process, within everybody's budget, waiting and trying again as a task would."""
    settings, governor = get_settings(), get_governor()
    account(settings, alias)
    told: dict[str, Any] = {}
    if declaration.resolve:

        def ask(action: Any, /, **asked: Any) -> Envelope:
            return now(action.declaration, alias, action.declaration.bind(asked), sleep)

        resolved = declaration.resolve(params, ask)
        if resolved.params is None:
            return nothing_to_do(resolved)
        params, told = resolved.params, resolved.told
    call = Call(declaration, alias, params, f"now-{uuid.uuid4()}")
    attempts = 0
    while True:
        warned = False
        with asking_redis_once():  # somebody waits for the answer, and had rather hear at once that Redis is away
            for seconds in until_reserved(call, governor, settings):
                if seconds > SHORT and not warned:
                    warned = True
                    direct.warning(
                        "%s on account %s waits for its turn, %.0f s by now.", declaration.name, alias, seconds
                    )
                sleep(min(seconds, SHORT))
        try:
            envelope = attempt(call, governor, settings)
            envelope.update(told)
            return envelope
        except Throttled:
            continue
        except Unavailable as unavailable:
            attempts += 1
            if attempts >= settings.max_attempts:
                raise given_up(unavailable, attempts) from None
            sleep(backoff(attempts, settings))


def until_reserved(call: Call, governor: Governor, settings: Settings) -> Iterator[float]:
    """Ask for the lease of a call of this process until it is given; yields the seconds to wait before each next try.

    Raises:
        Paused: somebody has paused the account, the action or its tier.

    """
    line = (call.line.name, call.line.spec)
    while seconds := governor.reserve(line, call.task_id, settings.lease_ms):
        yield seconds


def opened(declaration: Declaration, request: Any, args: Sequence[Any], params: Params) -> Call:
    """The call that a delivery asks for.

    What one of our own callers published was checked there; what came by send_task is checked here. The task's id makes
    the ids that are set for it the same in every delivery.

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


def claimed(call: Call, request: Any, lane: str, governor: Governor, settings: Settings) -> Claim:
    """Claim the lease of a delivery.

    Raises:
        Retry, Ignore: it has no lease, there is no room for its result, or the worker is stopping.
        Revoked: nobody wants it any more.
        OutcomeUnknown: it was sent before and must not be sent again.

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
        raise back_to_wait(call, request, lane, "it waits for its turn", delay_of(request), expires=expiry_of(request))
    if claim.state in ("revoked", "expired"):
        raise Revoked(claim.reason or "it expired before its turn came", claim.state == "expired")
    if claim.state == "unknown":
        governor.done(call.task_id)
        name = call.declaration.name
        lost = Unavailable(name, call.account, "the worker that had sent it died before the answer came")
        raise outcome_unknown(name, call.account, lost, call.repeat.note)
    if claim.roomless and not room():
        # Asked for again, it would use up the budget of others for nothing.
        governor.settle(call.task_id, Settlement(used=False, forget=True), call.holder)
        raise back_to_wait(call, request, lane, no_room(), pause(claim.roomless), roomless=True)
    return claim


def run(declaration: Declaration, request: Any, args: Sequence[Any], params: Params) -> Envelope:
    """Carry out one delivery of an action's task.

    Raises:
        Retry: the task waits again; its message is back in its waiting list.
        Ignore: somebody else has the task.
        KlaviyoError: it failed.

    """
    try:
        call = opened(declaration, request, args, params)
    except KlaviyoError:
        prefetched_leases.return_lease(get_governor(), request.id, tag_of(request))
        raise
    return carry_out(call, request, may_be_left=ends_alone(call, request))


def carry_out(call: Call, request: Any, may_be_left: bool = False) -> Envelope:
    """Carry out one delivery of a call; raises as `run` does.

    ``may_be_left``: with the answer its task is over, and its end may be left to `worker.ending`.
    """
    settings, governor = get_settings(), get_governor()
    lane = lane_of(request)
    claim = claimed(call, request, lane, governor, settings)
    attempts = claim.attempts

    remembered = bool(attempts or claim.roomless or expires(request))

    def forget() -> None:
        if remembered:
            governor.done(call.task_id)

    try:
        resolved = resolve(call, governor, settings)
        if resolved.params is None:
            forget()
            return nothing_to_do(resolved)
        settle = left(request) if may_be_left and not remembered else settled
        envelope = attempt(replace(call, params=resolved.params), governor, settings, settle)
        envelope.update(resolved.told)
    except Crowded as crowded:
        raise back_to_wait(call, request, lane, str(crowded), crowded.seconds) from None
    except (Throttled, Unavailable, Unauthorized) as error:
        over = later(call, request, error, attempts, settings)
        if isinstance(over, Unavailable):
            forget()
        raise over from None
    except KlaviyoError as error:
        if isinstance(error, Forbidden):
            forbidden(error)
        forget()
        raise
    if not ending.is_left(call.task_id):
        need_room(call, request, lane, claim, envelope)
        forget()
    return envelope


def later(
    call: Call, request: Any, error: Throttled | Unavailable | Unauthorized, attempts: int, settings: Settings
) -> Retry | Ignore | Unavailable:
    """What to raise of a task that Klaviyo did not let through this time: it waits again, or has been tried enough."""
    lane = lane_of(request)
    if isinstance(error, Unavailable):
        if attempts + 1 >= settings.max_attempts:
            return given_up(error, attempts + 1)
        return back_to_wait(call, request, lane, str(error), backoff(attempts, settings), attempt=True)
    if isinstance(error, Unauthorized):
        refused(error)
    return back_to_wait(call, request, lane, str(error), 0.0)


def ends_alone(call: Call, request: Any) -> bool:
    """Whether nothing follows a delivery's success, and a worker that dies before its end is told does no harm."""
    if not ending.may_be_left() or request.callbacks or request.chain or request.chord:
        return False
    return call.repeat.blindly


def left(request: Any) -> Settle:
    """Leave the end of a success to `worker.ending`, and settle anything else at once."""

    def settle(call: Call, governor: Governor, end: Settlement, envelope: Envelope | None) -> None:
        if envelope is None or (call.declaration.reads and large(envelope)):
            settled(call, governor, end, envelope)
        else:
            over = End(call.task_id, Delivery(*getattr(request, DELIVERY)), end)
            ending.leave(over, lambda adopted: tell_adopted(call, adopted))

    return settle


def need_room(call: Call, request: Any, lane: str, claim: Claim, envelope: Envelope) -> None:
    """See that there is room for a large result, unless it tells of something that has happened.

    Raises:
        Retry, Ignore: there is none; the task waits again.

    """
    if not call.declaration.reads or request.get("ignore_result"):
        return
    if (size := large(envelope)) and not room():
        raise back_to_wait(call, request, lane, no_room(size), pause(claim.roomless), roomless=True)


def refused(error: Unauthorized | Forbidden) -> None:
    """Klaviyo refuses an account's credentials: let its tasks wait, try one now and then, and tell an operator."""
    alias, governor = error.account, get_governor()
    owner, said = account(get_settings(), alias), str(error)
    news = governor.pause(
        f"account:{alias}", "a worker", said, since=time.time(), probe=FIRST_PROBE_S, key=owner.fingerprint
    )
    if news:
        logger.error(
            "Account %s is paused and its tasks wait: %s Set %s, start the workers again, and all goes on by itself; "
            "one task is tried now and then meanwhile, once a minute at least.", alias, said, owner.variable("API_KEY"),
        )  # fmt: skip


def forbidden(error: Forbidden) -> None:
    """Klaviyo lacks a scope for one request; where it says so to all of them, the account's key is good for nothing."""
    governor = get_governor()
    if governor.forbidden(error.account) >= MAX_FORBIDDEN_IN_A_ROW:
        refused(error)


class Crowded(KlaviyoError):
    """What a call has to look up first has no budget now."""

    def __init__(self, action: str, seconds: float) -> None:
        super().__init__(action, seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"it waits for budget of {self.args[0]}, to look something up"


def resolve(call: Call, governor: Governor, settings: Settings) -> Resolved:
    """What ``resolve`` of the declaration makes of a call whose lease is claimed.

    Its requests have leases of their own. They get one lease's time together, after which the task waits again, so
    that its own lease, claimed for three, is still good when the last answer has come.
    """
    if call.declaration.resolve is None:
        return Resolved(call.params, {})
    until = time.monotonic() + settings.lease_ms / 1000

    def ask(action: Any, /, **asked: Any) -> Envelope:
        name, params = action.declaration.name, action.declaration.bind(asked)
        lookup = Call(action.declaration, call.account, params, f"{call.task_id}-{uuid.uuid4()}")
        if time.monotonic() >= until:
            raise Crowded(name, 0.0)
        try:
            for seconds in until_reserved(lookup, governor, settings):
                if closing.wait(min(seconds, 1.0)) or time.monotonic() >= until:
                    raise Crowded(name, seconds)
            return attempt(lookup, governor, settings)
        except Paused:
            raise Crowded(name, FIRST_PROBE_S) from None
        except Throttled as throttled:
            raise Crowded(name, retry_after(throttled)) from None

    resolved = None
    try:
        resolved = call.declaration.resolve(call.params, ask)
    finally:
        if resolved is None or resolved.params is None:
            governor.settle(call.task_id, Settlement(used=False, forget=True), call.holder)
    return resolved


def expires(request: Any) -> bool:
    """Whether the governor knows of an expiry of this delivery's task."""
    return bool((request.get(HEADER) or {}).get("expires") or request.get(EXPIRES))


def nothing_to_do(resolved: Resolved) -> Envelope:
    """The result of a call that turned out to need no request."""
    return Envelope(data=None, error=None, successful=True, **resolved.told)


def given_up(unavailable: Unavailable, attempts: int) -> Unavailable:
    """The same error, told with the number of attempts that were made."""
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
    """Move the task's message back to its waiting list; the exception tells Celery and Flower."""
    delivery = Delivery(*getattr(request, DELIVERY))
    line = (call.line.name, call.line.spec)
    parked = get_governor().park(
        delivery, line, lane, call.task_id, delay, at_head=True, attempt=attempt, expires=expires, roomless=roomless
    )
    if parked is None:
        return Ignore(reason)
    when = datetime.now(UTC) + timedelta(seconds=delay) if delay else None
    return Retry(reason, exc=Waiting(reason), when=when)


class Revoked(Ignore):
    """Nobody wants the task any more: it ends as REVOKED, and nothing is sent (`worker.revocation`)."""

    def __init__(self, reason: str, expired: bool) -> None:
        super().__init__(reason, expired)
        self.reason = reason
        self.expired = expired


class Waiting(KlaviyoError):
    """Not an error: why a task waits, as RETRY in Flower shows it."""
