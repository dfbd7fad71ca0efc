"""Calls that travel in one request: what the governor learns of them, and how an answer is divided. Pure.

A mistake in one call fails only that call. What Klaviyo refuses is sent again without the calls that it points at, or
in halves if it points at none. A call that stands alone in the end is sent as the single action that it is, so that it
ends as it would have by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from worker import errors
from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.errors import BadRequest, Conflict, KlaviyoError, Refused, TooLarge
from worker.governor import ALONE, Together
from worker.pointers import pointed_at, points_elsewhere
from worker.settings import get_settings
from worker.together.sharing import Sharing, hashed, parted, sharing_of

#: Refusals that may be one record's fault.
_OF_A_RECORD = (BadRequest, Conflict, TooLarge)


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


@dataclass(frozen=True, slots=True)
class Part:
    """What an answer means for one call: its envelope, its error, or that it goes again, with another share."""

    envelope: Envelope | None = None
    error: KlaviyoError | None = None
    share: str = ""
    why: str = ""


def divided(
    sharing: Sharing, calls: Sequence[tuple[Params, str]], answer: Envelope | KlaviyoError, request: str
) -> list[Part]:
    """Return what the answer to a request means for each call in it; ``calls`` are their parameters and shares.

    ``answer`` is an envelope or a refusal, ``request`` the id of the request, by which its halves are told apart.
    """
    if isinstance(answer, Envelope):
        envelopes = sharing.distribute([params for params, _ in calls], answer)
        return [Part(envelope) if envelope is not None else Part(why=UNANSWERED) for envelope in envelopes]
    if not isinstance(answer, _OF_A_RECORD) or points_elsewhere(answer, sharing.path):
        return [Part(why=REFUSED)] * len(calls)
    bad = _pointed_at(sharing, answer, [params for params, _ in calls])
    if bad and len(bad) < len(calls):
        return [
            Part(why=REFUSED) if place in bad else Part(share=share, why=WITHOUT)
            for place, (_, share) in enumerate(calls)
        ]
    if bad:
        return [Part(why=REFUSED)] * len(calls)
    return [Part(share=share, why=HALVED) for share in split([share for _, share in calls], 2, request)]


def split(shares: Sequence[str], parts: int, request: str) -> list[str]:
    """Return new shares for the calls of one request: only calls of the same part of it will share the next."""
    places = [place * parts // len(shares) for place in range(len(shares))]
    sizes, words = Counter(places), [hashed(request, part)[:8] for part in range(parts)]
    return [
        parted(share, words[place]) if sizes[place] > 1 else "" for share, place in zip(shares, places, strict=True)
    ]


#: Why a call goes again.
UNANSWERED = "the answer to the shared request says nothing about this call, which now goes alone"
REFUSED = "Klaviyo refused the shared request; this call now goes alone"
WITHOUT = "Klaviyo refused the shared request because of other calls, without which this one goes again"
HALVED = "Klaviyo refused the shared request without saying which call is wrong; it goes again in halves"


def _pointed_at(sharing: Sharing, refused: Refused, calls: Sequence[Params]) -> set[int]:
    """The calls whose records Klaviyo's errors point at."""
    owners = [place for place, params in enumerate(calls) for _ in range(sharing.records_of(params))]
    return {owners[record] for record in pointed_at(refused, sharing.path, len(owners))}


def outcome(end: Envelope | KlaviyoError) -> bytes:
    """Return how a call has ended, as it is kept for the worker that ends its task."""
    if isinstance(end, KlaviyoError):
        return orjson.dumps({"error": type(end).__name__, "args": end.args})
    return orjson.dumps({"envelope": end})


def reached(kept: str) -> Envelope:
    """Return the envelope of a call that has ended, or raise its error."""
    ended: dict[str, Any] = orjson.loads(kept)
    if "error" in ended:
        made: KlaviyoError = getattr(errors, ended["error"])(*ended["args"])
        raise made
    return Envelope(ended["envelope"])
