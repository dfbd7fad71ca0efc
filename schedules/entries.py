"""What runs by itself, when and why, as code; settings move an entry or switch it off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schedules.crontab import Crontab
from worker.accounts import account, aliases
from worker.errors import SettingsError
from worker.settings import Settings

Mode = Literal["changes", "full", "reports"]

HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, for every account. Its crontab is meant in the account's zone.

    ``expires``: seconds after which a run that no worker has taken up is dropped, because a fresher one follows.
    """

    name: str
    crontab: str
    task: str
    kwargs: Mapping[str, Any]
    reason: str
    expires: int


@dataclass(frozen=True, slots=True)
class Planned:
    """An entry on one account; ``crontab`` is None where it is switched off, ``kwargs`` go with the entry's own."""

    name: str
    account: str
    timezone: str
    entry: Entry
    crontab: Crontab | None
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def _sync(
    name: str, crontab: str, mode: Mode, streams: str, reason: str, expires: int = 12 * HOUR
) -> Entry:  # fmt: skip
    return Entry(name, crontab, "klaviyo.sync", {"streams": streams.split(), "mode": mode}, reason, expires)


#: Each in a minute of its own, so that not everything begins at once, and none between two and three o'clock, which
#: clock changes skip or repeat.
ENTRIES = (
    _sync(
        "profiles-events", "7 1 * * *", "changes", "profiles events",
        "Profiles and events as of last night: what most questions are about comes first.",
    ),
    _sync(
        "messaging", "37 1 * * *", "changes",
        "campaigns campaign_messages flows flow_actions flow_messages templates",
        "What was sent, and the flows and templates that it came from.",
    ),
    _sync(
        "others", "52 1 * * *", "changes", "metrics tags tag_groups forms images webhooks jobs",
        "Small streams that the large ones refer to.",
    ),
    _sync(
        "catalog", "17 3 * * *", "changes", "catalog_items catalog_variants catalog_categories",
        "Klaviyo cannot be asked for changed items: the catalog is read whole and compared.",
    ),
    _sync(
        "audiences", "33 3 * * *", "changes", "lists list_members segments segment_members",
        "Who has left a list or a segment shows only when its members are read whole.",
    ),
    _sync(
        "coupons", "48 3 * * *", "changes", "coupons coupon_codes",
        "Codes that were handed out or have expired; they are read coupon by coupon.",
    ),
    _sync(
        "reports", "22 4 * * *", "reports", "campaign_values flow_values",
        "Figures of campaigns and flows, when yesterday is over: 225 requests a day are all that Klaviyo allows.",
    ),
    _sync(
        "full-scan", "41 4 * * sun", "full",
        "profiles lists segments campaigns campaign_messages flows flow_actions flow_messages templates forms images",
        "What was deleted is in no list of changes: only reading everything shows what is gone.",
        expires=48 * HOUR,
    ),
)  # fmt: skip

#: The task of a push that the settings define.
PUSH = "klaviyo.push"

OFF = "off"


def planned(settings: Settings) -> Iterator[Planned]:
    """Every entry on every account, and every push that has a schedule.

    Raises:
        SettingsError: a setting names an entry that does not exist, or no crontab.

    """
    names = {entry.name for entry in ENTRIES}
    if unknown := sorted(set(settings.schedule) - names):
        known = ", ".join(_variable(name) for name in sorted(names))
        raise SettingsError(f"{_variable(unknown[0])}: there is no such entry; there are {known}.")
    for alias in aliases(settings):
        zone = account(settings, alias).timezone
        for entry in ENTRIES:
            when = settings.schedule.get(entry.name, entry.crontab).strip()
            crontab = None if when.lower() == OFF else _crontab(_variable(entry.name), when, zone)
            yield Planned(f"{entry.name}.{alias}", alias, zone, entry, crontab, {"account": alias})
    for name, push in settings.pushes.items():
        if push.schedule:
            owner = account(settings, push.account)
            reason = f"What has changed in {push.source.partition(' ')[0]} travels to Klaviyo."
            entry = Entry(f"push-{name}", push.schedule, PUSH, {"name": name}, reason, 12 * HOUR)
            crontab = _crontab(
                f"KLAVIYO_PUSHES__{name.upper().replace('-', '_')}__SCHEDULE", push.schedule, owner.timezone
            )
            yield Planned(entry.name, owner.alias, owner.timezone, entry, crontab)


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """The entries as Celery's setting of this name."""
    return {
        each.name: {
            "task": each.entry.task,
            "schedule": each.crontab,
            "kwargs": {**each.kwargs, **each.entry.kwargs},
            "options": {"expires": each.entry.expires},
        }
        for each in planned(settings)
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
