"""Card numbers, recognised by their digits where a column's name does not give them away."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Why such a column is left out.
CARDS = "its values look like card numbers; if they are something else, map it, such as --map 'x=properties.x'"

#: The share of values that must be card numbers for a column to count as one of card numbers.
MIN_SHARE = 0.8

#: The prefixes and lengths of the large networks' card numbers.
_NUMBER = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}"
    r"|6[0-9]{15,18}"
)


def are_cards(cells: Sequence[str]) -> bool:
    """Return True if nearly all values of a column are card numbers."""
    values = {cell.strip() for cell in cells} - {""}
    return bool(values) and sum(map(is_card, values)) >= MIN_SHARE * len(values)


def is_card(cell: str) -> bool:
    """Return True for a card number with the right check digit; blanks and hyphens are ignored."""
    digits = cell.replace(" ", "").replace("-", "")
    return _NUMBER.fullmatch(digits) is not None and _luhn_sum(digits) % 10 == 0


def _luhn_sum(digits: str) -> int:
    """Return the Luhn sum of ISO/IEC 7812: counted from the right, every second digit is doubled."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return sum(map(int, digits[-1::-2])) + sum(doubled)
