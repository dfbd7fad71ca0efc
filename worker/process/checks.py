"""Checks of what a worker needs, settings and Redis: for `klaviyo check` and for the log of a worker that starts.

Klaviyo is not asked: a key that it refuses shows by itself as soon as there is work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import redis

from worker.accounts.lookup import NO_ACCOUNT, account, configured
from worker.accounts.stored import get_account_store
from worker.errors import SettingsError
from worker.governor import get_governor
from worker.pauses import describe
from worker.process import default_queue
from worker.redis.connection import MINIMUM_VERSION, address, get_redis, unreachable
from worker.settings import Settings, misspelled_settings

#: ``bad``: work fails by it. ``wrong``: so it does, and a setting is to blame.
Level = Literal["good", "warning", "bad", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found."""

    level: Level
    what: str
    text: str


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Check what the settings say by themselves. An impossible value is an error, which ends a process at its start."""
    yield Finding("good", "settings", "read; Klaviyo is at " + settings.base_url)
    if said := misspelled_settings():
        yield Finding("warning", "settings", said)
    names = configured(settings)
    if not (names or settings.secret_key):  # with one, there may be stored accounts
        yield Finding("wrong", "account", NO_ACCOUNT)
    for name in names:
        try:
            account(settings, name).key()
        except SettingsError as error:
            # With its company id alone it may be there for /client actions, which need no key.
            level: Level = "warning" if account(settings, name).company_id else "wrong"
            yield Finding(level, f"account {name}", f"{error}.")


def check_redis() -> Iterator[Finding]:
    """Check whether Redis is fit to hold tasks, and what keeps those that wait from being sent."""
    try:
        yield from _check_server(get_redis().info())
    except redis.RedisError as error:
        yield Finding("bad", "Redis", unreachable(error))


def _check_server(info: dict[str, Any]) -> Iterator[Finding]:
    name, version = ("Valkey", info["valkey_version"]) if "valkey_version" in info else ("Redis", info["redis_version"])
    # Valkey calls itself Redis 7.2.4 too, for programs that know only Redis.
    if tuple(int(part) for part in version.split(".")[:2]) < MINIMUM_VERSION:
        needed = ".".join(str(part) for part in MINIMUM_VERSION)
        yield Finding("bad", "Redis", f"version {version} is too old: at least {needed} is needed.")
        return
    # Only the embedded server has no port at all.
    kind = "embedded, on a private socket" if info.get("tcp_port") == 0 else "not embedded"
    yield Finding("good", "Redis", f"{name} {version} at {address()} ({kind})")
    yield from _check_role_and_memory(info)
    for pause in get_governor().paused():
        yield Finding("warning", "paused", f"{describe(pause.what)}: {pause.cause}. {pause.how_to_resume}")
    yield from _check_stored_accounts()
    messages: Any = get_redis().lrange(default_queue.QUEUE, 0, default_queue.MAX_MESSAGES - 1)
    if found := default_queue.count_calls(messages):
        yield Finding("warning", "lost calls", default_queue.describe(found))


def _check_stored_accounts() -> Iterator[Finding]:
    for each in get_account_store().all():
        if each.unreadable:
            yield Finding("bad", f"account {each.alias}", f"{each.unreadable}. Until then its tasks wait.")


def _check_role_and_memory(info: dict[str, Any]) -> Iterator[Finding]:
    if info.get("role") == "slave":
        yield Finding("bad", "Redis", "it is a replica, and takes no task: set KLAVIYO_REDIS_URL to the primary.")
    if 0 < info.get("maxmemory", 0) <= info["used_memory"]:
        full = "Redis is full: give it more, or let the workers work off what waits (klaviyo limits)."
        yield Finding("bad", "memory", full)
    policy = info.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        yield Finding("good", "eviction", "noeviction: nothing queued is thrown away")
    else:
        yield Finding(
            "bad",
            "eviction",
            f"maxmemory-policy is {policy}: Redis may throw queued tasks away when its memory is full. "
            "Set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in its configuration).",
        )
    if info.get("aof_enabled"):
        yield Finding("good", "on disk", "append-only file: what is queued survives a restart")
    else:
        yield Finding(
            "warning", "on disk", "no append-only file: what is queued since the last snapshot is lost if Redis dies."
        )
