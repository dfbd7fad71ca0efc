"""What each action can be filtered by: its fields, what they are compared with and how. Pure.

The facts are in the ``filters.json`` of the actions' package: ``{"get_campaigns": {"name": ["string", "contains"]}}``.
A field has the kind of its values, or all of them where they are a closed set, and its operators; ``any[]`` takes a
list, ``any[100]`` one of 100 values at most. A third word, ``once``, says that only one condition may have the field,
and the field ``*`` that there are others, of which nothing is known.
"""

from __future__ import annotations

import difflib
import pkgutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

#: Stands for the fields that nothing is known of.
OTHERS = "*"

#: The kinds of values by Klaviyo's names: what a field of this kind takes, and what was given instead.
_WANTED = {
    "string": "text",
    "boolean": "True or False",
    "integer": "a whole number",
    "number": "a number",
    "date-time": "a datetime with a time zone",
}
_GIVEN = {**_WANTED, "number": "a number with decimals", "date-time": "a datetime"}


@dataclass(frozen=True, slots=True)
class Filterable:
    """One field: the kind of its values or all of them, and the operators, each with the most values of its list."""

    kind: str = ""
    values: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    several: Mapping[str, float] = field(default_factory=dict)
    once: bool = False

    @property
    def operators(self) -> tuple[str, ...]:
        """The names of its operators."""
        return tuple(dict.fromkeys((*self.single, *self.several)))

    @classmethod
    def told(cls, values: str | list[str] | None, operators: str, once: str = "") -> Filterable:
        """The field that a row of the facts tells of."""
        words = [each.rstrip("]").partition("[") for each in operators.split()]
        closed = tuple(values) if isinstance(values, list) else ()
        return cls(
            kind="string" if closed else str(values or ""),
            values=closed,
            single=tuple(name for name, bracket, _ in words if not bracket),
            several={name: float(most or "inf") for name, bracket, most in words if bracket},
            once=bool(once),
        )


#: The fields of one action.
Fields = Mapping[str, Filterable]


class Condition(NamedTuple):
    """One condition of a filter as it was read; ``values`` are pairs of a kind and a text."""

    operator: str
    field: str
    values: Sequence[tuple[str, str]] = ()
    listed: bool = False


def problems(conditions: Sequence[Condition], fields: Fields) -> Iterator[str]:
    """What is wrong with a filter for an action that takes these fields. No value is repeated."""
    for condition in conditions:
        if wrong := _misfit(condition, fields):
            yield wrong
    for name, count in Counter(each.field for each in conditions).items():
        if count > 1 and name in fields and fields[name].once:
            yield f"{name} can be in one condition only"


def _misfit(condition: Condition, fields: Fields) -> str | None:
    name, operator = condition.field, condition.operator
    known = fields.get(name)
    if known is None:
        return None if OTHERS in fields else _unknown(name, fields)
    if operator not in known.operators:
        return f"{name} does not take {_spoken(operator)}, only {', '.join(map(_spoken, known.operators))}"
    if condition.listed and operator not in known.several:
        return f"{name} takes one value in {_spoken(operator)}, not a list"
    if not condition.listed and operator not in known.single:
        return f"{name} takes a list in {_spoken(operator)}"
    if condition.listed and len(condition.values) > known.several[operator]:
        return f"{name} takes {known.several[operator]:.0f} values at most in {_spoken(operator)}"
    return next((wrong for each in condition.values if (wrong := _unfit(name, known, *each))), None)


def _unfit(name: str, known: Filterable, kind: str, text: str) -> str | None:
    if known.values:
        if kind == "string" and text in known.values:
            return None
        return f"{name} is one of {', '.join(map(repr, known.values))}"
    if kind == known.kind or (kind, known.kind) == ("integer", "number"):
        return None
    return f"{name} is compared with {_WANTED[known.kind]}, not with {_GIVEN[kind]}"


def _unknown(name: str, fields: Fields) -> str:
    near = difflib.get_close_matches(name, fields, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"there is no field {name!r} to filter by{hint}, only {', '.join(fields)}"


def _spoken(operator: str) -> str:
    return operator.replace("-", "_")


def fields_of(package: str, action: str) -> Fields | None:
    """The fields of an action; None where the package's ``filters.json`` does not tell."""
    return _table(package).get(action)


@lru_cache
def _table(package: str) -> dict[str, Fields]:
    try:
        content = pkgutil.get_data(package, "filters.json")
    except OSError:
        return {}
    table: dict[str, dict[str, Any]] = orjson.loads(content) if content else {}
    return {action: {name: Filterable.told(*row) for name, row in fields.items()} for action, fields in table.items()}
