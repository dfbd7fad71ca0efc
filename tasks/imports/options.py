"""How an import is to be done, as its caller says it; plain values, so that a run that is resumed does the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tasks import rules
from tasks.imports.amounts import Decimal
from tasks.imports.countries import country_code, is_country
from tasks.imports.dates import Order

Channel = Literal["email", "sms", "whatsapp"]


@dataclass(frozen=True, slots=True)
class Options:
    """What goes beyond the rows.

    mapping: which column becomes which field, ``("E-Mail=email", "*=properties.*")``; see `tasks.imports.mapping`.
    fixed: fields of every row that has none of its own, ``{"metric": "Placed Order"}``.
    params: parameters of the whole request, ``{"list_ids": ["Y6nRLr"]}``.
    channels: what is subscribed to, or unsubscribed from, where the rows do not say.
    time_zone: where times without a zone are meant, ``Europe/Berlin``.
    country: where phone numbers are from that do not say it, ``SE``, in rows that do not say it either.
    export: of which known export the rows are; where it is None the header tells, and "none" is none of them.
    dates, decimals: how dates and numbers are written in columns that do not tell it themselves.
    consent: of an export, take those who say yes or no to marketing, and only what reaches them.
    clear_empty: an empty cell takes the property away that its column leads to; else it changes nothing.
    moment: when the run began, which is the time of events that have none. Keep it: a run that is resumed with it
    makes the same requests.
    """

    mapping: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    time_zone: str | None = None
    country: str | None = None
    export: str | None = None
    dates: Order | None = None
    decimals: Decimal | None = None
    consent: bool = False
    clear_empty: bool = False
    moment: datetime = field(default_factory=lambda: rules.now())

    @property
    def historical(self) -> bool:
        """Whether consent that was given in the past is brought over."""
        return bool(self.params.get("historical_import"))

    def zone(self) -> tzinfo | None:
        """The time zone.

        Raises:
            ValueError: there is none of this name.

        """
        if self.time_zone is None or self.time_zone.upper() == "UTC":
            return UTC if self.time_zone else None
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{self.time_zone!r} is no time zone; write it like 'Europe/Berlin' or 'UTC'") from None

    def region(self) -> str | None:
        """The country of phone numbers that do not say theirs, as ISO 3166 has it.

        Raises:
            ValueError: there is none of this name.

        """
        code = country_code(self.country) if self.country else None
        if self.country and not is_country(code):
            raise ValueError(f"{self.country!r} is no country; write it like 'SE' or 'Sweden'")
        return code
