"""The tab Accounts: what each account is known by, and whether it may send. No key, and nothing of one, is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from cli.dashboard.table import Cell, Column, Reading, Tab, text_column
from cli.retirement import retired_on
from schedules.clock import redis_time
from worker.accounts import account, aliases
from worker.api.jsonapi import REVISION
from worker.governor import Pause, get_governor
from worker.patience import asking_redis_once
from worker.settings import Settings, get_settings


@dataclass(frozen=True, slots=True)
class Known:
    """An account. ``why`` is empty unless it is paused."""

    alias: str
    credentials: str
    timezone: str
    revision: str
    why: str


@asking_redis_once()
def read() -> Reading[Known]:
    """Read the settings and what is paused, paused accounts first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    return Reading(known(get_settings(), get_governor().paused(), redis_time().date()))


def known(settings: Settings, pauses: list[Pause], today: date) -> list[Known]:
    """Return every configured account."""
    paused = {each.what.partition(":")[2]: each for each in pauses if each.what.startswith("account:")}
    found, revision = [], revision_left(REVISION, today)
    for alias in aliases(settings):
        each = account(settings, alias)
        credentials = [
            name for name, value in (("private key", each.api_key), ("company id", each.company_id)) if value
        ]
        why = f"by {paused[alias].by}: {paused[alias].why}" if alias in paused else ""
        found.append(Known(alias, " and ".join(credentials), each.timezone, revision, why))
    return sorted(found, key=lambda each: not each.why)


def revision_left(revision: str, today: date) -> str:
    """Say which revision of Klaviyo's API is used, and for how many more days Klaviyo answers to it."""
    retired = retired_on(revision)
    if today >= retired:
        return f"{revision}, retired on {retired}: upgrade the worker"
    days = (retired - today).days
    return f"{revision}, retired in {days:,} day{'' if days == 1 else 's'}"


def _state(each: Known) -> Cell:
    if each.why:
        return Cell(f"paused {each.why}", "text-danger")
    return Cell("ready", "text-success") if each.credentials else Cell("no credentials", "text-warning")


TAB = Tab(
    "Accounts",
    read,
    (
        Column(
            "Account",
            lambda each: Cell(each.alias, link=f"limits?{urlencode({'search': f'{each.alias}:'})}"),
            lambda each: each.alias,
        ),
        text_column("Credentials", lambda each: each.credentials),
        text_column("Time zone", lambda each: each.timezone),
        text_column("Revision", lambda each: each.revision),
        Column("State", _state, lambda each: _state(each).text),
    ),
    lambda each: f"{each.alias} {each.credentials} {each.timezone} {_state(each).text}",
    "There is no account: set KLAVIYO_API_KEY (environment or .env) to a private API key.",
)
