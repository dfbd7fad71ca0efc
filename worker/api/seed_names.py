"""The names that a call may use: the readable ones, and the seed document's, each of which stands for one. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from worker.api.parameters import Parameter, Params
from worker.api.wire import Path, flat_name, inside, put


@dataclass(frozen=True, slots=True)
class Adds:
    """A boolean parameter of the seed document that stands for one value of a list parameter."""

    parameter: str
    value: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A parameter of the seed document that the pinned revision no longer has: accepted and left out."""

    why: str


#: Moves the value of a parameter that the pinned revision expresses differently to where it belongs now.
#: Runs after all other parameters have found their places; a ValueError says what is wrong.
Translate = Callable[[Params, Any], None]


#: What a seed name stands for: a dotted path of plain names, or one of the above. A name that is itself a dotted
#: path, ``profile.anonymous_id``, stands for that key of a parameter.
Seed = str | Adds | Dropped | Translate


@dataclass(frozen=True, slots=True)
class Alias:
    """What a flat name stands for: a parameter and the keys inside it, or a constant that is checked and dropped."""

    keys: Path
    constant: str | None = None


#: What a flat name may stand for.
Target = Alias | Adds | Dropped | Translate


def read_aliases(
    parameters: Mapping[str, Parameter],
    constants: tuple[tuple[Path, str], ...],
    method: str,
    type: str | None,
    seed: Mapping[str, Seed],
) -> dict[str, Target]:
    """What each flat name stands for: computed from the parameters' places, or stated by the declaration."""
    aliases: dict[str, Target] = {}
    for parameter in parameters.values():
        aliases[flat_name(".".join(parameter.path))] = Alias((parameter.name,))
        for below, keys in parameter.codec.leaves if parameter.location == "body" else ():
            aliases[flat_name(".".join((*parameter.path, *below)))] = Alias((parameter.name, *keys))
    for path, value in constants:
        aliases[flat_name(".".join(path))] = Alias((), value)
    if method == "PATCH" and type:
        aliases["data__id"] = Alias(("id",))
    for name, target in seed.items():
        aliases[name] = Alias(tuple(target.split("."))) if isinstance(target, str) else target
    return {name: target for name, target in aliases.items() if name not in parameters}


def dropped_keys(aliases: Mapping[str, Target]) -> tuple[Path, ...]:
    """The keys inside parameters that Klaviyo no longer has."""
    return tuple(tuple(name.split(".")) for name, each in aliases.items() if "." in name and isinstance(each, Dropped))


def to_plain_names(
    given: Mapping[str, Any],
    parameters: Mapping[str, Parameter],
    aliases: Mapping[str, Target],
    dropped: Iterable[Path],
) -> tuple[Params, list[str]]:
    """The parameters under their plain names, whichever spelling they came in, and what is wrong with them.

    ``dropped`` are keys inside parameters that are left out.
    """
    params: Params = {name: value for name, value in given.items() if name in parameters}
    plain = set(params)
    came_as: dict[Path, str] = {}
    translated: list[tuple[str, Translate, Any]] = []
    problems: list[str] = []
    for name, value in given.items():
        if name in plain:
            continue
        match aliases.get(name):
            case None:
                problems.append(_unknown_problem(name, parameters, aliases))
            case Dropped():
                pass
            case Adds(parameter, extra):
                if value:
                    params[parameter] = [*(params.get(parameter) or []), extra]
            case Alias((), constant):
                if value != constant:
                    problems.append(f"parameter {name!r} is always {constant!r}: leave it out")
            case Alias(("id",)) if params.get("id") == value:
                pass  # the seed document has both `id` and `data__id` on every update
            case Alias(keys) if other := _earlier_spelling(keys, plain, came_as):
                problems.append(f"parameter {keys[0]!r} is given twice, as {other!r} and as {name!r}")
            case Alias(keys):
                came_as[keys] = name
                put(params, keys, value)
            case translate:
                translated.append((name, translate, value))
    problems += [problem for each in translated if (problem := _translate(params, *each))]
    return _parse(params, parameters, dropped), problems


def _parse(params: Params, parameters: Mapping[str, Parameter], dropped: Iterable[Path]) -> Params:
    """The values with JSON:API parsed, and without the keys that Klaviyo no longer has."""
    params = {name: parameters[name].codec.parse(value) for name, value in params.items()}
    for *above, name in dropped:
        # What was around it stays: it is what the call gave.
        inside(params, above).pop(name, None)
    return params


def can_be_given(target: Target) -> bool:
    """Whether a name stands for something that a caller may set."""
    return not isinstance(target, Dropped) and not (isinstance(target, Alias) and target.constant is not None)


def _earlier_spelling(keys: Path, plain: set[str], came_as: Mapping[Path, str]) -> str | None:
    """The name under which this value, a part of it, or a whole that contains it was given already."""
    if keys[0] in plain:
        return keys[0]
    return next((name for path, name in came_as.items() if path[: len(keys)] == keys[: len(path)]), None)


def _translate(params: Params, name: str, translate: Translate, value: Any) -> str | None:
    try:
        translate(params, value)
    except ValueError as error:
        return f"parameter {name!r}: {error}"
    return None


def _unknown_problem(name: str, parameters: Mapping[str, Parameter], aliases: Mapping[str, Target]) -> str:
    leading = [alias for alias, target in aliases.items() if can_be_given(target)]
    near = difflib.get_close_matches(name, [*parameters, *leading], n=1)
    return f"parameter {name!r} is not known" + (f"; did you mean {near[0]!r}?" if near else "")
