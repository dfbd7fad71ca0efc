"""How each scope of a key is tried without changing anything: by a request that has the scope and is no good. Pure.

Where a scope is missing Klaviyo answers 403. Where it is there, a request without parameters, an empty body, or a
record that does not exist is answered with what is asked for, 400 or 404. This supposes that scopes are looked at
before the rest of a request, which Klaviyo does not document: were it otherwise, too many would count as granted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from worker.api.declaration import Declaration
from worker.api.jsonapi import Request
from worker.tiers import MINUTE

#: What no record of Klaviyo's is called.
NOBODY = "no-such-record"

#: Methods by how little a request of theirs could do, were it any good.
_MILD = ("GET", "PATCH", "POST", "DELETE")


@dataclass(frozen=True, slots=True)
class Trial:
    """A scope, the action that tries it, and the other scopes which that needs."""

    scope: str
    declaration: Declaration
    others: frozenset[str]

    @property
    def request(self) -> Request:
        """A request of the action's that can do nothing."""
        path = re.sub(r"\{\w+\}", NOBODY, self.declaration.path)
        return Request(self.declaration.method, path, {}, None if self.declaration.method == "GET" else b"{}")


def trials(declarations: Iterable[Declaration]) -> list[Trial]:
    """A trial of each scope, those first that need no other one: by the mildest action, and the least limited one.

    One that has so many requests a day, as few as 15, is spared where another action has the scope.
    """
    found: dict[str, Declaration] = {}
    for each in declarations:
        for scope in () if each.client_side else each.scopes:
            if scope not in found or _rank(each) < _rank(found[scope]):
                found[scope] = each
    made = [Trial(scope, each, frozenset(each.scopes) - {scope}) for scope, each in found.items()]
    return sorted(made, key=lambda trial: (len(trial.others), trial.scope))


def _rank(declaration: Declaration) -> tuple[int, bool, int, bool, int]:
    method, elsewhere, limits = _MILD.index(declaration.method), "{" not in declaration.path, declaration.limits
    by_the_day = any(window.length > MINUTE for window in limits.windows)
    return len(declaration.scopes), by_the_day, method, elsewhere and method > 0, -limits.steady


def told(scopes: Collection[str]) -> list[tuple[str, str]]:
    """``("read", "lists, profiles")``, ``("write", …)``: what these scopes are for, as far as there are any."""
    parts = [scope.rpartition(":")[::2] for scope in sorted(scopes)]
    kinds = ((kind, ", ".join(name for name, of in parts if of == kind)) for kind in ("read", "write"))
    return [(kind, names) for kind, names in kinds if names]
