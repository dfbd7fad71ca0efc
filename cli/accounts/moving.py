"""A stored account moves to another Redis: what it has begun ends at the old one, new calls wait at the new one.

So only its windows and its failures have to be carried over. Every step can be repeated: after an interruption, the
same command goes on.
"""

from __future__ import annotations

import getpass
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from schedules.sync_requests import SyncRequest, load
from tasks.jobs.import_runs import get_runs
from tasks.jobs.ledger import get_ledger
from worker.accounts.credentials import DEFAULT, Account
from worker.accounts.stored import CACHED_S, get_account_store
from worker.errors import SettingsError
from worker.failures.kept import drop_these, failures_of_account, keep
from worker.governor import KEY_PREFIX, get_governor
from worker.message_headers import ACCOUNT, HEADER
from worker.messages import unpacked
from worker.pauses import describe, resume_command
from worker.process.divided import require_different
from worker.redis.connection import get_redis
from worker.redis.homes import at_each, at_redis, here
from worker.redis.patience import waits_for_redis
from worker.settings import get_settings
from worker.tiers import DEFAULT_QUEUE, QUEUES

#: Seconds for which nothing of an account must be left: by then every process has noticed where it lives now.
QUIET_S = 2 * CACHED_S

#: Seconds between two counts of what is left.
COUNT_INTERVAL_S = 0.5

#: What is stored of an account besides its grant.
_KEPT = ("api_key", "company_id", "timezone", "conversion_metric", "weight")

#: What the new Redis has to know of a bucket, and which of these are times.
_KNOWN, _TIMES = ("limit", "foreign", "foreign_until", "urgent"), ("foreign_until", "urgent")


def begin_move(alias: str, to: str) -> str:
    """Let an account live on another Redis, where its calls wait until it has moved. Return the name of the old one.

    Raises:
        SettingsError: the account is not stored, lives there already, is paused, or shares its budget.

    """
    settings = get_settings()
    if to not in settings.redis_names:
        raise SettingsError(f"there is no Redis {to!r} (known: {', '.join(settings.redis_names)})")
    stored = at_each(lambda: get_account_store().read(alias))
    found = {name: account for name, account in stored.items() if account}
    left = [name for name, each in found.items() if each.moved_to == to and name != to]
    source = left[0] if left else next((name for name in found if name != to), None)
    if source is None:
        there = f"already lives on {to}" if found else "is not stored"
        raise SettingsError(f"account {alias!r} {there}")
    require_different(source, to)
    with at_redis(source):
        _require_movable(alias)
    with at_redis(to):
        get_governor().pause(_pause_target(alias), getpass.getuser(), _pause_reason(source), since=time.time())
        if source not in left:
            _store(found[source])
    with at_redis(source):
        get_account_store().change(alias, moved_to=to)
    return source


def _require_movable(alias: str) -> None:
    for pause in get_governor().paused():
        if pause.what == _pause_target(alias) or pause.what.startswith(f"action:{alias}:"):
            raise SettingsError(
                f"the {describe(pause.what)} is paused on {here()}, so what waits there would never end: "
                f"{resume_command(pause.what)}"
            )
    shared: Any = get_redis().hgetall(f"{KEY_PREFIX}shared")
    others = {each.decode() for pair in shared.items() if alias.encode() in pair for each in pair} - {alias}
    if others:
        raise SettingsError(
            f"account {alias!r} shares its budget with {', '.join(sorted(others))}, since their keys belong to one "
            "company; only one Redis can keep a budget, so it cannot move"
        )


def _store(account: Account) -> None:
    values = {name: getattr(account, name) for name in _KEPT}
    get_account_store().change(account.alias, **values, grant=account.grant, moved_to="")


def until_all_has_ended(alias: str, source: str) -> Iterator[Counter[str]]:
    """Wait until nothing of an account has been left on its old Redis for a while; yield what still is there."""
    quiet_since: float | None = None
    while quiet_since is None or time.monotonic() - quiet_since < QUIET_S:
        with at_redis(source):
            left = what_is_left(alias)
        quiet_since = None if left else quiet_since or time.monotonic()
        if left:
            yield left
        time.sleep(COUNT_INTERVAL_S)


def what_is_left(alias: str) -> Counter[str]:
    """Count what was begun for an account on the current Redis and has not ended."""
    mine = f"{alias}:"
    left = Counter[str]()
    left["tasks"] = sum(sum(counts) for line, counts in get_governor().counts().items() if line.startswith(mine))
    left["requests"] = _count(_leases(), lambda lease: lease.partition("|")[2].startswith(mine))
    left["messages"] = _count(_messages(), lambda message: _account(message) == alias)
    left["jobs"] = _count(get_ledger().all_in_progress(), lambda job: job.account == alias)
    left["imports"] = _count(get_runs().recent(), lambda run: run.account == alias and not run.ended)
    left["syncs"] = _count(_syncs(), lambda asked: asked.account == alias and not asked.is_over)
    return +left


