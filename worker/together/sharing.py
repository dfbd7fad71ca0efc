"""How calls of an action can travel in one request, as the engine knows it and the governor is told. Pure.

The table of these actions is in the module ``together`` of their package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import orjson

from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.governor import ALONE, Together
from worker.settings import get_settings

#: The first character of a thing that must not occur twice in one request, and has no order.
ONCE = "!"


@dataclass(frozen=True, slots=True)
class Share:
    """One call as a part of a request.

    Only calls with the same ``key`` share one. ``marks`` are pairs of a thing and what the call says about it. Two
    calls that say different things about one thing, or nothing in words, never share a request, and the second never
    overtakes the first. A thing that begins with `ONCE` must not occur twice in a request, but has no order. ``count``
    and ``size`` are the number of the call's records and their bytes.

    """

    key: str
    marks: tuple[tuple[str, str], ...] = ()
    count: int = 1
    size: int = 0

    def encoded(self, once: bool) -> str:
        """Return it as the governor's script reads it; ``once``: the call must not be repeated blindly."""
        words = (
            str(self.count),
            str(self.size),
            str(int(once)),
            self.key,
            *(f"{what}={said}" for what, said in self.marks),
        )
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Sharing:
    """How the calls of one action travel together.

    Attributes:
        carrier: the action whose request carries them.
        most, most_bytes: records in one request, and their bytes.
        share: one call's part; None for a call that goes alone.
        join: the carrier's parameters for these calls, which share.
        distribute: each call's own envelope; None if the answer says nothing about the call, which then goes alone.
        path: where the records stand in the carrier's body; empty where no pointer leads to one.
        entries: how many of these records are one call's.
        by_job: the carrier begins a job of Klaviyo's, and the calls end with that: only for calls that ask for it.

    """

    carrier: Declaration
    most: int
    most_bytes: int
    share: Callable[[Params], Share | None]
    join: Callable[[Sequence[Params]], Params]
    distribute: Callable[[Sequence[Params], Envelope], Sequence[Envelope | None]]
    path: tuple[str, ...] = ()
    entries: Callable[[Params], int] = lambda params: 1
    by_job: bool = False

    def carrying(self, account: str, params: Params) -> str:
        """Return what fits into a request that carries such calls, and its line, as the governor's script reads it."""
        line = self.carrier.line(account, self.join([params]))
        return f"{self.most} {self.most_bytes} {line.name} {line.spec}"


def sharing_of(declaration: Declaration) -> Sharing | None:
    """Return how the calls of an action travel together; None if they do not."""
    return _row(declaration.package, declaration.name)


@cache
def _row(package: str, action: str) -> Sharing | None:
    if find_spec(f"{package}.together") is None:
        return None
    row: Sharing | None = import_module(f"{package}.together").sharing_of(action)
    return row


#: By action, account and key, what carries such calls: most calls are like earlier ones, and working it out takes time.
MAX_REMEMBERED = 1_000
_carrying: dict[tuple[str, str, str], str] = {}


def traveling(
    declaration: Declaration, account: str, params: Params, once: bool, asked: bool | None = None
) -> Together:
    """Return what the governor has to know of a call: its share, and the request that would carry it.

    ``once``: the call must not be repeated blindly. ``asked``: whether its caller wants it to share a request; None if
    nothing was said.
    """
    sharing = sharing_of(declaration)
    if sharing is None or asked is False or (sharing.by_job and not asked) or not get_settings().together:
        return ALONE
    if (share := sharing.share(params)) is None:
        return ALONE
    which = sharing.carrier.name, account, share.key
    if (carrying := _carrying.get(which)) is None:
        if len(_carrying) >= MAX_REMEMBERED:
            _carrying.clear()
        carrying = _carrying[which] = sharing.carrying(account, params)
    return share.encoded(once), carrying


def hashed(*values: Any) -> str:
    """Return a short word that is the same for equal values, and reveals none of them."""
    return blake2b(orjson.dumps(values, option=orjson.OPT_SORT_KEYS), digest_size=9).hexdigest()


def parted(share: str, part: str) -> str:
    """Return the share of a call that from now on shares only with those of its part."""
    count, size, once, key, *marks = share.split(" ")
    return " ".join((count, size, once, f"{key}/{part}", *marks))
