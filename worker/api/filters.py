"""Writes Klaviyo's filter language, with correct quoting. Pure.

    F("email").equals("ada@example.com") & F("created").greater_than(datetime(2026, 1, 1, tzinfo=UTC))

A `Filter` is a string, the text that Klaviyo reads, so it goes wherever strings go, even into a message. It remembers
its conditions, so that a call can be refused if its action does not take them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from worker.api.filter_fields import Condition, Fields, problems

#: What a field may be compared with.
Value = str | bool | int | float | datetime

#: A field's name: anything without the language's punctuation.
_FIELD = re.compile(r"""[^\s,()\[\]"'\\](?:[^,()\[\]"'\\\n]*[^\s,()\[\]"'\\])?""")

#: One value as it is written: text in quotes, or anything bare.
_WRITTEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,\[\]]+)', re.DOTALL)


class Filter(str):
    """One condition or several, all of which must hold, in Klaviyo's filter language."""

    conditions: tuple[tuple[str, str, str], ...]

    def __new__(cls, *conditions: tuple[str, str, str]) -> Filter:
        """Write triples of a field, an operator and a value as a literal."""
        texts = [f"{operator}({field}{',' if value else ''}{value})" for field, operator, value in conditions]
        made = super().__new__(cls, texts[0] if len(texts) == 1 else f"and({','.join(texts)})")
        made.conditions = conditions
        return made

    def __and__(self, other: Filter) -> Filter:
        """Both must hold."""
        return Filter(*self.conditions, *other.conditions) if isinstance(other, Filter) else NotImplemented

    def __or__(self, other: object) -> NoReturn:
        """Refused: Klaviyo has no "or" between conditions."""
        raise TypeError("Klaviyo's filters have no 'or': list the values, F('id').any([…]), or make one call for each")

    def __invert__(self) -> NoReturn:
        """Refused: Klaviyo has no "not"."""
        raise TypeError("Klaviyo's filters have no 'not': describe what to find instead")

    def __bool__(self) -> NoReturn:
        """Refused: ``F(…) and F(…)`` would be the second alone, ``not F(…)`` no filter at all."""
        raise TypeError("a filter is neither true nor false: combine two with &, or test one with 'is None'")

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.conditions


class F:
    """A field to filter by. Each method is one of Klaviyo's operators; the action decides which ones a field takes."""

    __slots__ = ("_field",)

    def __init__(self, field: str) -> None:
        """Name a field as Klaviyo does, ``messages.channel``.

        Raises:
            ValueError: no field has such a name.

        """
        if not _FIELD.fullmatch(field):
            raise ValueError("a filter's field is a name such as 'email' or 'messages.channel'")
        self._field = field

    def equals(self, value: Value | Iterable[Value]) -> Filter:
        """The field equals this value; some fields take a list, all of which must match."""
        several = isinstance(value, Iterable) and not isinstance(value, str)
        return self._compare("equals", _list_literal(value) if several else literal(value))

    def any(self, values: Iterable[Value]) -> Filter:
        """The field is one of these values."""
        return self._compare("any", _list_literal(values))

    def contains(self, value: Value) -> Filter:
        """The text contains this part, or the list this member."""
        return self._compare("contains", literal(value))

    def contains_any(self, values: Iterable[Value]) -> Filter:
        """The list contains one of these members."""
        return self._compare("contains-any", _list_literal(values))

    def contains_all(self, values: Iterable[Value]) -> Filter:
        """The list contains all of these members."""
        return self._compare("contains-all", _list_literal(values))

    def starts_with(self, text: str) -> Filter:
        """The text starts with this."""
        return self._compare("starts-with", literal(text))

    def ends_with(self, text: str) -> Filter:
        """The text ends with this."""
        return self._compare("ends-with", literal(text))

    def less_than(self, value: Value) -> Filter:
        """The field is smaller or earlier."""
        return self._compare("less-than", literal(value))

    def less_or_equal(self, value: Value) -> Filter:
        """The field is not larger or later."""
        return self._compare("less-or-equal", literal(value))

    def greater_than(self, value: Value) -> Filter:
        """The field is larger or later."""
        return self._compare("greater-than", literal(value))

    def greater_or_equal(self, value: Value) -> Filter:
        """The field is not smaller or earlier."""
        return self._compare("greater-or-equal", literal(value))

    def has(self) -> Filter:
        """The field has a value at all."""
        return self._compare("has", "")

    def _compare(self, operator: str, value: str) -> Filter:
        return Filter((self._field, operator, value))


def literal(value: Any) -> str:
    """A value as a literal of the language: text in quotes, everything else bare, times in UTC.

    Raises:
        TypeError, ValueError: it has no literal. The message does not repeat the value.

    """
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return format(Decimal(repr(value)), "f")
        case float():
            raise ValueError("a filter compares with finite numbers")
        case datetime() if value.tzinfo is None:
            raise ValueError("a filter's datetime needs a time zone, datetime(2026, 1, 1, tzinfo=UTC)")
        case datetime():
            return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
        case date():
            raise TypeError(
                "a filter compares with a point in time: give a datetime with a time zone instead of a date"
            )
        case _:
            raise TypeError(f"a filter cannot compare with a {type(value).__name__}")


def _list_literal(values: Any) -> str:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError("this operator takes a list of values")
    texts = [literal(value) for value in values]
    if not texts:
        raise ValueError("a filter's list needs at least one value")
    return f"[{','.join(texts)}]"


def as_text(value: Any) -> Any:
    """The value of a parameter, with every filter in it as a plain string."""
    if isinstance(value, list | tuple):
        return [as_text(each) for each in value]
    return str(value) if isinstance(value, Filter) else value


def filter_problems(value: Any, fields: Fields | None, several: bool = False) -> list[str]:
    """What is wrong with the value of ``filter`` for an action with these fields.

    ``several``: the action takes a list of filters. Filters that are plain strings are not checked.
    """
    given = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(each, F) for each in given):
        return ["parameter 'filter' is a field without a condition; write F('email').equals(…)"]
    filters = [each for each in given if isinstance(each, Filter)]
    if filters and given is value and not several:
        return ["parameter 'filter' is a list; combine its filters with &, as in F(…).equals(…) & F(…).equals(…)"]
    if fields is None:
        return []
    read = [_read(*condition) for each in filters for condition in each.conditions]
    return [f"parameter 'filter': {problem}" for problem in problems(read, fields)]


def _read(field: str, operator: str, literal: str) -> Condition:
    """A condition with its values parsed, each with its type."""
    values = [
        (_kind(bare), bare) if bare else ("string", re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL))
        for text, bare in _WRITTEN.findall(literal)
    ]
    return Condition(operator, field, values, literal.startswith("["))


def _kind(bare: str) -> str:
    """Klaviyo's name for the type of a value that is not in quotes."""
    if bare in ("true", "false"):
        return "boolean"
    if re.fullmatch(r"-?\d+", bare):
        return "integer"
    return "number" if re.fullmatch(r"-?\d+\.\d+", bare) else "date-time"
