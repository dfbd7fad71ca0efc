"""Phone numbers as people write them, turned into E.164, which Klaviyo accepts. No message repeats one.

phonenumbers reads a number correctly, but takes 20 µs or more. If its own rules for a country leave no choice, this
module makes the same number in a twentieth of that: one whose national prefix shows in its first digits, and whose
length the country has. Anything else goes to phonenumbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tasks.imports.cells import PLACEHOLDERS

if TYPE_CHECKING:
    from phonenumbers import PhoneMetadata

#: Calling codes that a whole column is matched against at once; a file has few.
MAX_CODES = 20
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PUNCTUATION = str.maketrans("", "", " \t\xa0()-./\u2010\u2011\u2012\u2013")
#: A long number as Excel shows it where it was not told that it is text.
_ROUNDED = re.compile(r"[0-9][.,][0-9]+E\+[0-9]+", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{4,15}")
_EDGES = " \t\r\n\xa0\x00\u200b\u200e\u202a\u202c\ufeff"


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules for a country's numbers, as far as comparing digits can apply them."""

    code: str
    prefix: str
    abroad: re.Pattern[str] | None
    valid: re.Pattern[str]
    lengths: frozenset[int]


class _Plain:
    """Matches a column of numbers that phonenumbers would leave as they are, for the calling codes seen so far."""

    def __init__(self) -> None:
        # Numbers of the United States and Canada need no further rules.
        self._of_code = {"1": "[2-9][0-9]{9}"}
        self._compile()

    def _compile(self) -> None:
        numbers = "|".join(f"{code}{national}" for code, national in self._of_code.items())
        self._pattern = re.compile(rf"(?>\+(?:{numbers})\n)*+")

    def __call__(self, texts: Sequence[str]) -> bool:
        return self._pattern.fullmatch("\n".join([*texts, ""])) is not None

    def learn(self, rules: _Rules) -> None:
        """Recognise the numbers of one more calling code."""
        if rules.code in self._of_code or len(self._of_code) >= MAX_CODES:
            return
        lengths = "|".join(f"[0-9]{{{length}}}" for length in sorted(rules.lengths))
        other = f"(?!{rules.prefix})" if rules.prefix else ""
        self._of_code[rules.code] = rf"(?!0){other}(?=(?:{lengths})\n)(?:{rules.valid.pattern})(?=\n)"
        self._compile()


_plain = _Plain()


def are_plain(texts: Sequence[str]) -> bool:
    """Return True if phonenumbers would leave all of these numbers as they are; False if unsure."""
    return _plain(texts)


def parse_phone(text: str, country: str | None, international: bool = False) -> str:
    """Return the number in a cell; empty if there is none.

    Args:
        text: the cell.
        country: the ISO 3166 code of the country of a number without a calling code.
        international: numbers begin with a calling code, with or without a ``+``.

    Raises:
        ValueError: it holds no phone number, or one whose country is unknown.

    """
    said = text.strip(_EDGES)
    if not said or said.casefold() in PLACEHOLDERS:
        return ""
    if _ROUNDED.fullmatch(said):
        raise ValueError("this is not a phone number any more: a spreadsheet has rounded it; take it from its origin")
    if international and not said.startswith("+"):
        said = f"+{said.removeprefix('00')}"
    return _quickly(said, country) or _parsed(said, country)


def _quickly(said: str, country: str | None) -> str | None:
    """Return the number if its digits leave no choice."""
    if said[0] == "+":
        digits = said[1:].translate(_PUNCTUATION)
        return _abroad(f"+{digits}") if digits.isascii() and digits.isdigit() else None
    digits = said.translate(_PUNCTUATION)
    if country is None or not (digits.isascii() and _DIGITS.fullmatch(digits)):
        return None
    rules = _rules(country)
    if rules is None or digits.startswith(rules.code) or (rules.abroad and rules.abroad.match(digits)):
        return None
    national = digits.removeprefix(rules.prefix) if rules.prefix else digits
    return f"+{rules.code}{national}" if _is_national(national, rules) else None


def _abroad(number: str) -> str | None:
    if _plain([number]):
        return number
    if not _E164.fullmatch(number):
        return None
    for end in (2, 3, 4):
        if (rules := _rules_of_code(number[1:end])) is not None:
            national = number[end:]
            prefixed = rules.prefix and national.startswith(rules.prefix)
            if prefixed or not _is_national(national, rules):
                return None
            _plain.learn(rules)
            return number
    return None


def _is_national(digits: str, rules: _Rules) -> bool:
    return len(digits) in rules.lengths and digits[0] != "0" and rules.valid.fullmatch(digits) is not None


@lru_cache(maxsize=300)
def _rules(country: str) -> _Rules | None:
    """Return the rules of a country; None if comparing digits is not enough."""
    from phonenumbers import PhoneMetadata

    return _simple(PhoneMetadata.metadata_for_region(country, None))


@lru_cache(maxsize=1000)
def _rules_of_code(code: str) -> _Rules | None:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    countries = COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    return _simple(PhoneMetadata.metadata_for_region(countries[0], None)) if countries else None


def _simple(found: PhoneMetadata | None) -> _Rules | None:
    if found is None or found.national_prefix_transform_rule or found.general_desc is None:
        return None
    prefix = found.national_prefix_for_parsing or ""
    if prefix and not prefix.isdigit():
        return None
    abroad = re.compile(found.international_prefix) if found.international_prefix else None
    valid = re.compile(found.general_desc.national_number_pattern or "(?!)")
    return _Rules(str(found.country_code), prefix, abroad, valid, frozenset(found.general_desc.possible_length))


def _parsed(said: str, country: str | None) -> str:
    """Return the number as phonenumbers reads it."""
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        ValidationResult,
        format_number,
        is_possible_number_with_reason,
        parse,
    )

    tries = [said, f"+{said[2:]}"] if said.startswith("00") else [said]
    number = None
    for each in tries:
        try:
            number = parse(each, country)
        except NumberParseException as error:
            if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and country is None and each[0] != "+":
                continue
            raise ValueError("this is not a phone number; write it like +46701112233") from None
        if is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE:
            return format_number(number, PhoneNumberFormat.E164)
    if number is None:
        raise ValueError("this phone number has no country code: give --country, or write it like +46701112233")
    raise ValueError("this is not a phone number: it has too few or too many digits for its country")
