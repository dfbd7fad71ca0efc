"""What the columns of a file may be that nobody knows: told by their names, and by the values of the first rows.

A guess is shown before anything is sent; it is never acted on silently.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.resources import files
from typing import Any

from tasks.imports.addresses import address
from tasks.imports.amounts import Decimal, amount, needs_decimal
from tasks.imports.cards import are_cards
from tasks.imports.dates import Order, date_or_time
from tasks.imports.values import boolean
from tasks.imports.withheld import is_secret

#: The share of a column's values that have to be addresses, or phone numbers with their country, to make it one.
MOST = 0.8

#: Fields by what columns are called that hold them, in the languages of shops.
_LISTS = frozenset(("tags", "labels", "interests", "segments", "groups", "categories", "lists", "etiketter"))
#: Words in the names of columns whose digits are no amount.
_NAMES_THINGS = re.compile(
    r"\b(id|ids|zip|postal|postcode|code|phone|tel|nr|no|number|num|sku|isbn\w*|ean|gtin|upc|plz|key|ref)\b"
)
#: Characters that are too many for an amount.
LONGEST_NUMBER = 20
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_INTERNATIONAL = re.compile(r"(\+|00)[1-9][0-9 ()./-]{6,20}")
_CURRENCY = re.compile(r" (usd|eur|gbp|sek|nok|dkk|chf|pln|czk|cad|aud|nzd|jpy)$")


@cache
def _names() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """What columns are called, by what the rows are about and by field."""
    return tomllib.loads(files("tasks.imports").joinpath("column_names.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Guess:
    """What a file may be: its kind, where each column may lead, as in ``--map``, and what all rows have."""

    kind: str
    mapping: tuple[str, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)


def guess(
    header: Sequence[str],
    columns: Sequence[Sequence[str]],
    kind: str | None = None,
    is_field: Callable[[str, str], bool] = lambda kind, name: False,
) -> Guess:
    """A guess by the names of columns and by their values in the first rows.

    ``kind``: what is known of that already. ``is_field``: whether a name is that of a field of a kind, which needs no
    guess.
    """
    plain = {name: _plain(name) for name in header if not is_secret(name)}
    values = {name: [cell for cell in cells if cell.strip()] for name, cells in zip(header, columns, strict=True)}
    kind = kind or _kind(plain, values)
    known = {name for name in plain if is_field(kind, name)}
    plain = {name: said for name, said in plain.items() if name not in known}
    targets = {name: target for name, target in _targets(kind, plain, values).items() if target not in known}
    # An import leaves columns of card numbers out, and says so, where no mapping says what they are.
    plain = {name: said for name, said in plain.items() if name in targets or not are_cards(values[name])}
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
    people = _by_name(_names()["people"], plain)
    events = _by_name(_names()["events"], plain)
    somebody = {"email", "external_id", "phone_number"} & set(people.values())
    ordered = {"time", "value"} <= set(events.values())
    if somebody and ordered and ("unique_id" in events.values() or _repeats(people, values)):
        return "events"
    items = _by_name(_names()["items"], plain)
    return "items" if not somebody and {"external_id", "title"} <= set(items.values()) else "profiles"


def _repeats(people: Mapping[str, str], values: Mapping[str, Sequence[str]]) -> bool:
    """Whether somebody is named more than once: rows are then about what people did."""
    named = [values[name] for name, target in people.items() if target in ("email", "external_id", "phone_number")]
    return any(len(set(each)) < len(each) for each in named)


def _targets(kind: str, plain: Mapping[str, str], values: Mapping[str, Sequence[str]]) -> dict[str, str]:
    if kind == "items":
        return _by_name(_names()["items"], plain)
    people = _by_name(_names()["people"], plain)
    for target, holds in (("email", _is_address), ("phone_number", _is_international)):
        if target not in people.values():
            found = [name for name in plain if name not in people and _mostly(values[name], holds)]
            people |= {found[0]: target} if found else {}
    if kind == "profiles":
        return people
    events = _by_name(_names()["events"], plain)
    return {**{name: f"profile.{target}" for name, target in people.items() if name not in events}, **events}


def _by_name(fields: Mapping[str, Sequence[str]], plain: Mapping[str, str]) -> dict[str, str]:
    """The columns that are called like a field; of several for one, the first that its names tell of."""
    found: dict[str, str] = {}
    for target, names in fields.items():
        for known in names:
            name = next((name for name, said in plain.items() if _CURRENCY.sub("", said) == known), None)
            if name is not None and name not in found:
                found[name] = target
                break
    return found


def _type(name: str, cells: Sequence[str]) -> str:
    """What a property seems to hold: all of its values have to."""
    if _plain(name) in _LISTS:
        return ":list"
    if not cells or _NAMES_THINGS.search(_plain(name)):
        return ""
    if all(map(_is_truth, cells)):
        return ":boolean"
    if all(map(_is_amount, cells)):
        return ":number"
    return ":date" if all(map(_is_date, cells)) else ""


def _mostly(cells: Sequence[str], holds: Callable[[str], bool]) -> bool:
    return bool(cells) and sum(map(holds, cells)) >= MOST * len(cells)


def _reads(read: Callable[[str], Any], cell: str) -> bool:
    try:
        read(cell)
    except ValueError:
        return False
    return True


def _is_address(cell: str) -> bool:
    return "@" in cell and _reads(address, cell)


def _is_international(cell: str) -> bool:
    return _INTERNATIONAL.fullmatch(cell.strip()) is not None


def _is_truth(cell: str) -> bool:
    return not cell.strip().isdigit() and _reads(boolean, cell)


def _is_amount(cell: str) -> bool:
    mark: Decimal | None = "decimal-point" if needs_decimal(cell) else None
    is_name = _LEADING_ZERO.match(cell.strip()) or len(cell) >= LONGEST_NUMBER
    return not is_name and _reads(partial(amount, decimal=mark), cell)


def _is_date(cell: str) -> bool:
    orders: tuple[Order, ...] = ("day-first", "month-first")
    return not cell.strip().isdigit() and any(_reads(partial(date_or_time, order=order), cell) for order in orders)


def _plain(name: str) -> str:
    spaced = re.sub(r"(?<=[a-zà-ÿ])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", spaced)).casefold()
