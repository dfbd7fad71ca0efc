"""The options of an import, as plain values, so that a resumed run does the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tasks import rules
from tasks.imports.amounts import DecimalMark
from tasks.imports.countries import country_code, is_country
from tasks.imports.dates import DayOrder

Channel = Literal["email", "sms", "whatsapp"]


@dataclass(frozen=True, slots=True)
class Options:
    """What goes beyond the rows.

    mapping: which column becomes which field, ``("E-Mail=email", "*=properties.*")``; see `tasks.imports.mapping`.
    fixed: fields of every row that lacks them, ``{"metric": "Placed Order"}``.
    params: parameters of the whole request, ``{"list_ids": ["Y6nRLr"]}``.
    channels: the channels to subscribe to, or unsubscribe from, if the rows name none.
    time_zone: the zone of times without one, ``Europe/Berlin``.
    country: the country of phone numbers without one, ``SE``, in rows without one.
    export: the known export that the rows come from; None recognises it by its header, and "none" means none.
    dates, decimals: how dates and numbers are written, if a column can be read in two ways.
    consent: of an export, take only those who said yes or no to marketing, and only their addresses.
    clear_empty: an empty cell removes its column's property; otherwise it changes nothing.
    moment: when the run began, which is the time of events without one. A resumed run needs the same moment to make
    the same requests.
    """

    mapping: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    time_zone: str | None = None
    country: str | None = None
    export: str | None = None
    dates: DayOrder | None = None
    decimals: DecimalMark | None = None
    consent: bool = False
    clear_empty: bool = False
    moment: datetime = field(default_factory=lambda: rules.now())

    @property
    def historical(self) -> bool:
        """Whether consent that was given in the past is imported."""
        return bool(self.params.get("historical_import"))

    def zone(self) -> tzinfo | None:
        """Return the time zone.

        Raises:
            ValueError: there is none of this name.

        """
        if self.time_zone is None or self.time_zone.upper() == "UTC":
            return UTC if self.time_zone else None
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{self.time_zone!r} is not a time zone; write it like 'Europe/Berlin' or 'UTC'") from None

    def region(self) -> str | None:
        """Return the ISO 3166 code of the country of phone numbers without one.

        Raises:
            ValueError: there is none of this name.

        """
        code = country_code(self.country) if self.country else None
        if self.country and not is_country(code):
            raise ValueError(f"{self.country!r} is not a country; write it like 'SE' or 'Sweden'")
        return code
