"""On which Redis an account lives, where there are several, and what is done there.

An account of the settings lives where they say, a stored one where it is stored. While it moves it is stored twice, and
lives where its row does not say that it has moved (`worker.accounts.stored`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from worker.accounts.credentials import DEFAULT
from worker.accounts.stored import get_account_store
from worker.errors import SettingsError
from worker.process.state import working
from worker.redis.absence import lately_away, missing_here, remember
from worker.redis.connection import AWAY
from worker.redis.elsewhere import MAIN, at, elsewhere
from worker.redis.patience import asking_redis_once
from worker.setting_names import alias_of
from worker.settings import Settings, get_settings

T = TypeVar("T")

#: Celery's options of a call that is part of something larger, whose other parts must be on the same Redis.
_PARTS = ("chain", "chord", "group_id", "link", "link_error")


def home_of(name: str | None) -> str:
    """Return the name of the Redis on which an account lives; for an unknown account, that of this process.

    Raises:
        SettingsError: it is stored on none of those that can be asked, and another is away.

    """
    settings = get_settings()
    if not settings.redis_urls:
        return settings.redis_name
    alias = alias_of(name or DEFAULT)
    if alias in settings.accounts or (alias == DEFAULT and (settings.api_key or settings.company_id)):
        return home_of_configured(settings, alias)
    away: Exception | None = None
    for each in _asked_in_turn():
        began = time.monotonic()
        try:
            with at_redis(each), nullcontext() if working.is_set() else asking_redis_once():
                if (found := get_account_store().find(alias)) and not found.moved_to:
                    return each
        except AWAY as error:
            away = error
            remember(each, error, time.monotonic() - began)
    if away:
        raise SettingsError(f"where account {alias!r} is stored cannot be asked: {away}")
    return MAIN if alias == DEFAULT else settings.redis_name


def home_of_configured(settings: Settings, alias: str) -> str:
    """Return the name of the Redis on which an account of the settings lives."""
    found = settings.accounts.get(alias)
    return (found.redis if found else None) or MAIN


def at_home(name: str | None) -> AbstractContextManager[None]:
    """Make the Redis on which an account lives the current one."""
    settings = get_settings()
    return at_redis(home_of(name)) if settings.redis_urls else nullcontext()


def at_redis(name: str) -> AbstractContextManager[None]:
    """Make the Redis of this name the current one."""
    return at(None if name == get_settings().redis_name else name)


def at_home_of_call(name: str | None, options: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Make the Redis of a call's account the current one; ``options`` are Celery's.

    Raises:
        SettingsError: the call follows something, or something follows it, that is on another Redis.

    """
    settings = get_settings()
    if not settings.redis_urls or (home := home_of(name)) == here():
        return nullcontext()
    from celery._state import get_current_worker_task  # imported here: what only looks at Redis needs no Celery

    alias = alias_of(name or DEFAULT)
    if get_current_worker_task() or any(options.get(each) for each in _PARTS):
        raise SettingsError(
            f"account {alias!r} lives on the Redis {home!r}, but its chain, group or chord is on {here()!r}: "
            f"make that within `with worker.redis.homes.at_home({alias!r})`, of tasks of accounts that live there"
        )
    return at_redis(home)


def here() -> str:
    """Return the name of the current Redis."""
    return elsewhere() or get_settings().redis_name


def everywhere() -> list[str]:
    """Return the name of every Redis, this process's own first."""
    settings = get_settings()
    return sorted(settings.redis_names, key=lambda name: name != settings.redis_name)


def _asked_in_turn() -> list[str]:
    """The names of all; one that is away comes last, so that it keeps nobody waiting for what is elsewhere."""
    return sorted(everywhere(), key=lambda name: lately_away(name) is not None)


def at_each(do: Callable[[], T]) -> dict[str, T]:
    """Do something at one Redis after the other. Return what came of it, by their names.

    Raises:
        redis.RedisError: one is away; it was done at all others.

    """
    done, away, names = dict[str, T](), list[Exception](), everywhere()
    for name in names:
        try:
            # A command that can go on without one does not wait for it either.
            with at_redis(name), asking_redis_once() if missing_here() and len(names) > 1 else nullcontext():
                done[name] = do()
        except AWAY as error:
            away.append(error)
    if away:
        raise away[0]
    return done


def ask_each(read: Callable[[], T]) -> dict[str, T]:
    """Read something at one Redis after the other. Return what each says, by their names.

    Raises:
        redis.RedisError: none can be asked, or one cannot outside of `worker.redis.absence.without_those_away`.

    """
    names, missing = everywhere(), missing_here()
    if missing is None or len(names) == 1:
        return at_each(read)
    found = dict[str, T]()
    for name in names:
        if missing.leaves_out(name):
            continue
        began = time.monotonic()
        try:
            with at_redis(name), asking_redis_once():
                found[name] = read()
        except AWAY as error:
            missing.add(name, error, time.monotonic() - began)
    if not found:
        raise missing.errors[names[0]]
    return found


def gathered(read: Callable[[], Iterable[T]]) -> list[T]:
    """What is read at one Redis after the other, in one list; `ask_each` says what becomes of one that is away."""
    return [each for found in ask_each(lambda: list(read())).values() for each in found]


def first(find: Callable[[], T | None]) -> T | None:
    """What is found at the first Redis that has it; None if none has.

    Raises:
        redis.RedisError: it is not where it can be looked for, and one is away.

    """
    away: Exception | None = None
    for name in _asked_in_turn():
        began = time.monotonic()
        try:
            with at_redis(name), asking_redis_once() if get_settings().redis_urls else nullcontext():
                if (found := find()) is not None:
                    return found
        except AWAY as error:
            away = error
            remember(name, error, time.monotonic() - began)
    if away:
        raise away
    return None
