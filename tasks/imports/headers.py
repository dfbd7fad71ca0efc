"""What the columns of a table are called: each by a name of its own, and some so that a program finds them again."""

from __future__ import annotations

from collections.abc import Sequence

#: What nobody sees at the edges of a name.
INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\x00"


def columns_named(header: Sequence[str], added: int = 0) -> tuple[str, ...]:
    """The columns by name: a name that came before is told with its place, ``email (3)``; an empty one is ``column 4``.

    Places count from 1 in the file that people have: after the ``added`` columns of a reject file.
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
