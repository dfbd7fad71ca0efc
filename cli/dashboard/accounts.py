"""The tab Accounts: what each account is known by, and whether it may send. No key, and nothing of one, is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from cli.accounts.rows import AccountRow, account_rows, last_used
from cli.dashboard.table import Cell, Column, Reading, Tab, minor, text_column, time_column
from cli.retirement import retired_on
from schedules.clock import redis_time
from worker.accounts.credentials import Account
from worker.accounts.lookup import NO_ACCOUNT, READ_AT_START, all_accounts
from worker.api.jsonapi import REVISION
from worker.governor import Pause, get_governor
from worker.redis.patience import asking_redis_once
from worker.settings import get_settings


@dataclass(frozen=True, slots=True)
class AccountWithZone:
    """An account, and its time zone."""

    row: AccountRow
    timezone: str


@asking_redis_once()
def read() -> Reading[AccountWithZone]:
    """Read the accounts and what is paused, accounts that do not send first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    governor = get_governor()
    used = last_used(governor.last_served())
    found = list_accounts(list(all_accounts(get_settings())), governor.paused(), used)
    return Reading(found, summary=[Cell(describe_revision(REVISION, redis_time().date()))])


def list_accounts(accounts: list[Account], pauses: list[Pause], used: Mapping[str, float]) -> list[AccountWithZone]:
    """Return every account."""
    rows = account_rows(accounts, pauses, used)
    found = [AccountWithZone(row, each.timezone) for each, row in zip(accounts, rows, strict=True)]
    return sorted(found, key=urgency)


def urgency(each: AccountWithZone) -> bool:
    """What does not send comes first."""
    return each.row.state == "ready"


def describe_revision(revision: str, today: date) -> str:
    """Say which revision of Klaviyo's API is used, and for how many more days Klaviyo answers to it."""
    retired = retired_on(revision)
    if today >= retired:
        return f"Klaviyo has not answered to its API's revision {revision} since {retired}: upgrade the worker."
    days = (retired - today).days
    return f"Klaviyo answers to its API's revision {revision} for {days:,} more day{'' if days == 1 else 's'}."


def _state(each: AccountWithZone) -> Cell:
    style = {"ready": "text-success", "no credentials": "text-warning"}.get(each.row.state, "text-danger")
    return Cell(each.row.state, style)


TAB = Tab(
    "Accounts",
    read,
    (
        Column(
            "Account",
            lambda each: Cell(each.row.alias, link=f"limits?{urlencode({'search': f'{each.row.alias}:'})}"),
            lambda each: each.row.alias,
        ),
        text_column("Credentials", lambda each: each.row.kind),
        minor(text_column("Scopes", lambda each: "" if each.row.scopes is None else str(len(each.row.scopes)))),
        minor(time_column("Token until", lambda each: each.row.expires)),
        time_column("Last used", lambda each: each.row.used),
        minor(text_column("Time zone", lambda each: each.timezone)),
        Column("State", _state, lambda each: each.row.state),
    ),
    lambda each: f"{each.row.alias} {each.row.kind} {each.timezone} {each.row.state}",
    f"{NO_ACCOUNT} {READ_AT_START}",
    troubles=lambda each: int(each.row.state != "ready"),
    counted="accounts that do not send",
    everywhere=True,
    order=urgency,
)
