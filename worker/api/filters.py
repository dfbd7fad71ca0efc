"""Klaviyo's filter language, written with its quoting right. Pure.

    F("email").equals("ada@example.com") & F("created").greater_than(datetime(2026, 1, 1, tzinfo=UTC))

A `Filter` is the text that Klaviyo reads, so it goes wherever text goes, into a message too; it remembers what it is
made of, so that the call can be refused where an action does not take it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from worker.api.filter_fields import Condition, Fields, problems

#: What a filter compares with.
Value = str | bool | int | float | datetime

#: A field's name: anything that is not a mark of the language.
_FIELD = re.compile(r"""[^\s,()\[\]"'\\](?:[^,()\[\]"'\\\n]*[^\s,()\[\]"'\\])?""")

#: One value as it is written: text in quotes, or anything bare.
_WRITTEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,\[\]]+)', re.DOTALL)


class Filter(str):
    """One condition or several, all of which must hold: a text of Klaviyo's filter language."""

    conditions: tuple[tuple[str, str, str], ...]

    def __new__(cls, *conditions: tuple[str, str, str]) -> Filter:
        """Write (field, operator, written value) triples."""
        texts = [f"{operator}({field}{',' if value else ''}{value})" for field, operator, value in conditions]
        made = super().__new__(cls, texts[0] if len(texts) == 1 else f"and({','.join(texts)})")
        made.conditions = conditions
        return made

    def __and__(self, other: Filter) -> Filter:
        """Both."""
        return Filter(*self.conditions, *other.conditions) if isinstance(other, Filter) else NotImplemented

    def __or__(self, other: object) -> NoReturn:
        """Klaviyo knows no "or" between conditions."""
        raise TypeError("Klaviyo's filters know no 'or': list the values, F('id').any([…]), or make a call for each")

    def __invert__(self) -> NoReturn:
        """Klaviyo knows no "not"."""
        raise TypeError("Klaviyo's filters know no 'not': ask for what is to be found")

    def __bool__(self) -> NoReturn:
        """Ask for neither: ``F(…) and F(…)`` would be the second alone, ``not F(…)`` no filter at all."""
        raise TypeError("a filter is neither true nor false: join two with &, and compare one with None")

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.conditions


class F:
    """A field to filter by. Each method is one of Klaviyo's operators; which ones a field takes is the action's."""

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
        """The field is this value; some fields take a list of which it is all."""
        several = isinstance(value, Iterable) and not isinstance(value, str)
        return self._compared("equals", _listed(value) if several else written(value))

    def any(self, values: Iterable[Value]) -> Filter:
        """The field is one of these values."""
        return self._compared("any", _listed(values))

    def contains(self, value: Value) -> Filter:
        """The text has this part, or the list this member."""
        return self._compared("contains", written(value))

    def contains_any(self, values: Iterable[Value]) -> Filter:
        """The list has one of these members."""
        return self._compared("contains-any", _listed(values))

    def contains_all(self, values: Iterable[Value]) -> Filter:
        """The list has all of these members."""
        return self._compared("contains-all", _listed(values))

    def starts_with(self, text: str) -> Filter:
        """The text begins so."""
        return self._compared("starts-with", written(text))

    def ends_with(self, text: str) -> Filter:
        """The text ends so."""
        return self._compared("ends-with", written(text))

    def less_than(self, value: Value) -> Filter:
        """The field is smaller or earlier."""
        return self._compared("less-than", written(value))

    def less_or_equal(self, value: Value) -> Filter:
        """The field is not larger or later."""
        return self._compared("less-or-equal", written(value))

    def greater_than(self, value: Value) -> Filter:
        """The field is larger or later."""
        return self._compared("greater-than", written(value))

    def greater_or_equal(self, value: Value) -> Filter:
        """The field is not smaller or earlier."""
        return self._compared("greater-or-equal", written(value))

    def has(self) -> Filter:
        """The field has a value at all."""
        return self._compared("has", "")

    def _compared(self, operator: str, value: str) -> Filter:
        return Filter((self._field, operator, value))


def written(value: Any) -> str:
    """A value as the language has it: text in quotes, everything else bare, moments in UTC.

    Raises:
        TypeError, ValueError: it has no such form. The value is not repeated.

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
            raise TypeError("a filter compares with a moment: give a datetime with a time zone instead of a date")
        case _:
            raise TypeError(f"a filter cannot compare with a {type(value).__name__}")


def _listed(values: Any) -> str:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError("this operator takes a list of values")
    texts = [written(value) for value in values]
    if not texts:
        raise ValueError("a filter's list needs at least one value")
    return f"[{','.join(texts)}]"


def plain(value: Any) -> Any:
    """The value of a parameter with every filter in it as mere text."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, Filter) else value


def refused(value: Any, fields: Fields | None, several: bool = False) -> list[str]:
    """What is wrong with a filter for an action that takes these fields, and a list of them where it takes ``several``.

    Mere text is not judged.
    """
    given = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(each, F) for each in given):
        return ["parameter 'filter': this is a field without a condition: F('email').equals(…)"]
    filters = [each for each in given if isinstance(each, Filter)]
    if filters and given is value and not several:
        return ["parameter 'filter': this is a list: join its filters with &, F(…).equals(…) & F(…).equals(…)"]
    if fields is None:
        return []
    read = [_read(*condition) for each in filters for condition in each.conditions]
    return [f"parameter 'filter': {problem}" for problem in problems(read, fields)]


def _read(field: str, operator: str, written: str) -> Condition:
    """A condition as it was written, with the kind of each value."""
    values = [
        (_kind(bare), bare) if bare else ("string", re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL))
        for text, bare in _WRITTEN.findall(written)
    ]
    return Condition(operator, field, values, written.startswith("["))


def _kind(bare: str) -> str:
    """Klaviyo's name for the kind of a value that is not in quotes."""
    if bare in ("true", "false"):
        return "boolean"
    if re.fullmatch(r"-?\d+", bare):
        return "integer"
    return "number" if re.fullmatch(r"-?\d+\.\d+", bare) else "date-time"
