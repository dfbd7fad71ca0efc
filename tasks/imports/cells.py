"""Remove what spreadsheets and databases add to the cells of a file."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: How dumps of MySQL and PostgreSQL, and files made from them, spell NULL.
NULLS = frozenset(("NULL", "\\N"))

#: What people write where they have no address and no number.
PLACEHOLDERS = frozenset(("-", "--", "—", "n/a", "n.a.", "na", "none", "null", "nil", "unknown", "?"))

_CONTROL = bytes(range(32))

#: An apostrophe stops Excel from reading a text as a number or a formula. People's names may begin with one, too.
_KEPT_AS_TEXT = re.compile(r"^'(?=[+=@-]|[0-9][0-9 ().,/:-]*$)", re.MULTILINE)


def is_tidy(text: str) -> bool:
    """Return True if no cell in this text needs tidying; one quick look at all of them."""
    return "'" not in text and "\\" not in text and "NULL" not in text


def count_control_characters(text: str) -> int:
    """Count the characters that JSON escapes, besides quotes and backslashes."""
    bytes = ascii_bytes(text)
    return len(bytes) - len(bytes.translate(None, _CONTROL))


def ascii_bytes(text: str) -> bytes:
    """Encode a text so that ASCII stays as it is: Latin-1 if possible, which is far quicker."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def tidy_cells(cells: Sequence[str]) -> Sequence[str]:
    """Return a column's cells without Excel's apostrophes, and with `NULL` and ``\\N`` as empty cells."""
    together = "\n".join(cells)
    if "'" in together and ("\n'" in together or together[0] == "'"):
        is_line_each = together.count("\n") == len(cells) - 1
        if is_line_each and _all_of_digits(together):
            cells = together.removeprefix("'").replace("\n'", "\n").split("\n")
        elif is_line_each:
            cells = _KEPT_AS_TEXT.sub("", together).split("\n")
        else:
            cells = [_KEPT_AS_TEXT.sub("", cell, 1) if cell[:1] == "'" else cell for cell in cells]
    if "NULL" in together or "\\N" in together:
        cells = ["" if cell in NULLS else cell for cell in cells]
    return cells


def _all_of_digits(together: str) -> bool:
    """Return True if a column holds only ids and phone numbers, with or without apostrophes: the quick case."""
    first = together[0] == "'"
    return (
        together.isascii()
        and not together.encode().translate(None, b"0123456789+'\n")
        and together.count("'") == together.count("\n'") + first
        and "'\n" not in together
        and together[-1] != "'"
    )
