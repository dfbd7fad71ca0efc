"""What is shown of an account: its credentials' kind, whether its tasks are sent, its scopes; nothing secret. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from worker.accounts.credentials import Account
from worker.governor import Pause


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account. Times are in seconds since 1970, None where there is none.

    ``scopes``: its grant's, None if only Klaviyo knows them. ``expires``: when its access token does, which is
    refreshed before that. ``used``: when a worker was last given one of its tasks. ``weight``: its shares of the
    workers.
    """

    alias: str
    kind: str
    where: str
    state: str
    scopes: list[str] | None
    expires: float | None
    used: float | None
    weight: int = 1


def account_rows(
    accounts: Iterable[Account], pauses: Iterable[Pause], used: Mapping[str, float]
) -> Iterator[AccountRow]:
    """Yield a row for each account; ``used`` is in seconds since 1970, by alias."""
    paused = {each.what.removeprefix("account:"): each for each in pauses if each.what.startswith("account:")}
    for each in accounts:
        yield AccountRow(
            each.alias,
            credentials_of(each),
            "store" if each.generation else "settings",
            state_of(each, paused.get(each.alias)),
            sorted(each.grant.scopes) if each.grant else None,
            each.grant.expires if each.grant else None,
            used.get(each.alias),
            each.weight,
        )


def credentials_of(account: Account) -> str:
    """Return what can authorize an account's requests."""
    has = (("private key", account.api_key), ("OAuth", account.grant), ("company id", account.company_id))
    return " and ".join(name for name, value in has if value)


def state_of(account: Account, pause: Pause | None) -> str:
    """Return whether an account's tasks are sent; why not, and what to do then."""
    if pause:
        return f"{pause.cause}. {pause.how_to_resume}"
    if account.unreadable:
        return account.unreadable
    return "ready" if account.api_key or account.grant or account.company_id else "no credentials"


def last_used(served: Mapping[str, float]) -> dict[str, float]:
    """Return when each account was last served, by its alias; ``served`` has that of each waiting list."""
    found: dict[str, float] = {}
    for line, moment in served.items():
        alias = line.partition(":")[0]
        found[alias] = max(moment, found.get(alias, 0.0))
    return found
