"""How wide the columns of a table are, and where names that are wider than their column are broken. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

#: Blanks between two columns.
GAP = 2

#: The least width of a column of names or sentences; about how many lines its longest cell takes at most.
MIN_WIDTH, MAX_LINES = 8, 4

#: The width above which a name may be broken: at its joints, or anywhere if it has none.
BREAKABLE_WIDTH = 24

#: A name may be broken after one of these.
_PIECE = re.compile(r"[^_:+./=\\-]*[_:+./=\\-]*")
_WORD = re.compile(r"\S+")


def natural_width(text: str) -> int:
    """Return the width of a text that is not broken."""
    return max(map(cell_len, text.split("\n")))


def least_width(text: str) -> int:
    """Return the width of a text in `MAX_LINES` lines, with only its long words broken."""
    words = text.split()
    pieces = (piece for word in words for piece in ([word] if cell_len(word) <= BREAKABLE_WIDTH else _pieces(word)))
    return max([MIN_WIDTH, cell_len(text) // MAX_LINES, *(min(cell_len(piece), BREAKABLE_WIDTH) for piece in pieces)])


def fit_widths(wanted: Sequence[int], needed: Sequence[int], room: int) -> list[int] | None:
    """Return the width of each column: as wanted or, if there is too little room, the widest ones narrower.

    None if even the ``needed`` widths do not fit into the ``room``.
    """
    given, left = list(wanted), room - GAP * (len(wanted) - 1)
    while sum(given) > left:
        yielding = [place for place, width in enumerate(given) if width > needed[place]]
        if not yielding:
            return None
        given[max(yielding, key=given.__getitem__)] -= 1
    return given


def break_words(text: Text, width: int) -> Text:
    """Break each word that is wider than this after a joint, so that it is broken nowhere else."""
    cuts = []
    for word in _WORD.finditer(text.plain):
        begin = end = word.start()
        for piece in _pieces(word[0]):
            if end > begin and cell_len(text.plain[begin : end + len(piece)]) > width:
                cuts.append(end)
                begin = end
            end += len(piece)
    return Text("\n").join(text.divide(cuts)) if cuts else text


def _pieces(word: str) -> Iterator[str]:
    return (found[0] for found in _PIECE.finditer(word) if found[0])
