"""How each scope of a key is checked without changing anything: by an invalid request that needs the scope. Pure.

If a scope is missing, Klaviyo answers 403. If it is there, a request without parameters, with an empty body or for a
record that does not exist is answered with the data, 400 or 404. This assumes that scopes are checked before the rest
of a request, which Klaviyo does not document: if they were not, too many would count as granted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from worker.api.declaration import Declaration
from worker.api.jsonapi import Request
from worker.tiers import MINUTE_MS

#: An id that no record has.
NOBODY = "no-such-record"

#: Methods by how little a request could do if it were valid after all.
_MILD = ("GET", "PATCH", "POST", "DELETE")


@dataclass(frozen=True, slots=True)
class Trial:
    """A scope, the action that checks it, and the other scopes that this action needs."""

    scope: str
    declaration: Declaration
    others: frozenset[str]

    @property
    def request(self) -> Request:
        """A request for the action that can do nothing."""
        path = re.sub(r"\{\w+\}", NOBODY, self.declaration.path)
        return Request(self.declaration.method, path, {}, None if self.declaration.method == "GET" else b"{}")


def trials(declarations: Iterable[Declaration]) -> list[Trial]:
    """Return a trial of each scope by the mildest and least limited action, those first that need no other scope.

    An action with a daily limit, which may be as low as 15, is only used if no other action has the scope.
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
    by_the_day = any(window.length_ms > MINUTE_MS for window in limits.windows)
    return len(declaration.scopes), by_the_day, method, elsewhere and method > 0, -limits.steady


def by_kind(scopes: Collection[str]) -> list[tuple[str, str]]:
    """Group scopes by what they allow: ``("read", "lists, profiles")``, ``("write", …)``; empty groups are left out."""
    parts = [scope.rpartition(":")[::2] for scope in sorted(scopes)]
    kinds = ((kind, ", ".join(name for name, of in parts if of == kind)) for kind in ("read", "write"))
    return [(kind, names) for kind, names in kinds if names]
