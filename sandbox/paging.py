"""Cursor pages. A cursor marks a place by its sort value, so that rows may come and go between two pages."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import orjson

from sandbox.errors import invalid_parameter

Row = tuple[int, Any, int, str]
"""Whether there is a sort value (1 or 0), the sort value, the number that breaks ties, the id."""


@dataclass(frozen=True, slots=True)
class Page:
    """The ids on a page, and the cursors of its neighbours."""

    ids: list[str]
    next: str | None
    prev: str | None


def page(rows: list[Row], *, size: int | None, cursor: str | None, descending: bool, listing: str) -> Page:
    """One page of rows that are sorted ascending. A cursor of another `listing` is refused."""
    if size is None:
        ids = [row[3] for row in rows]
        return Page(ids[::-1] if descending else ids, None, None)
    low, high = _slice(rows, size, descending, *_read(cursor, listing)) if cursor else _first(rows, size, descending)
    chosen = rows[low:high]
    if descending:
        chosen.reverse()
    before, after = (high < len(rows), low > 0) if descending else (low > 0, high < len(rows))
    return Page(
        [row[3] for row in chosen],
        _written("next", chosen[-1], listing) if after and chosen else None,
        _written("prev", chosen[0], listing) if before and chosen else None,
    )


def _first(rows: list[Row], size: int, descending: bool) -> tuple[int, int]:
    return (max(0, len(rows) - size), len(rows)) if descending else (0, min(size, len(rows)))


def _slice(rows: list[Row], size: int, descending: bool, direction: str, mark: Row) -> tuple[int, int]:
    if (direction == "next") != descending:
        low = bisect_right(rows, mark)
        return low, min(low + size, len(rows))
    high = bisect_left(rows, mark)
    return max(0, high - size), high


def _written(direction: str, row: Row, listing: str) -> str:
    return urlsafe_b64encode(orjson.dumps([crc32(listing.encode()), direction, *row])).decode().rstrip("=")


def _read(cursor: str, listing: str) -> tuple[str, Row]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        fingerprint, direction, *row = orjson.loads(urlsafe_b64decode(padded))
        present, value, number, id = row
    except (ValueError, TypeError):
        fingerprint = None
    if fingerprint != crc32(listing.encode()):
        raise invalid_parameter("Invalid cursor provided.", "page[cursor]")
    return direction, (present, value, number, id)
