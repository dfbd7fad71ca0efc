"""Cursor pagination. A cursor marks a place by its sort value, so that rows may come and go between two pages."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from zlib import crc32

import orjson

from sandbox.errors import ApiError, invalid_parameter
from sandbox.records.indexes import Row


@dataclass(frozen=True, slots=True)
class Page:
    """The ids on a page, and the cursors of its neighbours."""

    ids: list[str]
    next: str | None
    prev: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What is paginated: the rows from `low` to before `high` that pass, if there is a condition."""

    rows: Sequence[Row]
    low: int
    high: int
    passes: Callable[[Row], bool] | None
    name: str
    """The listing that a cursor must belong to."""

    def passing(self, walk: range, limit: int) -> list[int]:
        """The indexes of the first rows on a walk that pass."""
        if self.passes is None:
            return list(walk[:limit])
        return list(islice((at for at in walk if self.passes(self.rows[at])), limit))


@dataclass(frozen=True, slots=True)
class Clock:
    """The current time, and how many seconds a cursor lives; None is for ever."""

    now: float
    life: float | None = None


def page(listing: Listing, *, size: int | None, cursor: str | None, descending: bool, clock: Clock) -> Page:
    """One page of a listing; 400 for a cursor of another listing, or one that is too old."""
    low, high, rows = listing.low, listing.high, listing.rows
    if size is None:
        walk = range(high - 1, low - 1, -1) if descending else range(low, high)
        return Page([rows[at][3] for at in listing.passing(walk, len(rows))], None, None)
    direction, mark = _read(cursor, listing, clock) if cursor else ("next", None)
    upwards = (direction == "next") != descending
    if mark is None:
        start = low if upwards else high
    else:
        start = max(low, bisect_right(rows, mark)) if upwards else min(high, bisect_left(rows, mark))
    up, down = range(start, high), range(start - 1, low - 1, -1)
    chosen = listing.passing(up if upwards else down, size + 1)
    ahead, behind = len(chosen) > size, bool(listing.passing(down if upwards else up, 1))
    shown = [rows[at] for at in chosen[:size]]
    if direction == "prev":
        shown.reverse()
        ahead, behind = behind, ahead
    return Page(
        [row[3] for row in shown],
        _written("next", shown[-1], listing, clock) if ahead and shown else None,
        _written("prev", shown[0], listing, clock) if behind and shown else None,
    )


def _written(direction: str, row: Row, listing: Listing, clock: Clock) -> str:
    content = [crc32(listing.name.encode()), direction, clock.now, *row]
    return urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def _read(cursor: str, listing: Listing, clock: Clock) -> tuple[str, Row]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        fingerprint, direction, made, *row = orjson.loads(urlsafe_b64decode(padded))
        present, value, number, id = row
    except (ValueError, TypeError):
        raise _invalid() from None
    if fingerprint != crc32(listing.name.encode()) or (clock.life is not None and clock.now - made > clock.life):
        raise _invalid()
    return direction, (present, value, number, id)


def _invalid() -> ApiError:
    return invalid_parameter("Invalid cursor provided.", "page[cursor]")
