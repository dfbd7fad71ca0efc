"""On which Redis an account lives, where there are several, and what is done there.

An account of the settings lives where they say, one that is stored where it is stored. While it moves it is stored
twice: then it lives where it does not say that it has moved (`worker.accounts.stored`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from worker.accounts.credentials import DEFAULT
from worker.accounts.stored import get_account_store
from worker.errors import SettingsError
from worker.process.state import working
from worker.redis.connection import AWAY
from worker.redis.elsewhere import MAIN, at, elsewhere
from worker.redis.patience import asking_redis_once
from worker.setting_names import alias_of
from worker.settings import Settings, get_settings

T = TypeVar("T")

#: What Celery's options have of a call that is a part of something larger, whose other parts must be on the same Redis.
_PARTS = ("chain", "chord", "group_id", "link", "link_error")


def home_of(name: str | None) -> str:
    """The name of the Redis on which an account lives; for one that nobody knows, that of this process.

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
    for each in everywhere():
        with at_redis(each), nullcontext() if working.is_set() else asking_redis_once():
            try:
                if (found := get_account_store().find(alias)) and not found.moved_to:
                    return each
            except AWAY as error:
                away = error
    if away:
        raise SettingsError(f"where account {alias!r} is stored cannot be asked: {away}")
    return MAIN if alias == DEFAULT else settings.redis_name


def home_of_configured(settings: Settings, alias: str) -> str:
    """The name of the Redis on which an account of the settings lives."""
    found = settings.accounts.get(alias)
    return (found.redis if found else None) or MAIN


def at_home(name: str | None) -> AbstractContextManager[None]:
    """Turn to the Redis on which an account lives."""
    settings = get_settings()
    return at_redis(home_of(name)) if settings.redis_urls else nullcontext()


def at_redis(name: str) -> AbstractContextManager[None]:
    """Turn to the Redis of this name."""
    return at(None if name == get_settings().redis_name else name)


def at_home_of_call(name: str | None, options: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Turn to the Redis to which a call goes, of an account and with these options of Celery's.

    Raises:
        SettingsError: it would be parted there from what follows it, or what it follows.

    """
    settings = get_settings()
    if not settings.redis_urls or (home := home_of(name)) == here():
        return nullcontext()
    from celery._state import get_current_worker_task  # what looks at a Redis alone needs no Celery

    alias = alias_of(name or DEFAULT)
    if get_current_worker_task() or any(options.get(each) for each in _PARTS):
        raise SettingsError(
            f"account {alias!r} lives on the Redis {home!r}, and the chain, group or chord is on {here()!r}: "
            f"make it within `with worker.redis.homes.at_home({alias!r})`, of tasks of accounts that live there"
        )
    return at_redis(home)


def here() -> str:
    """The name of the Redis that is turned to."""
    return elsewhere() or get_settings().redis_name


def everywhere() -> list[str]:
    """The name of every Redis, this process's own first."""
    settings = get_settings()
    return sorted(settings.redis_names, key=lambda name: name != settings.redis_name)


def at_each(do: Callable[[], T]) -> dict[str, T]:
    """Do something at one Redis after the other. Return what came of it, by their names."""
    done = dict[str, T]()
    for name in everywhere():
        with at_redis(name):
            done[name] = do()
    return done


def gathered(read: Callable[[], Iterable[T]]) -> list[T]:
    """What is read at one Redis after the other, in one list."""
    return [each for found in at_each(lambda: list(read())).values() for each in found]


def first(find: Callable[[], T | None]) -> T | None:
    """What is found at the first Redis that has it; None if none has."""
    for name in everywhere():
        with at_redis(name):
            if (found := find()) is not None:
                return found
    return None
