"""What spreadsheets and databases add to the cells of a file, taken away again."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: What stands for nothing: in dumps of MySQL and PostgreSQL, and in what is made from them.
NOTHING = frozenset(("NULL", "\\N"))

#: An apostrophe keeps Excel from taking a text for a number, or for a formula; people's names begin with one, too.
_KEPT_AS_TEXT = re.compile(r"^'(?=[+=@-]|[0-9][0-9 ().,/:-]*$)", re.MULTILINE)


def is_tidy(text: str) -> bool:
    """Whether nothing has to be taken away from any cell in a text, as one look tells."""
    return "'" not in text and "\\" not in text and "NULL" not in text


def tidied(cells: Sequence[str]) -> Sequence[str]:
    """The cells of a column without Excel's apostrophe, and empty where they say `NULL` or ``\\N``."""
    together = "\n".join(cells)
    if "'" in together and ("\n'" in together or together[0] == "'"):
        if _all_of_digits(together):
            cells = together.removeprefix("'").replace("\n'", "\n").split("\n")
        elif together.count("\n") == len(cells) - 1:
            cells = _KEPT_AS_TEXT.sub("", together).split("\n")
        else:
            cells = [_KEPT_AS_TEXT.sub("", cell, 1) if cell[:1] == "'" else cell for cell in cells]
    if "NULL" in together or "\\N" in together:
        cells = ["" if cell in NOTHING else cell for cell in cells]
    return cells


def _all_of_digits(together: str) -> bool:
    """Whether a column holds only ids and phone numbers, with or without an apostrophe: a quick look at many."""
    first = together[0] == "'"
    return (
        together.isascii()
        and not together.encode().translate(None, b"0123456789+'\n")
        and together.count("'") == together.count("\n'") + first
        and "'\n" not in together
        and together[-1] != "'"
    )
