"""Numbers as exports spell them: ``$1,234.50``, ``1.234,50 €``, ``899kr``. No message repeats a value."""

from __future__ import annotations

import re
from typing import Literal

#: Whether a comma or a point comes before the decimals.
DecimalMark = Literal["decimal-comma", "decimal-point"]

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MONEY = r"(?:[A-Z]{3}|[A-Z]{0,3}[$€£¥₹₺₽₩₪฿₫₴₱]|kr\.?|zł|Kč|Ft|лв\.?|Fr\.?|SFr\.?|R\$)"
_AMOUNT = re.compile(
    rf"(?P<minus>[-−(])?\s*(?:{_MONEY})?\s*(?P<inner>[-−])?\s*"
    rf"(?P<digits>[0-9](?:[0-9.,'’\s]*[0-9])?(?:,-|\.-|:-)?)\s*(?:{_MONEY})?\s*(?P<end>\))?"
)
_GROUPED = {
    "decimal-point": re.compile(r"[1-9][0-9]{0,2}(?:[,'’ ][0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?"),
    "decimal-comma": re.compile(r"[1-9][0-9]{0,2}(?:[.'’ ][0-9]{3})+(?:,[0-9]+)?|[0-9]+(?:,[0-9]+)?"),
}
_ONE_MARK = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")


def infer_decimal(text: str) -> DecimalMark | None:
    """Return the decimal mark that a number proves; None if both readings are numbers, or it has no mark."""
    digits = _digits(text)
    if digits is None or not ("," in digits[0] or "." in digits[0]):
        return None
    as_point, as_comma = (bool(_GROUPED[each].fullmatch(digits[0])) for each in ("decimal-point", "decimal-comma"))
    if as_point == as_comma:
        return None
    return "decimal-point" if as_point else "decimal-comma"


def is_ambiguous_amount(text: str) -> bool:
    """Return True for a number that can be read in two ways. One with a single point is not: programs write that."""
    digits = _digits(text)
    return bool(digits and _ONE_MARK.fullmatch(digits[0]))


def parse_amount(text: str, decimal: DecimalMark | None = None) -> int | float:
    """Return the number in a cell, whatever its currency.

    Raises:
        ValueError: it holds no number, or one that can be read in two ways.

    """
    said = text.strip()
    if _WHOLE.fullmatch(said):
        return int(said)
    if decimal != "decimal-comma" and _PLAIN.fullmatch(said):
        return float(said)
    found = _digits(said)
    if found is None:
        raise ValueError("this is not a number; write it like 1234.5")
    digits, minus = found
    if decimal is None and _ONE_MARK.fullmatch(digits):
        raise ValueError(
            "this can be read as two numbers: say which decimal mark it has (--decimals), or write it like 1234.5"
        )
    decimal = infer_decimal(digits) or decimal or "decimal-point"  # what a number itself proves goes first
    if not _GROUPED[decimal].fullmatch(digits):
        raise ValueError("this is not a number; write it like 1234.5")
    mark = "." if decimal == "decimal-point" else ","
    whole, _, decimals = digits.partition(mark)
    whole = re.sub(r"[^0-9]", "", whole)
    value = float(f"{whole}.{decimals}") if decimals else int(whole)
    return -value if minus else value


def _digits(text: str) -> tuple[str, bool] | None:
    """Return the digits and marks of an amount, with plain blanks, and whether it is negative."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or (found["minus"] == "(") != bool(found["end"]):
        return None
    digits = re.sub(r"\s", " ", re.sub(r"[,.:]-$", "", found["digits"]))
    return digits, bool(found["minus"] or found["inner"])
