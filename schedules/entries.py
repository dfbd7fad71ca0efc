"""What runs on a schedule, when and why, as code; settings move an entry or switch it off."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schedules.crontab import Crontab
from worker.accounts.credentials import Account
from worker.accounts.lookup import account, living_here
from worker.errors import SettingsError
from worker.redis.homes import here, home_of
from worker.settings import Settings

SyncMode = Literal["changes", "full", "reports"]

HOUR_S = 3_600

#: Minutes over which the entries of stored accounts are spread: there may be thousands of these.
SPREAD_MIN = 120

#: The hour that clock changes skip or repeat, in minutes of the day.
_CHANGE_BEGINS_MIN, _CHANGE_ENDS_MIN = 120, 180


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, which runs for every account. Its crontab is read in the account's time zone.

    ``expires_s``: seconds after which a run that no worker has started is dropped, because a newer one follows.
    """

    name: str
    crontab: str
    task: str
    kwargs: Mapping[str, Any]
    reason: str
    expires_s: int


@dataclass(frozen=True, slots=True)
class ScheduledEntry:
    """An entry for one account; ``crontab`` is None if it is switched off, ``kwargs`` are added to the entry's own."""

    name: str
    account: str
    timezone: str
    entry: Entry
    crontab: Crontab | None
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def _sync(
    name: str, crontab: str, mode: SyncMode, streams: str, reason: str, expires_s: int = 12 * HOUR_S
) -> Entry:  # fmt: skip
    return Entry(name, crontab, "klaviyo.sync", {"streams": streams.split(), "mode": mode}, reason, expires_s)


#: Each starts in a minute of its own, so that they do not all start at once, and none between two and three o'clock,
#: the hour that clock changes skip or repeat.
ENTRIES = (
    _sync(
        "profiles-events", "7 1 * * *", "changes", "profiles events",
        "Profiles and events as of last night, which most questions are about: they come first.",
    ),
    _sync(
        "messaging", "37 1 * * *", "changes",
        "campaigns campaign_messages flows flow_actions flow_messages templates",
        "What was sent, and the flows and templates it came from.",
    ),
    _sync(
        "others", "52 1 * * *", "changes", "metrics tags tag_groups forms images webhooks jobs",
        "The small streams that the large ones refer to.",
    ),
    _sync(
        "catalog", "17 3 * * *", "changes", "catalog_items catalog_variants catalog_categories",
        "Klaviyo does not list changed items, so the catalog is read whole and compared.",
    ),
    _sync(
        "audiences", "33 3 * * *", "changes", "lists list_members segments segment_members",
        "Only reading all members shows who has left a list or a segment.",
    ),
    _sync(
        "coupons", "48 3 * * *", "changes", "coupons coupon_codes",
        "Codes that were assigned or have expired; they are read coupon by coupon.",
    ),
    _sync(
        "reports", "22 4 * * *", "reports", "campaign_values flow_values",
        "Campaign and flow results of the days up to yesterday; Klaviyo allows only 225 requests a day.",
    ),
    _sync(
        "full-scan", "41 4 * * sun", "full",
        "profiles lists segments campaigns campaign_messages flows flow_actions flow_messages templates forms images",
        "Deletions appear in no list of changes: only reading everything shows what is gone.",
        expires_s=48 * HOUR_S,
    ),
)  # fmt: skip

#: The task that carries out a push defined in the settings.
PUSH = "klaviyo.push"

OFF = "off"


def scheduled_entries(settings: Settings, accounts: Iterable[Account] | None = None) -> Iterator[ScheduledEntry]:
    """Every entry for each of these accounts, or of those in the settings, and every push that has a schedule.

    Raises:
        SettingsError: a setting names an entry that does not exist, or holds something that is not a crontab.

    """
    names = {entry.name for entry in ENTRIES}
    if unknown := sorted(set(settings.schedule) - names):
        known = ", ".join(_variable(name) for name in sorted(names))
        raise SettingsError(f"{_variable(unknown[0])}: there is no such entry. The entries are set by {known}.")
    if accounts is None:
        accounts = [account(settings, alias) for alias in living_here(settings)]
    for each in accounts:
        yield from entries_of(each, settings)
    for name, push in settings.pushes.items():
        if push.schedule and home_of(push.account) == here():
            owner = account(settings, push.account)
            reason = f"What has changed in {push.source.partition(' ')[0]} is sent to Klaviyo."
            entry = Entry(f"push-{name}", push.schedule, PUSH, {"name": name}, reason, 12 * HOUR_S)
            crontab = _crontab(
                f"KLAVIYO_PUSHES__{name.upper().replace('-', '_')}__SCHEDULE", push.schedule, owner.timezone
            )
            yield ScheduledEntry(entry.name, owner.alias, owner.timezone, entry, crontab)


def entries_of(owner: Account, settings: Settings) -> Iterator[ScheduledEntry]:
    """Every entry for one account."""
    for entry in ENTRIES:
        usual = spread(entry.crontab, owner.alias) if owner.generation else entry.crontab
        when = settings.schedule.get(entry.name, usual).strip()
        crontab = None if when.lower() == OFF else _crontab(_variable(entry.name), when, owner.timezone)
        kwargs = {"account": owner.alias}
        yield ScheduledEntry(f"{entry.name}.{owner.alias}", owner.alias, owner.timezone, entry, crontab, kwargs)


def spread(crontab: str, alias: str) -> str:
    """Return a crontab of the night for one of many accounts, which begins up to two hours later.

    By how much depends on the alias alone, so that its entries keep their order. None begins in the hour that clock
    changes skip or repeat.
    """
    minute, hour, days = crontab.split(maxsplit=2)
    usual = int(hour) * 60 + int(minute)
    at = usual + zlib.crc32(alias.encode()) % SPREAD_MIN
    if usual < _CHANGE_BEGINS_MIN <= at:
        at += _CHANGE_ENDS_MIN - _CHANGE_BEGINS_MIN
    return f"{at % 60} {at // 60} {days}"


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the entries of the accounts in the settings as Celery's setting `beat_schedule`."""
    return as_setting(scheduled_entries(settings))


def as_setting(entries: Iterable[ScheduledEntry]) -> dict[str, dict[str, Any]]:
    """Return entries in the form of Celery's setting `beat_schedule`."""
    return {
        each.name: {
            "task": each.entry.task,
            "schedule": each.crontab,
            "kwargs": {**each.kwargs, **each.entry.kwargs},
            "options": {"expires": each.entry.expires_s},
        }
        for each in entries
        if each.crontab
    }


def _crontab(variable: str, when: str, zone: str) -> Crontab:
    try:
        return Crontab(when, zone)
    except ValueError as error:
        raise SettingsError(
            f"{variable}: {error}. Give minute, hour, day of month, month and day of week, such as '7 1 * * *', "
            f"or, for an entry, {OFF!r}."
        ) from None


def _variable(name: str) -> str:
    return f"KLAVIYO_SCHEDULE__{name.upper().replace('-', '_')}"
