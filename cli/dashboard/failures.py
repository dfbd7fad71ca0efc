"""The tab Failures: tasks that failed for good as `klaviyo failures` shows them, and one group to repeat or to drop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cli.absence import absences
from cli.dashboard.table import Cell, Column, Reading, Tab, count_column, page_of, text_column, time_column
from cli.failures.advice import Advice, advice
from cli.failures.command import NOTHING_KEPT, describe, describe_replay
from cli.failures.groups import drop_all, read_failures, read_groups, replay_all
from cli.terminal.times import clock
from worker.failures.kept import Count
from worker.failures.replay import OutcomeMatters
from worker.redis.absence import without_those_away
from worker.redis.patience import asking_redis_once

#: The most failures that the page of a group shows.
MAX_SHOWN = 100

#: Of how many groups the accounts are shown, and from how many of a group's failures they are gathered.
MAX_GROUPS, MAX_READ = 50, 20


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group, with the accounts of its first `MAX_READ` failures: all of them, unless there are ``more`` failures."""

    count: Count
    accounts: Sequence[str] = ()

    @property
    def advice(self) -> Advice:
        """What happened, and what to do."""
        return advice(self.count.group)

    @property
    def account(self) -> str:
        """Whose tasks failed, as far as that was read."""
        names = ", ".join(self.accounts)
        return f"{names}, …" if names and self.count.failures > MAX_READ else names


def urgency(each: GroupRow) -> tuple[int, int, str]:
    """What may have been carried out comes first, what needs nothing last; the largest group first of its kind."""
    return each.advice.rank, -each.count.failures, each.count.group.id


@asking_redis_once()
def read() -> Reading[GroupRow]:
    """Read every group of failures, the most dangerous first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    found = sorted((GroupRow(each) for each in read_groups()), key=urgency)
    return Reading([*(_with_accounts(each) for each in found[:MAX_GROUPS]), *found[MAX_GROUPS:]])


def _with_accounts(each: GroupRow) -> GroupRow:
    failures = read_failures(each.count.group.id, MAX_READ)
    return replace(each, accounts=sorted({failure.account for failure in failures}))


def _words(each: GroupRow) -> str:
    group = each.count.group
    return f"{group.id} {group.action} {group.error} {each.advice.happened} {group.reason} {each.account}"


def _page(each: GroupRow) -> str:
    return page_of("failures", each.count.group.id)


def _happened(each: GroupRow) -> Cell:
    return Cell(each.advice.happened, "text-danger" if each.count.group.unknown else "")


TAB = Tab(
    "Failures",
    read,
    (
        Column("Group", lambda each: Cell(each.count.group.id, link=_page(each)), lambda each: each.count.group.id),
        text_column("Account", lambda each: each.account),
        count_column("Failures", lambda each: each.count.failures, "text-danger", _page),
        Column("What happened", _happened, lambda each: each.advice.happened),
        text_column("Reason", lambda each: each.count.group.reason),
        text_column("What to do", lambda each: each.advice.to_do),
        time_column("Last", lambda each: each.count.last),
    ),
    _words,
    NOTHING_KEPT,
    troubles=lambda each: each.count.failures,
    counted="tasks that failed for good",
)


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One failure as its group's page shows it; of its parameters there is what `identify` shows."""

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
    advice: Advice
    shown: Sequence[FailureRow]
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
        found.append(FailureRow(each.id, clock(each.at), each.account, each.lane, ", ".join(parameters) or "-", error))
    return GroupPage(count, advice(count.group), found, absences(missing))


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
