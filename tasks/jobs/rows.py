"""Which rows of a source the records of a request come from, as a short text: ``1-9,11,13-40``. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def ranges(rows: Iterable[int]) -> str:
    """The text for ascending row numbers."""
    parts: list[list[int]] = []
    for row in rows:
        if parts and row == parts[-1][1] + 1:
            parts[-1][1] = row
        else:
            parts.append([row, row])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def numbers(text: str) -> list[int]:
    """The row numbers again."""
    found: list[int] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found
