"""Checks of how accounts are divided over several Redis: which are one, and what belongs together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

from worker.accounts.companies import find_parted
from worker.connection import AWAY, get_redis
from worker.errors import SettingsError
from worker.process.checks import Finding
from worker.redis.absence import without_those_away
from worker.redis.homes import ask_each
from worker.settings import Settings, get_settings


def check_division(settings: Settings) -> Iterator[Finding]:
    """Check both; what is away is left out."""
    return chain(check_addresses(settings), check_companies(settings))


def check_addresses(settings: Settings) -> Iterator[Finding]:
    """Check whether the Redis of the settings are different ones."""
    with without_those_away(), suppress(*AWAY):
        found = find_twins() if settings.redis_urls else []
        return iter([Finding("wrong", "Redis", f"{_one_of(names)}.") for names in found])
    return iter(())


def check_companies(settings: Settings) -> Iterator[Finding]:
    """Check whether accounts that share the limits of one company live on one Redis."""
    with without_those_away(), suppress(*AWAY):
        return iter([Finding("warning", "limits", f"{parted}.") for parted in find_parted(settings)])
    return iter(())


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
    told: Any = get_redis().info("server")
    return str(told["run_id"]), get_settings().redis.db


def _one_of(names: list[str]) -> str:
    return (
        f"{' and '.join(names)} are one Redis under two addresses, so that everything on it is there twice: take one "
        "of them out of KLAVIYO_REDIS_URLS"
    )
