"""A dry run: what an import would send, and how long that would take. It needs only the rows, not Redis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tasks.imports.reasons import Reasons
from tasks.imports.rejects import Rejected
from tasks.imports.run import Import, route_parts
from tasks.jobs.rows import parse_rows
from worker.accounts.lookup import account
from worker.action import ACTIONS
from worker.governor import Look
from worker.settings import get_settings
from worker.tiers import SECOND_MS, Window


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an import would do.

    rejects: the first of the rows that would be rejected before anything is sent. reasons: why, with the number of rows
    and the first of them. left_out: columns that are not sent although no mapping says so, and why. seconds: until the
    last request is sent if nobody else uses the limit; how long Klaviyo works on the jobs is not known beforehand.
    """

    kind: str
    rows: int
    checked: int
    unchanged: int
    jobs: int
    requests: int
    bytes: int
    seconds: float
    rejects: tuple[Rejected, ...]
    reasons: tuple[tuple[str, int, tuple[int, ...]], ...]
    left_out: tuple[tuple[str, str], ...] = ()


#: Rejected rows that are listed one by one.
MAX_REJECTS_SHOWN = 20


def estimate(wanted: Import) -> Estimate:
    """Read and check every row, and send nothing.

    Raises:
        InputError, SourceError: the call or the source is wrong.

    """
    source, plan = wanted.open()
    rows = checked = unchanged = size = 0
    requests: dict[str, int] = {}
    shown: list[Rejected] = []
    reasons = Reasons()
    for each in route_parts(wanted, source, plan):
        if isinstance(each, Rejected):
            checked += 1
            rows += 1
            reasons.add(each.reason, each.row)
            if len(shown) < MAX_REJECTS_SHOWN:
                shown.append(each)
            continue
        unchanged += each.unchanged
        rows += each.unchanged
        if each.part is not None:
            requests[each.action] = requests.get(each.action, 0) + 1
            rows += len(parse_rows(each.part.rows))
            size += len(each.part.body)
    alias = account(get_settings(), wanted.account).alias
    seconds = max((seconds_at(alias, action, count, ()) for action, count in requests.items()), default=0.0)
    count = sum(requests.values())
    left_out = tuple(plan.all_left_out.items())
    why = tuple((reason, many, tuple(reasons.first_rows(reason))) for reason, many in reasons.most_frequent())
    return Estimate(wanted.kind, rows, checked, unchanged, count, count, size, seconds, tuple(shown), why, left_out)


def seconds_at(alias: str, action: str, count: int, looks: Iterable[Look]) -> float:
    """Return the seconds until ``count`` requests of an action are sent, after those that already wait."""
    line = ACTIONS[action].declaration.line(alias, {})
    found = next((look for look in looks if look.line == line.name), None)
    if found is None:
        return seconds_for(count, [(0, window) for window in line.buckets[0].limits.windows])
    windows = [(used, Window(limit, length)) for used, limit, length in found.buckets[0].windows]
    return max(seconds_for(count + found.now + found.bulk, windows), found.blocked, found.buckets[0].blocked)


def seconds_for(count: int, windows: Iterable[tuple[int, Window]]) -> float:
    """Return the seconds until ``count`` requests are sent, given how much of each window is used already."""
    return max(
        max(0, math.ceil((count + used) / window.limit) - 1) * window.length_ms / SECOND_MS for used, window in windows
    )
