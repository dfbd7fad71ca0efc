"""Which rows of a source the records of a request come from, as a short text: ``1-9,11,13-40``. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def format_rows(rows: Iterable[int]) -> str:
    """Return the text for ascending row numbers."""
    return format_spans((row, row) for row in rows)


def format_spans(spans: Iterable[tuple[int, int]]) -> str:
    """Return the text for ascending spans of rows, each given by its first and last row."""
    parts: list[tuple[int, int]] = []
    for first, last in spans:
        if parts and first == parts[-1][1] + 1:
            parts[-1] = (parts[-1][0], last)
        else:
            parts.append((first, last))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def shorten_rows(text: str, most: int, total: int) -> str:
    """Return a text for people to read: its first spans, ``most`` at most, and how many more of a total there are."""
    spans = text.split(",") if text else []
    more = total - len(parse_rows(",".join(spans[:most])))
    return ", ".join(spans[:most]) + (f" and {more:,} more" if spans and more > 0 else "")


def parse_rows(text: str) -> list[int]:
    """Return the row numbers that a text stands for."""
    found: list[int] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found
