"""How the answer to a request is divided among the calls that traveled in it. Pure.

A mistake in one call fails only that call. What Klaviyo refuses is sent again without the calls that it points at, or
in halves if it points at none. A call that stands alone in the end is sent as the single action that it is, so that it
ends as it would have by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.errors import BadRequest, Conflict, KlaviyoError, Refused, TooLarge
from worker.pointers import pointed_at, points_elsewhere
from worker.together.sharing import Sharing, hashed, parted

#: Refusals that may be one record's fault.
_OF_A_RECORD = (BadRequest, Conflict, TooLarge)


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
    owners = [place for place, params in enumerate(calls) for _ in range(sharing.entries(params))]
    return {owners[record] for record in pointed_at(refused, sharing.path, len(owners))}
