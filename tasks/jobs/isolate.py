"""Klaviyo refuses a whole request for one bad record: set that record aside, and send the others without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from tasks.jobs.import_runs import get_runs
from tasks.jobs.kinds import JobKind
from tasks.jobs.ledger import Job, get_ledger
from tasks.jobs.next_step import go_on
from tasks.jobs.outcome import REFUSED
from tasks.jobs.records import reason, records, value_at
from tasks.jobs.rows import format_rows, parse_rows
from worker.api.jsonapi import Request
from worker.errors import Refused
from worker.pointers import pointed_at, points_elsewhere

#: The most parts of one run that are sent in halves. A handful of bad records takes a few dozen; if all are
#: bad, halving would go on until each was sent alone.
MAX_HALVED_PARTS = 200


def isolate(job: Job, kind: JobKind, refused: Refused) -> bool:
    """Resend a refused part of an import without its bad records. Return False if they cannot be told from the others.

    Records that Klaviyo points at are set aside. If it points at nothing, each half is sent by itself, until the bad
    records are alone. If it points at something else, or halves were refused too often, the whole part is at fault.
    """
    request = get_ledger().request(job.id)
    if request is None:
        return True
    listed, rows = records(request.body, kind.path), parse_rows(job.rows)
    bad = {index: reason(error) for index, error in pointed_at(refused, kind.path, len(listed)).items()}
    if len(bad) == len(listed):
        return False
    if bad:
        good = [index for index in range(len(listed)) if index not in bad]
        rejects: list[dict[str, Any]] = [
            {"row": rows[index], "stage": REFUSED, "reason": why, "sent": listed[index]}
            for index, why in sorted(bad.items())
        ]
        fields = {"request": replace_records(request, kind, [listed[index] for index in good]), "items": len(good)}
        fields["rows"] = format_rows([rows[index] for index in good])
        fields["tries"] = job.tries + 1
        get_ledger().resend_without(job.id, rejects, **fields)
        go_on(job.id)
        return True
    if (
        len(listed) < 2
        or points_elsewhere(refused, kind.path)
        or get_runs().count_halved_part(job.run) > MAX_HALVED_PARTS
    ):
        return False
    middle = len(listed) // 2
    for name, half, of in (("a", listed[:middle], rows[:middle]), ("b", listed[middle:], rows[middle:])):
        _, released = get_ledger().open(
            f"{job.id}{name}", job.kind, job.account, replace_records(request, kind, half),
            lane=job.lane, cap=kind.cap, run=job.run, rows=format_rows(of), items=len(half), once=job.once,
        )  # fmt: skip
        go_on(*released)
    _, released = get_ledger().end(job.id, "split")
    go_on(job.id, *released)
    return True


def replace_records(request: Request, kind: JobKind, listed: list[Any]) -> Request:
    """Return the same request with other records."""
    document = orjson.loads(request.body or b"{}")
    value_at(document, kind.path[:-1])[kind.path[-1]] = listed
    return replace(request, body=orjson.dumps(document))
