"""How wide the columns of a table are, and where a long name is broken that is wider than its column. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

#: Blanks between two columns.
GAP = 2

#: Cells that a column of names or sentences is not narrower than; lines that its longest cell takes at most, about.
LEAST, LINES = 8, 4

#: Cells from which a name may be broken: at its joints, or anywhere where it has none.
LONG = 24

#: A name may be broken after one of these.
_PIECE = re.compile(r"[^_:+./=\\-]*[_:+./=\\-]*")
_WORD = re.compile(r"\S+")


def natural(text: str) -> int:
    """Cells that a text takes where nothing is broken."""
    return max(map(cell_len, text.split("\n")))


def least(text: str) -> int:
    """Cells that a text takes in so many lines, where only its long words are broken."""
    words = text.split()
    pieces = (piece for word in words for piece in ([word] if cell_len(word) <= LONG else _pieces(word)))
    return max([LEAST, cell_len(text) // LINES, *(min(cell_len(piece), LONG) for piece in pieces)])


def widths(wanted: Sequence[int], needed: Sequence[int], room: int) -> list[int] | None:
    """How wide each column is in so much room: as it wants, or the widest ones narrower; None: it is too little."""
    given, left = list(wanted), room - GAP * (len(wanted) - 1)
    while sum(given) > left:
        yielding = [place for place, width in enumerate(given) if width > needed[place]]
        if not yielding:
            return None
        given[max(yielding, key=given.__getitem__)] -= 1
    return given


def broken(text: Text, width: int) -> Text:
    """The text with each word that is wider than this broken after a joint, so that nothing is broken elsewhere."""
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
