"""Decides which of several kinds of object a value is meant to be, so that its problems are those of that kind. Pure.

Kinds are told apart by the keys that have a closed set of values in each of them, and then by the keys that they know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from worker.api.body_leaves import Problem, Typed, list_values, typed

#: Kinds, by their indexes.
Kinds = tuple[int, ...]


class _Question(NamedTuple):
    """A key that tells kinds apart: which of them remain for each of its values, and which if it is absent."""

    key: str
    by_value: Mapping[Typed | None, Kinds]
    without: Kinds


@dataclass
class Choice:
    """Several kinds: the keys of each, the closed sets among their values, and the keys that each requires."""

    keys: list[frozenset[str]]
    closed: list[dict[str, list[Any]]]
    required: list[frozenset[str]]
    _questions: dict[Kinds, list[_Question]] = field(default_factory=dict)

    def narrow(self, value: Mapping[str, Any]) -> tuple[Kinds, Problem | None]:
        """The kinds that an object may be; none, and the reason, if it cannot be any."""
        meant: Kinds = tuple(range(len(self.keys)))
        narrower = True
        while narrower:
            narrower = False
            for key, by_value, without in self._distinguishing(meant):
                left = by_value.get(typed(value[key]), ()) if key in value else without
                if not left and key in value:
                    return (), Problem(
                        (key,), "wrong", f"should be {list_values(each[1] for each in by_value if each)}"
                    )
                if not left:
                    return (), Problem((key,), "missing", "is missing")
                if left != meant:
                    meant, narrower = left, True
                    break
        if len(meant) > 1:
            strange = {kind: len(value.keys() - self.keys[kind]) for kind in meant}
            meant = tuple(kind for kind in meant if strange[kind] == min(strange.values()))
        return meant, None

    def _distinguishing(self, kinds: Kinds) -> list[_Question]:
        """The keys that distinguish these kinds."""
        if kinds not in self._questions:
            first, *others = (self.closed[kind] for kind in kinds)
            self._questions[kinds] = [
                self._question(key, kinds)
                for key, values in first.items()
                if all(key in other for other in others) and any(other[key] != values for other in others)
            ]
        return self._questions[kinds]

    def _question(self, key: str, kinds: Kinds) -> _Question:
        by_value: dict[Typed | None, Kinds] = {}
        for kind in kinds:
            for value in map(typed, self.closed[kind][key]):
                by_value[value] = (*by_value.get(value, ()), kind)
        return _Question(key, by_value, tuple(kind for kind in kinds if key not in self.required[kind]))
