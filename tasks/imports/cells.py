"""What spreadsheets and databases add to the cells of a file, taken away again."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: What stands for nothing: in dumps of MySQL and PostgreSQL, and in what is made from them.
NOTHING = frozenset(("NULL", "\\N"))

#: An apostrophe keeps Excel from taking a text for a number, or for a formula; people's names begin with one, too.
_KEPT_AS_TEXT = re.compile(r"'(?:[+=@-].*|[0-9][0-9 ().,/:-]*)", re.DOTALL)


def tidied(cells: Sequence[str]) -> Sequence[str]:
    """The cells of a column without Excel's apostrophe, and empty where they say `NULL` or ``\\N``."""
    together = "\n".join(cells)
    if "'" in together and ("\n'" in together or together[0] == "'"):
        cells = [cell[1:] if cell[:1] == "'" and _KEPT_AS_TEXT.fullmatch(cell) else cell for cell in cells]
    if "NULL" in together or "\\N" in together:
        cells = ["" if cell in NOTHING else cell for cell in cells]
    return cells
