"""The tab Failures: tasks that failed for good as `klaviyo failures` shows them, and one group to repeat or to drop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cli.absence import absences
from cli.dashboard.table import Cell, Column, Reading, Tab, count_column, text_column, time_column
from cli.failed_groups import drop_all, read_failures, read_groups, replay_all
from cli.failures import describe, describe_replay
from cli.times import clock
from worker.failures.kept import Count
from worker.failures.replay import OutcomeMatters
from worker.redis.absence import without_those_away
from worker.redis.patience import asking_redis_once

#: The most failures that the page of a group shows.
MAX_SHOWN = 100


@asking_redis_once()
def read() -> Reading[Count]:
    """Read every group of failures, the largest first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    return Reading(read_groups())


TAB = Tab(
    "Failures",
    read,
    (
        Column("Group", lambda each: Cell(each.group.id, link=f"failures/{each.group.id}"), lambda each: each.group.id),
        text_column("Action", lambda each: each.group.action),
        text_column("Error", lambda each: each.group.error),
        text_column("Reason", lambda each: each.group.reason),
        count_column("Failures", lambda each: each.failures, "text-danger", lambda each: f"failures/{each.group.id}"),
        time_column("First", lambda each: each.first),
        time_column("Last", lambda each: each.last),
        text_column("Look at", lambda each: each.group.look_at),
    ),
    lambda each: f"{each.group.id} {each.group.action} {each.group.error} {each.group.reason}",
    "No failed task is kept.",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One failure as its group's page shows it; of its parameters there are the names."""

    id: str
    failed: str
    account: str
    lane: str
    parameters: str
    error: str


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A group with its first failures, and what is missing because a Redis is away."""

    count: Count
    shown: Sequence[Shown]
    missing: Sequence[str] = ()


@asking_redis_once()
def read_group(id: str) -> GroupPage | None:
    """Read a group; None if there is none.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    with without_those_away() as missing:
        count, failures = _group(id), read_failures(id, MAX_SHOWN)
    if count is None:
        if missing.errors:
            raise next(iter(missing.errors.values()))  # where the group may be
        return None
    found = []
    for each in failures:
        error, parameters = describe(each)
        found.append(Shown(each.id, clock(each.at), each.account, each.lane, ", ".join(parameters) or "-", error))
    return GroupPage(count, found, absences(missing))


@asking_redis_once()
def replay_group(id: str, yes_again: bool) -> list[str]:
    """Repeat the tasks of a group, and say what became of them.

    Raises:
        redis.RedisError: Redis cannot be asked; what it has said until then is done.

    """
    try:
        with without_those_away():
            if (count := _group(id)) is None:
                return [GONE]
            return list(describe_replay(id, replay_all(count.group, yes_again=yes_again)))
    except OutcomeMatters as error:
        return [
            f"The tasks of {error.group} may have been carried out: nothing was repeated. Say that you have looked."
        ]


@asking_redis_once()
def drop_group(id: str) -> list[str]:
    """Drop the failures of a group, and say how many those were.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    with without_those_away():
        return [f"{drop_all(id):,} dropped."]


#: What is said of a group that is not there.
GONE = "There is no such group: its tasks were repeated or dropped, or failed too long ago."


def _group(id: str) -> Count | None:
    return next((each for each in read_groups() if each.group.id == id), None)
