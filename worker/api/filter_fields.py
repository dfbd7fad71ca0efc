"""What each action can be filtered by: its fields, their operators and the values that these take. Pure.

The facts are in the ``filters.json`` of the actions' package: ``{"get_campaigns": {"name": ["string", "contains"]}}``.
A field has the type of its values, or the list of them if they are a closed set, and its operators; ``any[]`` takes a
list, ``any[100]`` a list of at most 100 values. A third word, ``once``, says that only one condition may use the field.
The field ``*`` says that there are others, of which nothing is known.
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

#: Stands for fields that nothing is known about.
OTHERS = "*"

#: The types of values by Klaviyo's names: what a field of this type takes, and what was given instead.
_EXPECTED = {
    "string": "text",
    "boolean": "True or False",
    "integer": "a whole number",
    "number": "a number",
    "date-time": "a datetime with a time zone",
}
_GIVEN = {**_EXPECTED, "number": "a number with decimals", "date-time": "a datetime"}


@dataclass(frozen=True, slots=True)
class Filterable:
    """One field: the type of its values, or all of them; the operators that take one value, and those that take a list.

    ``several`` maps each of the latter to the maximum length of its list.
    """

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
    def parse(cls, values: str | list[str] | None, operators: str, once: str = "") -> Filterable:
        """The field that an entry of ``filters.json`` describes."""
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
    """One condition of a parsed filter; ``values`` are pairs of a type and a text."""

    operator: str
    field: str
    values: Sequence[tuple[str, str]] = ()
    listed: bool = False


def problems(conditions: Sequence[Condition], fields: Fields) -> Iterator[str]:
    """What is wrong with a filter for an action with these fields, without repeating any value."""
    for condition in conditions:
        if wrong := _condition_problem(condition, fields):
            yield wrong
    for name, count in Counter(each.field for each in conditions).items():
        if count > 1 and name in fields and fields[name].once:
            yield f"{name} can be in one condition only"


def _condition_problem(condition: Condition, fields: Fields) -> str | None:
    name, operator = condition.field, condition.operator
    known = fields.get(name)
    if known is None:
        return None if OTHERS in fields else _unknown(name, fields)
    if operator not in known.operators:
        return f"{name} does not take {_method_name(operator)}, only {', '.join(map(_method_name, known.operators))}"
    if condition.listed and operator not in known.several:
        return f"{name} takes one value in {_method_name(operator)}, not a list"
    if not condition.listed and operator not in known.single:
        return f"{name} takes a list in {_method_name(operator)}"
    if condition.listed and len(condition.values) > known.several[operator]:
        return f"{name} takes at most {known.several[operator]:.0f} values in {_method_name(operator)}"
    return next((wrong for each in condition.values if (wrong := _value_problem(name, known, *each))), None)


def _value_problem(name: str, known: Filterable, kind: str, text: str) -> str | None:
    if known.values:
        if kind == "string" and text in known.values:
            return None
        return f"{name} is one of {', '.join(map(repr, known.values))}"
    if kind == known.kind or (kind, known.kind) == ("integer", "number"):
        return None
    return f"{name} is compared with {_EXPECTED[known.kind]}, not with {_GIVEN[kind]}"


def _unknown(name: str, fields: Fields) -> str:
    near = difflib.get_close_matches(name, fields, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"cannot filter by {name!r}{hint}, only by {', '.join(fields)}"


def _method_name(operator: str) -> str:
    return operator.replace("-", "_")


def fields_of(package: str, action: str) -> Fields | None:
    """The fields of an action; None if the package's ``filters.json`` does not have it."""
    return _table(package).get(action)


@lru_cache
def _table(package: str) -> dict[str, Fields]:
    try:
        content = pkgutil.get_data(package, "filters.json")
    except OSError:
        return {}
    table: dict[str, dict[str, Any]] = orjson.loads(content) if content else {}
    return {action: {name: Filterable.parse(*row) for name, row in fields.items()} for action, fields in table.items()}
