"""A guess at what the columns of an unknown file are: by their names, and by the values of the first rows.

A guess is shown before anything is sent; it is never acted on silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tasks.imports.addresses import parse_address
from tasks.imports.amounts import DecimalMark, is_ambiguous_amount, parse_amount
from tasks.imports.cards import are_cards
from tasks.imports.column_names import column_names, plain_words
from tasks.imports.dates import DayOrder, parse_date_or_time
from tasks.imports.values import parse_boolean
from tasks.imports.withheld import is_secret

#: The share of a column's values that must be addresses, or international phone numbers, for it to count as such.
MIN_SHARE = 0.8

#: Names of columns that hold lists, in the languages of shops.
_LISTS = frozenset(("tags", "labels", "interests", "segments", "groups", "categories", "lists", "etiketter"))
#: Words in the names of columns whose digits are not amounts.
_NAMES_THINGS = re.compile(
    r"\b(id|ids|zip|postal|postcode|code|phone|tel|nr|no|number|num|sku|isbn\w*|ean|gtin|upc|plz|key|ref)\b"
)
#: Words in the names of columns that hold dates: numbers there are Excel's days since 1900.
_NAMES_DATES = re.compile(
    r"\b(dates?|datum|fecha|data|dato|created|updated|joined|registered|since|birthday|birthdate|dob|geburtstag"
    r"|födelsedag|last (order|purchase|login)|(sista|senaste) köp)\b"
)
_SERIALS = re.compile(r"[2-6][0-9]{4}([.,][0-9]+)?")
#: A text of so many characters is no amount.
MIN_NAME_CHARACTERS = 20
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_INTERNATIONAL = re.compile(r"(\+|00)[1-9][0-9 ()./-]{6,20}")
_CURRENCY = re.compile(r" (usd|eur|gbp|sek|nok|dkk|chf|pln|czk|cad|aud|nzd|jpy)$")


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess at a file: its kind, the field of each column, as in ``--map``, and fields that all rows have."""

    kind: str
    mapping: tuple[str, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)


def guess(
    header: Sequence[str],
    columns: Sequence[Sequence[str]],
    kind: str | None = None,
    is_field: Callable[[str, str], bool] = lambda kind, name: False,
) -> Guess:
    """Guess by the names of columns and by their values in the first rows.

    kind: the kind of import, if it is known. is_field: whether a name is a field of a kind, which needs no guess.
    """
    plain = {name: plain_words(name) for name in header if not is_secret(name)}
    values = {name: [cell for cell in cells if cell.strip()] for name, cells in zip(header, columns, strict=True)}
    kind = kind or _kind(plain, values)
    known = {name for name in plain if is_field(kind, name)}
    plain = {name: words for name, words in plain.items() if name not in known}
    targets = {name: target for name, target in _targets(kind, plain, values).items() if target not in known}
    # An import leaves columns of card numbers out, and says so, unless a mapping says what they are.
    plain = {name: words for name, words in plain.items() if name in targets or not are_cards(values[name])}
    fixed: dict[str, Any] = {}
    if kind == "events":
        fixed["metric"] = "Placed Order"
        valued = next((name for name, target in targets.items() if target == "value"), "")
        if "value_currency" not in targets.values() and (found := _CURRENCY.search(plain.get(valued, ""))):
            fixed["value_currency"] = found[1].upper()
    rest = "custom_metadata" if kind == "items" else "properties"
    mapping = [f"{name}={targets.get(name) or f'{rest}.{name}{_type(name, values[name])}'}" for name in plain]
    return Guess(kind, tuple(mapping), fixed)


def _kind(plain: Mapping[str, str], values: Mapping[str, Sequence[str]]) -> str:
    people = _by_name(column_names()["people"], plain)
    events = _by_name(column_names()["events"], plain)
    somebody = {"email", "external_id", "phone_number"} & set(people.values())
    ordered = {"time", "value"} <= set(events.values())
    if somebody and ordered and ("unique_id" in events.values() or _repeats(people, values)):
        return "events"
    items = _by_name(column_names()["items"], plain)
    return "items" if not somebody and {"external_id", "title"} <= set(items.values()) else "profiles"


def _repeats(people: Mapping[str, str], values: Mapping[str, Sequence[str]]) -> bool:
    """Return True if a person appears more than once: the rows are then about what people did."""
    named = [values[name] for name, target in people.items() if target in ("email", "external_id", "phone_number")]
    return any(len(set(each)) < len(each) for each in named)


def _targets(kind: str, plain: Mapping[str, str], values: Mapping[str, Sequence[str]]) -> dict[str, str]:
    if kind == "items":
        return _by_name(column_names()["items"], plain)
    people = _by_name(column_names()["people"], plain)
    for target, holds in (("email", _is_address), ("phone_number", _is_international)):
        if target not in people.values():
            found = [name for name in plain if name not in people and _mostly(values[name], holds)]
            people |= {found[0]: target} if found else {}
    if kind == "profiles":
        return people
    events = _by_name(column_names()["events"], plain)
    return {**{name: f"profile.{target}" for name, target in people.items() if name not in events}, **events}


def _by_name(fields: Mapping[str, Sequence[str]], plain: Mapping[str, str]) -> dict[str, str]:
    """Return the columns that have the name of a field; of several for one field, that of its first name."""
    found: dict[str, str] = {}
    for target, names in fields.items():
        for known in names:
            name = next((name for name, words in plain.items() if _CURRENCY.sub("", words) == known), None)
            if name is not None and name not in found:
                found[name] = target
                break
    return found


def _type(name: str, cells: Sequence[str]) -> str:
    """Return the type of a property, if all of its values have it."""
    if plain_words(name) in _LISTS:
        return ":list"
    if not cells or _NAMES_THINGS.search(plain_words(name)):
        return ""
    if _NAMES_DATES.search(plain_words(name)) and all(map(_SERIALS.fullmatch, cells)):
        return ":date"
    if all(map(_is_truth, cells)):
        return ":boolean"
    if all(map(_is_amount, cells)):
        return ":number"
    return ":date" if all(map(_is_date, cells)) else ""


def _mostly(cells: Sequence[str], holds: Callable[[str], bool]) -> bool:
    return bool(cells) and sum(map(holds, cells)) >= MIN_SHARE * len(cells)


def _reads(read: Callable[[str], Any], cell: str) -> bool:
    try:
        read(cell)
    except ValueError:
        return False
    return True


def _is_address(cell: str) -> bool:
    return "@" in cell and _reads(parse_address, cell)


def _is_international(cell: str) -> bool:
    return _INTERNATIONAL.fullmatch(cell.strip()) is not None


def _is_truth(cell: str) -> bool:
    return not cell.strip().isdigit() and _reads(parse_boolean, cell)


def _is_amount(cell: str) -> bool:
    mark: DecimalMark | None = "decimal-point" if is_ambiguous_amount(cell) else None
    is_name = _LEADING_ZERO.match(cell.strip()) or len(cell) >= MIN_NAME_CHARACTERS
    return not is_name and _reads(partial(parse_amount, decimal=mark), cell)


def _is_date(cell: str) -> bool:
    orders: tuple[DayOrder, ...] = ("day-first", "month-first")
    return not cell.strip().isdigit() and any(
        _reads(partial(parse_date_or_time, order=order), cell) for order in orders
    )
