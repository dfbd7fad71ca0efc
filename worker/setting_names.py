"""Names in variables: the same for many spellings, or those of no setting, and what that was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping

#: What the variable of each setting begins with.
SETTING_PREFIX = "KLAVIYO_"

#: Variables with our prefix that are read elsewhere: this one by the tests of the declarations.
ELSEWHERE = frozenset({"OPENAPI"})

#: The settings by name. One that is a group has members: the names inside it, or none where any name is good.
Known = Mapping[str, Collection[str] | None]


def alias_of(name: str) -> str:
    """Names in variables are the same in any case and with ``-`` or ``_``, since a variable's name has no ``-``."""
    return name.lower().replace("_", "-")


def misspelled(variables: Iterable[str], known: Known) -> list[str]:
    """One sentence for each of these variables that has our prefix and sets nothing.

    None is an error, as it may be another program's. A wrong name inside a group is one, which `Settings` raises.
    """
    sentences = []
    for variable in sorted(variables):
        if not variable.upper().startswith(SETTING_PREFIX):
            continue
        name = variable[len(SETTING_PREFIX) :]
        head, nested, _ = name.lower().partition("__")
        if name.upper() in ELSEWHERE or (head in known and (not nested or known[head] is not None)):
            continue
        near = meant(name, known)
        sentences.append(f"{variable} is no setting" + (f"; did you mean {near}?" if near else " of this program."))
    return sentences


def meant(name: str, known: Known) -> str:
    """The variable that is nearest to this name, which stands without the prefix; nothing where none is near."""
    path = _divided(name.lower(), known) or _nearest(name.lower().split("__"), known)
    return SETTING_PREFIX + "__".join(path).upper() if path else ""


def _divided(name: str, known: Known) -> list[str]:
    """The path of a member of a group whose underscores are too many or too few: ``accounts__eu_api_key``."""
    flat = name.replace("__", "_")
    for group, members in known.items():
        for member in sorted(members or (), key=len, reverse=True):
            inner = flat.removeprefix(f"{group}_").removesuffix(f"_{member}")
            if flat == f"{group}_{inner}_{member}" and inner:
                return [group, inner, member]
    return []


def _nearest(path: list[str], known: Known) -> list[str]:
    head = difflib.get_close_matches(path[0], known, n=1)
    if not head:
        return []
    members = known[head[0]]
    if members is None:
        return head
    if not members or len(path) < 3:
        return [*head, *path[1:]] if len(path) > 1 else []
    member = difflib.get_close_matches(path[2], members, n=1)
    return [*head, path[1], *member, *path[3:]] if member else []
