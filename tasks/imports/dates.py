"""Dates and times as exports spell them. Whether the day or the month comes first is inferred, never guessed.

``12-04-2022 09:30``, ``5/23/2024, 3:14 PM``, ``June 3, 2024``, ``2026-05-01 10:00:00 +0200``, seconds since 1970, and
the days since 1900 that Excel writes where a cell is not formatted as a date: ``45414.5``.
No message repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal

from tasks.rules import require_offset

#: Which of two numbers before a year is the day.
DayOrder = Literal["day-first", "month-first"]

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar januari janvier enero ene gennaio",
            "february feb februar februari février fevrier febrero febbraio",
            "march mar märz maerz mars marzo maart mrt mär",
            "april apr avril abril abr aprile avr",
            "may mai maj mayo mei maggio",
            "june jun juni juin junio giugno",
            "july jul juli juillet julio luglio juil",
            "august aug augusti août aout agosto augustus ago",
            "september sep sept septembre septiembre settembre",
            "october oct oktober okt octobre octubre ottobre",
            "november nov novembre noviembre",
            "december dec dezember dez décembre decembre diciembre dic dicembre",
        ),
        1,
    )
    for name in names.split()
}
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,15}([+-][0-9]{2}:?[0-9]{2}|Z)?)?")
_NUMBERS = re.compile(r"([0-9]{1,4})([./-])([0-9]{1,2})\2([0-9]{4}|[0-9]{1,2})(?![0-9])\.?")
_DAY_AND_NAME = re.compile(
    r"(?:[^\W\d]{2,10},? )?([0-9]{1,2})(?:st|nd|rd|th|\.)?[ -](?:de )?([^\W\d]{3,10})\.?[ ,-]+(?:de )?([0-9]{4})"
)
_NAME_AND_DAY = re.compile(r"(?:[^\W\d]{2,10},? )?([^\W\d]{3,10})\.? ([0-9]{1,2})(?:st|nd|rd|th)?,? ([0-9]{4})")
_TIME = re.compile(
    r"(?:[T,]? *(?:at |um |kl\.? ?|@ ?|à |a las )?([0-9]{1,2})[:.]([0-9]{2})(?:[:.]([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r" ?([AaPp]\.?[Mm]\.?)?)? *(Z|UTC|GMT|(?:UTC|GMT)?[+-][0-9]{1,2}(?::?[0-9]{2})?)?"
)
#: ISO 8601 times, one a line, with a blank instead of the ``T`` or ``Z`` instead of the offset allowed.
_MOMENTS = re.compile(
    r"(?>(?:(?!0000)[0-9]{4}-"
    r"(?:02-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:0[1-9]|[12][0-9]|30)|(?:0[13578]|1[02])-31)"
    r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:Z|\+(?:0[0-9]|1[0-3]):[0-5][0-9]|\+14:00|-(?:0[1-9]|1[01]):[0-5][0-9]|-12:00))?\n)*+"
)
_EIGHT = re.compile(r"[0-9]{8}")
_SECONDS = re.compile(r"[0-9]{10}|[0-9]{13}")
#: Days since `_EXCEL_EPOCH`, of the years 1927 to 2146, and the part of a day that has passed.
_SERIAL = re.compile(r"([1-8][0-9]{4})(?:[.,]([0-9]{1,15}))?")
_EXCEL_EPOCH = date(1899, 12, 30)
#: A two-digit year lies at most this many years in the future.
_MAX_YEARS_AHEAD = 10


def normalise_moments(texts: Sequence[str]) -> list[str] | None:
    """Return a column of times as `datetime.isoformat` writes them; None if one of them needs a closer look.

    Matching the whole column takes a tenth of the time of parsing each text. Empty texts stay empty.
    """
    column = "\n".join([*texts, ""])
    if not _MOMENTS.fullmatch(column):
        return None
    return column.replace(" ", "T").replace("Z", "+00:00").split("\n")[:-1]


def infer_order(text: str) -> DayOrder | None:
    """Return the order of day and month that a date proves; None if both can be a month, or it is none."""
    found = _NUMBERS.match(text.strip())
    if found is None or len(found[1]) > 2:
        return None
    first, second = int(found[1]), int(found[3])
    if first > 12 >= second or found[2] == ".":
        return "day-first"
    return "month-first" if second > 12 >= first else None


def is_ambiguous_date(text: str) -> bool:
    """Return True for a date that can be read in two ways."""
    found = _NUMBERS.match(text.strip())
    return bool(found and len(found[1]) <= 2 and found[1] != found[3] and infer_order(text) is None)


def parse_date_or_time(text: str, order: DayOrder | None = None) -> date | datetime:
    """Return the day or the point in time in a cell, with its time zone if it has one.

    Raises:
        ValueError: it holds neither, or a date that can be read in two ways.

    """
    said = " ".join(text.split())
    if _ISO.fullmatch(said) or _EIGHT.fullmatch(said):
        return _iso(said).date() if len(said) <= 10 else _iso(said)
    if _SECONDS.fullmatch(said):
        return datetime.fromtimestamp(int(said[:10]), UTC)
    if found := _SERIAL.fullmatch(said):
        return _serial(found)
    for pattern, read in ((_NUMBERS, _numbers), (_DAY_AND_NAME, _day_and_name), (_NAME_AND_DAY, _name_and_day)):
        if found := pattern.match(said):
            return _with_time(read(found, order), said[found.end() :])
    return _iso(said)


def _iso(said: str) -> datetime:
    try:
        read = datetime.fromisoformat(said)
    except ValueError:
        raise _no_date() from None
    if (offset := read.utcoffset()) is not None:
        require_offset(offset)
    return read


def _serial(found: re.Match[str]) -> date | datetime:
    day = _EXCEL_EPOCH + timedelta(days=int(found[1]))
    if not found[2]:
        return day
    return datetime.combine(day, time()) + timedelta(seconds=round(float(f"0.{found[2]}") * 86_400))


def _numbers(found: re.Match[str], order: DayOrder | None) -> date:
    first, second, third = (int(found[group]) for group in (1, 3, 4))
    if len(found[1]) == 4:
        return _day(first, second, third)
    if len(found[1]) == 3 or len(found[4]) == 1:
        raise _no_date()
    year = third if len(found[4]) == 4 else _year(third)
    order = order or infer_order(found[0]) or ("day-first" if first == second else None)
    if order is None:
        raise ValueError("this can be read as two dates: say what comes first (--dates), or write it like 2026-01-31")
    return _day(year, *((second, first) if order == "day-first" else (first, second)))


def _day_and_name(found: re.Match[str], order: DayOrder | None) -> date:
    return _day(int(found[3]), _MONTHS.get(found[2].casefold(), 0), int(found[1]))


def _name_and_day(found: re.Match[str], order: DayOrder | None) -> date:
    return _day(int(found[3]), _MONTHS.get(found[1].casefold(), 0), int(found[2]))


def _day(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise _no_date() from None


def _year(two_digits: int) -> int:
    year = datetime.now(UTC).year + _MAX_YEARS_AHEAD
    return year - (year - two_digits) % 100


def _with_time(day: date, rest: str) -> date | datetime:
    found = _TIME.fullmatch(rest)
    if found is None or (found[6] and not found[1]):
        raise _no_date()
    if not found[1]:
        return day
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if half := found[5]:
        if not 1 <= hour <= 12:
            raise _no_date()
        hour = hour % 12 + (12 if half[0] in "Pp" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise _no_date()
    micro = int((found[4] or "0").ljust(6, "0")[:6])
    return datetime(day.year, day.month, day.day, hour, minute, second, micro, tzinfo=_zone(found[6]))


def _zone(said: str | None) -> timezone | None:
    if said is None:
        return None
    offset = said.removeprefix("UTC").removeprefix("GMT")
    if offset in ("", "Z"):
        return UTC
    digits = offset[1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
    if minutes > 59:
        raise _no_date()
    east = timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)
    require_offset(east)
    return timezone(east)


def _no_date() -> ValueError:
    return ValueError("this is not a date or time that can be read; write it like 2026-01-31 or 2026-01-31T12:00:00Z")