def _count(found: Iterable[Any], is_mine: Callable[[Any], bool]) -> int:
    return sum(map(is_mine, found))


@waits_for_redis
def _leases() -> list[str]:
    found: Any = get_redis().hvals(f"{KEY_PREFIX}lease")
    return [each.decode() for each in found]


def _syncs() -> Iterator[SyncRequest]:
    start = f"{KEY_PREFIX}sync:"
    for key in get_redis().scan_iter(match=f"{start}*", count=1_000):
        if request := load(key.decode().removeprefix(start)):
            yield request


@waits_for_redis
def _messages() -> list[bytes]:
    """The messages that workers hold or can take."""
    client: Any = get_redis()
    held = [orjson.dumps(orjson.loads(each)[0]) for each in client.hvals(f"{KEY_PREFIX}unacked")]
    return held + [each for queue in (DEFAULT_QUEUE, *QUEUES) for each in client.lrange(queue, 0, -1)]


def _account(message: bytes) -> str:
    """The account of a message; an empty string if it cannot be read."""
    try:
        headers, _, _, kwargs, _ = unpacked(message)
        wait = headers.get(HEADER) or {}
        return str(wait.get("account") or headers.get(ACCOUNT) or kwargs.get("account") or DEFAULT)
    except (ValueError, LookupError, TypeError, AttributeError, zlib.error):
        return ""


def finish_move(alias: str, source: str, to: str) -> None:
    """Carry over what is known of an account's windows, and its failures; let its calls go on at its new Redis."""
    with at_redis(source):
        buckets = _read_buckets(alias)
        began = get_governor().now()
    with at_redis(to):
        ahead = get_governor().now() - began
        _write_buckets(buckets, ahead)
    with at_redis(source):
        before, failures = get_account_store().read(alias), failures_of_account(alias)
    with at_redis(to):
        if before:
            _take_fresh_token(before)
        for group, failure in failures:
            keep(group, failure)
    with at_redis(source):
        drop_these([failure.id for _, failure in failures])
    with at_redis(to):
        # A pause that was made meanwhile stays.
        if any(
            pause.what == _pause_target(alias) and pause.why == _pause_reason(source)
            for pause in get_governor().paused()
        ):
            get_governor().resume(_pause_target(alias))
    with at_redis(source):
        get_account_store().remove(alias)


def _take_fresh_token(before: Account) -> None:
    """Take over a token that was refreshed during the move: each refresh makes the token before it worthless."""
    store = get_account_store()
    now, grant = store.read(before.alias), before.grant
    if now and grant and now.grant and grant.id == now.grant.id and grant.obtained > now.grant.obtained:
        store.change(before.alias, grant=grant)


#: By bucket: the times of its answers, what else is known of it, and until when it is blocked.
_Buckets = dict[str, tuple[list[int], dict[str, int], int | None]]


@waits_for_redis
def _read_buckets(alias: str) -> _Buckets:
    client: Any = get_redis()
    start, found = f"{KEY_PREFIX}bucket:", _Buckets()
    for key in client.scan_iter(match=f"{start}{alias}:*", count=1_000):
        name = key.decode().removeprefix(start)
        known = {each: value for each, value in zip(_KNOWN, client.hmget(key, _KNOWN), strict=True) if value}
        times, blocked = client.lrange(f"{KEY_PREFIX}ring:{name}", 0, -1), client.hget(f"{KEY_PREFIX}blocked", name)
        if client.hexists(f"{KEY_PREFIX}block_reasons", name):
            blocked = None  # not by Klaviyo: where the account goes, its first task finds out whether that is so there
        numbers = {each: int(float(value)) for each, value in known.items()}
        found[name] = [int(each) for each in times], numbers, int(float(blocked)) if blocked else None
    return found


@waits_for_redis
def _write_buckets(buckets: _Buckets, ahead: int) -> None:
    """Write them by a clock that is ``ahead`` ms ahead of the one by which they were read.

    A bucket with a later answer was written before, and has been used since: whoever repeats the end of a move must
    not forget these requests.
    """
    client: Any = get_redis()
    latest = {name: client.lindex(f"{KEY_PREFIX}ring:{name}", 0) for name in buckets}
    with client.pipeline(transaction=True) as pipe:
        for name, (times, known, blocked) in buckets.items():
            if (last := latest[name]) and (not times or int(last) > times[0] + ahead):
                continue
            ring = f"{KEY_PREFIX}ring:{name}"
            pipe.delete(ring)
            if times:
                pipe.rpush(ring, *(each + ahead for each in times))
            for each, number in known.items():
                pipe.hset(f"{KEY_PREFIX}bucket:{name}", each, str(number + ahead if each in _TIMES else number))
            if blocked is not None:
                pipe.hset(f"{KEY_PREFIX}blocked", name, str(blocked + ahead))
        pipe.execute()


def _pause_reason(source: str) -> str:
    """Why what is new waits."""
    return f"it is moving here from {source}"


def _pause_target(alias: str) -> str:
    return f"account:{alias}"
