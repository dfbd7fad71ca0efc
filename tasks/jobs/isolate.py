"""One bad record refuses a whole request: set it aside, and send the others without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from tasks.jobs.kinds import Kind
from tasks.jobs.next_step import go_on
from tasks.jobs.outcome import REFUSED
from tasks.jobs.records import at, index, reason, records
from tasks.jobs.rows import numbers, ranges
from worker.errors import Refused
from worker.execution import patiently
from worker.jsonapi import Request
from worker.ledger import Job, get_ledger


def isolate(job: Job, kind: Kind, refused: Refused) -> bool:
    """Go on with a part of an import that Klaviyo has refused; False where no record can be told from the others.

    Where Klaviyo points at records, those are set aside. Where it does not, each half is sent by itself, until the bad
    records are alone.
    """
    request = patiently(lambda: get_ledger().request(job.id))
    if request is None:
        return True
    listed, rows = records(request.body, kind.path), numbers(job.rows)
    bad = _pointed_at(refused, kind, len(listed))
    if len(bad) == len(listed) or (not bad and len(listed) < 2):
        return False
    if bad:
        good = [place for place in range(len(listed)) if place not in bad]
        rejects: list[dict[str, Any]] = [
            {"row": rows[place], "stage": REFUSED, "reason": why, "sent": listed[place]}
            for place, why in sorted(bad.items())
        ]
        fields = {"request": _with(request, kind, [listed[place] for place in good]), "items": len(good)}
        fields["rows"] = ranges([rows[place] for place in good])
        fields["tries"] = job.tries + 1
        patiently(lambda: get_ledger().narrow(job.id, rejects, **fields))
        go_on(job.id)
        return True
    middle = len(listed) // 2
    for name, half, of in (("a", listed[:middle], rows[:middle]), ("b", listed[middle:], rows[middle:])):
        released = patiently(
            lambda name=name, half=half, of=of: get_ledger().open(  # type: ignore[misc]
                f"{job.id}{name}", job.kind, job.account, _with(request, kind, half),
                lane=job.lane, cap=kind.cap, run=job.run, rows=ranges(of), items=len(half),
            )
        )  # fmt: skip
        go_on(*released)
    _, released = patiently(lambda: get_ledger().ended(job.id, "split"))
    go_on(job.id, *released)
    return True


def _pointed_at(refused: Refused, kind: Kind, count: int) -> dict[int, str]:
    """The records that Klaviyo's errors point at, each with the reason."""
    found: dict[int, str] = {}
    for error in refused.errors:
        pointer = (error.get("source") or {}).get("pointer")
        place = index(pointer, kind.path)
        if place is not None and place < count:
            found.setdefault(place, reason({**error, "pointer": pointer}))
    return found


def _with(request: Request, kind: Kind, listed: list[Any]) -> Request:
    """The same request with other records."""
    document = orjson.loads(request.body or b"{}")
    at(document, kind.path[:-1])[kind.path[-1]] = listed
    return replace(request, body=orjson.dumps(document))
