"""Times as people type and read them, in this machine's time zone."""

from __future__ import annotations

import re
from datetime import datetime

from cli.terminal.printing import EXIT_USAGE, stop

#: Seconds of each unit in which a span of time is typed: 90s, 5m, 2h, 3d.
UNITS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(rf"(\d{{1,6}})\s*({'|'.join(UNITS)})", re.IGNORECASE)
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,6})?")


def moment(text: str, now: float) -> float:
    """Return the Unix time that was typed: a span before ``now``, or ISO 8601, by default in this machine's time zone.

    Raises:
        Exit: it is neither.

    """
    try:
        if span := _SPAN.fullmatch(text.strip()):
            typed = now - int(span[1]) * UNITS[span[2].lower()]
        else:
            typed = datetime.fromisoformat(text.strip()).astimezone().timestamp()
        clock(typed)  # a time before the year 1 could not be shown
    except (ValueError, OverflowError, OSError):
        example = "5m, 2h, 3d, 2026-11-24T08:00 or 2026-11-24T08:00Z"
        raise stop(f"{text!r} is not a time: write it like {example}.", EXIT_USAGE) from None
    return typed


def span(text: str) -> float:
    """Return the seconds that were typed: 90s, 5m, 2h, 3d, or a bare number.

    Raises:
        Exit: it is neither.

    """
    if found := _SPAN.fullmatch(text.strip()):
        return float(int(found[1]) * UNITS[found[2].lower()])
    if _SECONDS.fullmatch(text.strip()):
        return float(text)
    raise stop(f"{text!r} is not a span of time: write it like 90s, 5m, 2h or 3d.", EXIT_USAGE)


def clock(seconds: float) -> str:
    """Format a Unix time to the second, with its zone: 2026-11-24 08:00:00+01:00."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")


def day_and_time(seconds: float) -> str:
    """Format a Unix time for a column: 24 Nov 08:00."""
    return f"{datetime.fromtimestamp(seconds).astimezone():%d %b %H:%M}"


def duration(seconds: float | None) -> str:
    """Format seconds as an operator reads them: 0.4 s, 35 s, 4 min, 18.0 h, 3.5 d."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"
