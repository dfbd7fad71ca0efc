"""What calls of one kind have in common: those of an action that give the same names. Pure.

Which keys a body has, and where, follows from the names that a call gives. So once a body of some kind has been checked
as a whole, the next call of that kind is checked value by value, where its caller put them: no body is made for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from worker.api.body import Node
from worker.api.body_leaves import Problem
from worker.api.parameters import Parameter, Params
from worker.api.wire import AS_IS, Path

#: Kinds of calls that are remembered of one action, and sets of names.
MAX_KINDS = 1_000

_UNSEEN = object()

#: For values that stand in no body.
_ANYTHING = Node(frozenset(), lambda value: ())

#: What a JSON:API document has and a dictionary of plain names has not.
_RENDERED = {"type", "attributes"}


@dataclass(frozen=True, slots=True)
class _Kind:
    """A check for each value in turn, and the bytes that a body has beyond these values and their plain names."""

    nodes: tuple[Node, ...]
    around: int


class Kinds:
    """The kinds of one action's calls that were met so far.

    ``node_at`` gives the check of what stands at a place in the body, None where that depends on what stands beside it;
    ``max_body`` is the largest body in bytes.
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        node_at: Callable[[Path], Node | None] | None,
        max_body: int,
        dropped: Sequence[Path],
    ) -> None:
        self._parameters, self._node_at, self._max_body = parameters, node_at, max_body
        #: Parameters that have keys which Klaviyo no longer takes.
        self._outdated = {place[0] for place in dropped}
        self._known: dict[tuple[Any, ...], _Kind] = {}
        self._plain: dict[tuple[str, ...], tuple[tuple[str, frozenset[str]], ...] | None] = {}
        #: The parameters whose dictionaries travel as a resource.
        self._resources = tuple(name for name, each in parameters.items() if each.codec.keys)

    def plain(self, given: Mapping[str, Any]) -> Params | None:
        """The parameters, if they are given as they are kept: by their plain names, and none of them None.

        None where that takes a closer look.
        """
        names = tuple(given)
        resources: Any = self._plain.get(names, _UNSEEN)
        if resources is _UNSEEN:
            resources = _put(self._plain, names, self._plain_resources(names))
        if resources is None:
            return None
        for value in given.values():
            if value is None:
                return None
        for name, keys in resources:
            if type(given[name]) is not dict or not given[name].keys() <= keys:
                return None
        return dict(given)

    def _plain_resources(self, names: tuple[str, ...]) -> tuple[tuple[str, frozenset[str]], ...] | None:
        """Of each resource among these parameters: its name, and the keys whose values travel as they are."""
        found = []
        for name in names:
            parameter = self._parameters.get(name)
            if parameter is None or name == "filter" or name in self._outdated:
                return None
            codec = parameter.codec
            if codec.keys:
                as_is = {key for key, (_, inside) in codec.keys.items() if inside is AS_IS}
                found.append((name, frozenset(as_is - _RENDERED)))
            elif codec is not AS_IS:
                return None
        return tuple(found)

    def fits(self, params: Params) -> bool:
        """Whether a call is certainly one that Klaviyo's shapes permit, and no larger than its requests may be."""
        kind = self._known.get(self._kind(params))
        if kind is None:
            return False
        for (accepted, check), value in zip(kind.nodes, params.values(), strict=True):
            if type(value) not in accepted and check(value):
                return False
        return kind.around + len(orjson.dumps(params)) <= self._max_body

    def learn(self, params: Params, size: int) -> None:
        """Remember the kind of a call that was found to be right, with a body of so many bytes."""
        kind = self._kind(params)
        if kind in self._known:
            return
        places: list[Path] = []
        nodes = list(self._nodes(params, places))
        if None in nodes or _overlap(places):
            return
        sent = {name: value for name, value in params.items() if self._parameters[name].location == "body"}
        _put(self._known, kind, _Kind(tuple(filter(None, nodes)), size - len(orjson.dumps(sent))))

    def _kind(self, params: Params) -> tuple[Any, ...]:
        kind: list[Any] = [*params]
        for name in self._resources:
            value = params.get(name)
            kind.append(tuple(value) if type(value) is dict else None)
        return tuple(kind)

    def _nodes(self, params: Params, places: list[Path]) -> Iterator[Node | None]:
        """The check of each value; None where it is known for the body as a whole only."""
        for name, value in params.items():
            parameter = self._parameters[name]
            if parameter.location == "aside":
                yield None
            elif parameter.location != "body":
                yield _ANYTHING
            elif parameter.codec is AS_IS:
                places.append(parameter.path)
                yield self._at(parameter.path)
            elif name in self._resources and type(value) is dict and value.keys() <= parameter.codec.keys.keys():
                yield self._of_resource(parameter, value, places)
            else:
                yield None

    def _of_resource(self, parameter: Parameter, value: Mapping[str, Any], places: list[Path]) -> Node | None:
        inside = []
        for key in value:
            below, codec = parameter.codec.keys[key]
            node = self._at((*parameter.path, *below)) if codec is AS_IS else None
            if node is None:
                return None
            places.append((*parameter.path, *below))
            inside.append(node)

        def check(value: dict[str, Any]) -> Sequence[Problem]:
            for (accepted, check_value), each in zip(inside, value.values(), strict=True):
                if type(each) not in accepted and (found := check_value(each)):
                    return found
            return ()

        return Node(frozenset(), check)

    def _at(self, path: Path) -> Node | None:
        return self._node_at(path) if self._node_at else _ANYTHING


def _overlap(places: list[Path]) -> bool:
    """Whether one of these places is inside another."""
    return any(one is not other and other[: len(one)] == one for one in places for other in places)


def _put(into: dict[Any, Any], key: Any, value: Any) -> Any:
    if len(into) >= MAX_KINDS:
        into.clear()
    into[key] = value
    return value
