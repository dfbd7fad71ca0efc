"""Klaviyo's filter language: `equals(email,"ada@example.com"),greater-than(updated,2026-01-01T00:00:00Z)`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.errors import invalid_parameter
from sandbox.times import parsed

Value = str | int | float | bool | None
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


def parse(text: str, allowed: Mapping[str, list[str]]) -> list[Condition]:
    """The conditions of a filter, all of which must hold. 400 for what the operation does not take."""
    conditions = _Reader(text).conditions()
    for condition in conditions:
        operators = allowed.get(condition.field)
        if operators is None:
            raise _refused(f"'{condition.field}' is not a filterable field. Filterable: {', '.join(sorted(allowed))}.")
        if condition.operator not in operators:
            supported = ", ".join(operators)
            raise _refused(f"'{condition.operator}' does not apply to '{condition.field}'. Supported: {supported}.")
    return conditions


def matches(conditions: list[Condition], value_of: Callable[[str], Any]) -> bool:
    """Whether a record passes, given how to read its fields. Of a field's several values, one must."""
    return all(_holds(condition, value_of(condition.field)) for condition in conditions)


def _refused(detail: str) -> Exception:
    return invalid_parameter(detail, "filter")


class _Reader:
    """A recursive-descent reader over the filter's tokens."""

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

    def conditions(self) -> list[Condition]:
        found = self._sequence()
        if self._at != len(self._tokens):
            raise _refused("Invalid filter: unexpected text after its end.")
        return found

    def _sequence(self) -> list[Condition]:
        found = self._condition()
        while self._peek() == ("punctuation", ","):
            self._at += 1
            found += self._condition()
        return found

    def _condition(self) -> list[Condition]:
        operator = self._take("bare")
        self._expect("(")
        if operator == "and":
            inner = self._sequence()
            self._expect(")")
            return inner
        field = self._take("bare")
        values: tuple[Value, ...] = ()
        if operator not in _UNARY:
            self._expect(",")
            values = self._values()
        self._expect(")")
        return [Condition(operator, field, values)]

    def _values(self) -> tuple[Value, ...]:
        if self._peek() != ("punctuation", "["):
            return (self._value(),)
        self._at += 1
        values = [self._value()]
        while self._peek() == ("punctuation", ","):
            self._at += 1
            values.append(self._value())
        self._expect("]")
        return tuple(values)

    def _value(self) -> Value:
        kind, text = self._next()
        if kind == "punctuation":
            raise _refused(f"Invalid filter: a value was expected, not '{text}'.")
        if kind != "bare":
            return _moment(re.sub(r"\\(.)", r"\1", text))
        literals: dict[str, Value] = {"true": True, "false": False, "null": None}
        if text.lower() in literals:
            return literals[text.lower()]
        if re.fullmatch(r"-?\d+", text):
            return int(text)
        if re.fullmatch(r"-?\d+\.\d+", text):
            return float(text)
        if parsed(text) is None:
            raise _refused(f"Invalid filter: '{text}' is neither a date nor a number; quote strings.")
        return _moment(text)

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


def _moment(text: str) -> str:
    """Dates in the form in which they are stored; any other text as it is."""
    moment = parsed(text) if re.match(r"\d{4}-\d\d-\d\d", text) else None
    return moment.isoformat() if moment else text


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
    if actual is None or wanted is None:
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
