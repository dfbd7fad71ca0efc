"""The tasks of one waiting list in the order in which they will be sent, whatever Celery calls their state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from cli.dashboard.limits import Limit, refresh
from cli.dashboard.table import PAGE_ROWS, clock_or_date, count_pages
from cli.terminal.times import duration
from cli.waiting import WaitingTask, waiting_task
from worker.governor import KEY_PREFIX, Pause, get_governor
from worker.governor.backlog import Waiting, read_in_order
from worker.messages import readable
from worker.redis.connection import get_redis
from worker.redis.homes import at_redis
from worker.redis.patience import asking_redis_once

#: What can be looked at: the two lanes, and the tasks of both whose time has not come.
Lane = Literal["now", "bulk", "later"]
LANES: tuple[Lane, ...] = get_args(Lane)


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A waiting task. ``place`` counts from 1; ``attempts`` are those that it has used up."""

    place: int
    id: str
    action: str
    lane: str
    parameters: str
    waits: str
    not_before: str
    attempts: int


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """One page of a lane of a bucket; ``total`` tasks wait in it, which ``pauses`` hold."""

    limit: Limit
    lane: Lane
    rows: Sequence[WaitingRow]
    total: int
    page: int
    pauses: Sequence[Pause]

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return count_pages(self.total)

    @property
    def counts(self) -> list[tuple[Lane, int]]:
        """How many wait in each lane."""
        return [(lane, count(self.limit, lane)) for lane in LANES]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is known of the bucket."""
        limit = self.limit
        facts = (
            ("Account", limit.account),
            ("Bucket", limit.bucket),
            ("Tier", limit.row.tier),
            ("Empty at", "" if limit.empty_at is None else clock_or_date(limit.empty_at)),
            ("Blocked until", "" if limit.until is None else clock_or_date(limit.until)),
            ("Stands still", " ".join(map(str, self.pauses)) or limit.row.why),
        )
        return [each for each in facts if each[1]]


def count(limit: Limit, lane: Lane) -> int:
    """Return how many tasks of a bucket wait in a lane."""
    return {"now": limit.row.now, "bulk": limit.row.bulk, "later": limit.row.later}[lane]


def read_anew(limit: Limit, lane: Lane, page: int) -> WaitingPage:
    """Read a page of the tasks that wait for a bucket, after the bucket itself; raises as `read_page` does."""
    [known] = refresh([limit])
    return read_page(known, lane, page)


@asking_redis_once()
def read_page(limit: Limit, lane: Lane, page: int) -> WaitingPage:
    """Read a page of the tasks that wait for a bucket; a page beyond the last one is the last.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    total = count(limit, lane)
    page = min(page, count_pages(total))
    with at_redis(limit.redis):
        governor, client, line = get_governor(), get_redis(), limit.row.name
        now, pauses = governor.now() / 1000, governor.holding((line, governor.specs([line])[0]))
        found = read_in_order(client, line, lane, (page - 1) * PAGE_ROWS + 1, PAGE_ROWS)
        used: Any = client.hmget(f"{KEY_PREFIX}attempts", [each.id for each in found]) if found else []
    rows = [waiting_row(each, now, int(attempts or 0)) for each, attempts in zip(found, used, strict=True)]
    return WaitingPage(limit, lane, rows, total, page, pauses)


def waiting_row(task: Waiting, now: float, attempts: int) -> WaitingRow:
    """Return a row for a task at a moment (Unix time); of its parameters there are the names."""
    shown = next((waiting_task(each, now) for each in readable([task.message or b""])), None)
    shown = shown or WaitingTask(task.id, "", "", task.lane, 0.0, "", None)
    return WaitingRow(
        task.place,
        task.id,
        shown.action or "-",
        task.lane,
        shown.arguments or "-",
        duration(max(0.0, shown.age)),
        "-" if task.not_before is None else clock_or_date(task.not_before),
        attempts,
    )
