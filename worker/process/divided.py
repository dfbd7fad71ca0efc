"""Checks of how accounts are divided over several Redis: which are one, and what belongs together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import chain
from typing import Any

from worker.accounts.companies import find_parted
from worker.accounts.lookup import configured
from worker.errors import SettingsError
from worker.governor import get_governor
from worker.pauses import owner
from worker.process.checks import Finding
from worker.redis.absence import without_those_away
from worker.redis.called import called_here, known_here
from worker.redis.connection import AWAY, address, get_redis, redis_variable
from worker.redis.homes import ask_each, here, home_of_configured
from worker.settings import Settings, get_settings


def check_division(settings: Settings) -> Iterator[Finding]:
    """Check all of it; what is away is left out."""
    checks = check_addresses, check_removed, check_companies, check_strays
    return chain.from_iterable(check(settings) for check in checks)


def check_addresses(settings: Settings) -> Iterator[Finding]:
    """Check whether the Redis of the settings are different ones, and those that running workers have."""
    with without_those_away(), suppress(*AWAY):
        said = [f"{_one_of(names)}." for names in find_twins()] if settings.redis_urls else []
        # Of twins it is known already that they have two names.
        called = {} if said else ask_each(called_here)
        said += [_called(name, other) for name, others in called.items() for other in sorted(others - {name})]
        return iter([Finding("wrong", "Redis", text) for text in said])
    return iter(())


def check_removed(settings: Settings) -> Iterator[Finding]:
    """Check whether a Redis was taken out of the settings lately, where tasks may wait still."""
    with without_those_away(), suppress(*AWAY):
        known = [each for found in ask_each(known_here).values() for each in found.items()]
        until = {name: max(at for each, at in known if each == name) for name, _ in known}
        gone = sorted(until.keys() - {*settings.redis_names})
        return iter([Finding("warning", "Redis", _removed(name, until[name])) for name in gone])
    return iter(())


def _called(name: str, other: str) -> str:
    return (
        f"running workers call the one at {address(name)} {other}, and here it is {name}: with different settings, two "
        "Redis may work for one account, and exceed its limits. Give all processes the same KLAVIYO_REDIS_URL and "
        "KLAVIYO_REDIS_URLS, and each worker the KLAVIYO_REDIS_NAME of its own."
    )


def _removed(name: str, until: float) -> str:
    moment = datetime.fromtimestamp(until).astimezone()
    return (
        f"workers had one called {name} in their settings until {moment:%Y-%m-%d %H:%M %Z}, and it is not in these: "
        f"what waits there nobody shows. If that was not the end of it, set {redis_variable(name)} again."
    )


def check_companies(settings: Settings) -> Iterator[Finding]:
    """Check whether accounts that share the limits of one company live on one Redis."""
    with without_those_away(), suppress(*AWAY):
        return iter([Finding("warning", "limits", f"{parted}.") for parted in find_parted(settings)])
    return iter(())


def check_strays(settings: Settings) -> Iterator[Finding]:
    """Check whether tasks wait at one Redis of an account that the settings have living on another."""
    with without_those_away(), suppress(*AWAY):
        found = ask_each(lambda: _strays(settings)) if settings.redis_urls else {}
        return iter(
            [
                Finding("warning", f"account {alias}", _stray(alias, count, name, home_of_configured(settings, alias)))
                for name, counts in found.items()
                for alias, count in counts.items()
            ]
        )
    return iter(())


def _strays(settings: Settings) -> Counter[str]:
    """How many tasks wait here, by account, of those that live elsewhere."""
    others = {alias for alias in configured(settings) if home_of_configured(settings, alias) != here()}
    found = Counter[str]()
    for line, counts in get_governor().counts().items():
        if (alias := owner(line)[0]) in others:
            found[alias] += sum(counts)
    return +found


def _stray(alias: str, count: int, name: str, home: str) -> str:
    return (
        f"{count:,} of its tasks {'waits' if count == 1 else 'wait'} on the Redis {name}, though it lives on {home}: "
        "neither knows what the other sends, so that together they exceed its limits. Its setting was changed while "
        f"they waited, or whoever published them has another one. `klaviyo pause --account {alias}` holds up those "
        f"on {home} until they have ended."
    )


def find_twins() -> list[list[str]]:
    """Return the names of those that are one and the same, however their addresses are spelled."""
    names = defaultdict[tuple[str, int], list[str]](list)
    for name, which in ask_each(_identity).items():
        names[which].append(name)
    return [each for each in names.values() if len(each) > 1]


def require_different(*names: str) -> None:
    """Require that these are different ones.

    Raises:
        SettingsError: two of them are one.

    """
    for twins in find_twins():
        if len({*twins} & {*names}) > 1:
            raise SettingsError(_one_of(twins))


def _identity() -> tuple[str, int]:
    info: Any = get_redis().info("server")
    return str(info["run_id"]), get_settings().redis.db


def _one_of(names: list[str]) -> str:
    return (
        f"{' and '.join(names)} are one Redis under two addresses, so that everything on it is there twice: take one "
        "of them out of KLAVIYO_REDIS_URLS"
    )
