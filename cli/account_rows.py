"""What is told of an account: its kind, whether it may send, what it may do, until when. Nothing secret. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from worker.credentials import Account
from worker.governor import Pause


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account. Times are in seconds since 1970, None where there is none.

    ``scopes``: those of its grant, None where only Klaviyo knows them. ``expires``: its access token, which is
    refreshed before that. ``used``: when a worker was last given a task of it. ``weight``: its shares of the workers.
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
    """What an account's requests can be authorized with."""
    has = (("private key", account.api_key), ("OAuth", account.grant), ("company id", account.company_id))
    return " and ".join(name for name, value in has if value)


def state_of(account: Account, pause: Pause | None) -> str:
    """Whether an account's tasks are sent, and what to do if they are not."""
    if pause:
        return f"paused by {pause.by}: {pause.why}"
    if account.unreadable:
        return account.unreadable
    return "ready" if account.api_key or account.grant or account.company_id else "no credentials"


def last_used(served: Mapping[str, float]) -> dict[str, float]:
    """By alias, when the last of an account's waiting lists was served; ``served`` is that of each list."""
    found: dict[str, float] = {}
    for line, moment in served.items():
        alias = line.partition(":")[0]
        found[alias] = max(moment, found.get(alias, 0.0))
    return found
