"""The names of a table's columns, made unique."""

from __future__ import annotations

from collections.abc import Sequence

#: Invisible characters, stripped from the ends of a name.
INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\x00"


def name_columns(header: Sequence[str], added: int = 0) -> tuple[str, ...]:
    """Return unique names of columns: a repeated one gets its place, ``email (3)``; an empty one is ``column 4``.

    Places count from 1 in the original file: after the ``added`` columns of a reject file.
    """
    taken: set[str] = set()
    names = []
    for place, cell in enumerate(header, 1 - added):
        name = cell.strip().strip(INVISIBLE).strip() or f"column {place}"
        if name in taken:
            name = f"{name} ({place})"
        taken.add(name)
        names.append(name)
    return tuple(names)
