"""Klaviyo's filter language: `equals(email,"ada@example.com"),greater-than(updated,2026-01-01T00:00:00Z)`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.errors import invalid_parameter
from sandbox.times import from_iso
from worker.api import filter_fields
from worker.api.filter_fields import Fields, problems

Value = str | int | float | bool
_TOKEN = re.compile(
    r"""\s*(?:(?P<punctuation>[(),\[\]])|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<bare>[^\s(),\[\]"']+))"""
)
_UNARY = frozenset({"has"})
COMPARISONS = frozenset({"greater-than", "greater-or-equal", "less-than", "less-or-equal"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a field."""

    operator: str
    field: str
    values: tuple[Value, ...]


def parse(text: str, fields: Fields) -> list[Condition]:
    """The conditions of a filter, all of which must hold; 400 for what the operation does not accept."""
    read = _Reader(text).conditions()
    if wrong := next(problems(read, fields), None):
        raise _refused(f"Invalid filter: {wrong}.")
    return [Condition(each.operator, each.field, tuple(_value(*value) for value in each.values)) for each in read]


def matches(conditions: list[Condition], value_of: Callable[[str], Any]) -> bool:
    """Whether a record passes, given how to read its fields. If a field has several values, one of them must match."""
    return all(_holds(condition, value_of(condition.field)) for condition in conditions)


def _refused(detail: str) -> Exception:
    return invalid_parameter(detail, "filter")


class _Reader:
    """A recursive-descent parser over the filter's tokens."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        text = text.strip()
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None or token.lastgroup is None:
                raise _refused(f"Invalid filter: cannot read it from '{text[at : at + 20]}'.")
            self._tokens.append((token.lastgroup, token.group(token.lastgroup)))
            at = token.end()
        self._at = 0

    def conditions(self) -> list[filter_fields.Condition]:
        found = self._sequence()
        if self._at != len(self._tokens):
            raise _refused("Invalid filter: unexpected text after its end.")
        return found

    def _sequence(self) -> list[filter_fields.Condition]:
        found = self._condition()
        while self._peek() == ("punctuation", ","):
            self._at += 1
            found += self._condition()
        return found

    def _condition(self) -> list[filter_fields.Condition]:
        operator = self._take("bare")
        self._expect("(")
        if operator == "and":
            inner = self._sequence()
            self._expect(")")
            return inner
        field = self._take("bare")
        values: list[tuple[str, str]] = []
        listed = False
        if operator not in _UNARY:
            self._expect(",")
            listed = self._peek() == ("punctuation", "[")
            values = self._listed() if listed else [self._value()]
        self._expect(")")
        return [filter_fields.Condition(operator, field, values, listed)]

    def _listed(self) -> list[tuple[str, str]]:
        self._at += 1
        values = [self._value()]
        while self._peek() == ("punctuation", ","):
            self._at += 1
            values.append(self._value())
        self._expect("]")
        return values

    def _value(self) -> tuple[str, str]:
        """A value's type and its text."""
        kind, text = self._next()
        if kind == "punctuation":
            raise _refused(f"Invalid filter: a value was expected, not '{text}'.")
        if kind != "bare":
            return "string", re.sub(r"\\(.)", r"\1", text)
        if text.lower() in ("true", "false"):
            return "boolean", text
        if re.fullmatch(r"-?\d+", text):
            return "integer", text
        if re.fullmatch(r"-?\d+\.\d+", text):
            return "number", text
        if from_iso(text) is None:
            raise _refused(f"Invalid filter: '{text}' is neither a date nor a number; quote strings.")
        return "date-time", text

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, kind: str) -> str:
        found, text = self._next()
        if found != kind:
            raise _refused(f"Invalid filter: unexpected '{text}'.")
        return text

    def _expect(self, mark: str) -> None:
        if self._next() != ("punctuation", mark):
            raise _refused(f"Invalid filter: '{mark}' is missing.")


def _value(kind: str, text: str) -> Value:
    """A value as it is compared; dates in the format in which they are stored."""
    match kind:
        case "boolean":
            return text.lower() == "true"
        case "integer":
            return int(text)
        case "number":
            return float(text)
        case "date-time":
            moment = from_iso(text)
            return moment.isoformat() if moment else text
        case _:
            return text


def _holds(condition: Condition, actual: Any) -> bool:
    candidates = actual if isinstance(actual, list | tuple) else [actual]
    if condition.operator == "has":
        return any(candidate is not None for candidate in candidates)
    if condition.operator == "contains-all":
        return all(any(_compare("contains-any", one, wanted) for one in candidates) for wanted in condition.values)
    return any(
        _compare(condition.operator, candidate, wanted) for candidate in candidates for wanted in condition.values
    )


def _compare(operator: str, actual: Any, wanted: Value) -> bool:
    if operator in ("equals", "any", "contains-any"):
        return bool(actual == wanted) or (
            isinstance(actual, str) and isinstance(wanted, str) and actual.casefold() == wanted.casefold()
        )
    if actual is None:
        return False
    if operator in COMPARISONS:
        if isinstance(actual, str) != isinstance(wanted, str):
            return False
        return _ordered(operator, actual, wanted)
    text, part = str(actual).casefold(), str(wanted).casefold()
    if operator == "contains":
        return part in text
    return text.startswith(part) if operator == "starts-with" else text.endswith(part)


def _ordered(operator: str, actual: Any, wanted: Any) -> bool:
    if operator == "greater-than":
        return bool(actual > wanted)
    if operator == "greater-or-equal":
        return bool(actual >= wanted)
    return bool(actual < wanted) if operator == "less-than" else bool(actual <= wanted)
