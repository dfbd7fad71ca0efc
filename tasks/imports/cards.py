"""Card numbers, recognised by their digits where a column's name does not give them away."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Why a column of them is left out.
CARDS = "its values look like card numbers; if they are something else, map it, such as --map 'x=properties.x'"

#: The share of a column's values that have to be card numbers to make it a column of them.
MOST = 0.8

#: How numbers of the large networks begin, and how many digits they have.
_NUMBER = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}"
    r"|6[0-9]{15,18}"
)


def are_cards(cells: Sequence[str]) -> bool:
    """Whether a column holds card numbers: nearly all of its values are, and it has some."""
    values = {cell.strip() for cell in cells} - {""}
    return bool(values) and sum(map(is_card, values)) >= MOST * len(values)


def is_card(cell: str) -> bool:
    """Whether a text is a card number with the right check digit; blanks and hyphens may divide it."""
    digits = cell.replace(" ", "").replace("-", "")
    return _NUMBER.fullmatch(digits) is not None and _luhn_sum(digits) % 10 == 0


def _luhn_sum(digits: str) -> int:
    """The sum by which ISO/IEC 7812 checks a number; from the right, every second digit counts twice."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return sum(map(int, digits[-1::-2])) + sum(doubled)
