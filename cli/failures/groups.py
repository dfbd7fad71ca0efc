"""The tasks that failed for good at every Redis: a group is one, at however many of them its tasks are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from heapq import merge
from itertools import islice

from worker.failures.groups import Group
from worker.failures.kept import Count, Failure, drop, failure_groups, failures_of
from worker.failures.replay import Replayed, replay
from worker.redis.homes import ask_each, gathered


def read_groups() -> list[Count]:
    """Return every group, the largest first."""
    return joined(gathered(failure_groups))


def joined(found: Iterable[Count]) -> list[Count]:
    """Make one of each group that is kept at several Redis."""
    groups = dict[str, Count]()
    for each in found:
        if (known := groups.get(each.group.id)) is not None:
            failures = known.failures + each.failures
            each = Count(known.group, failures, min(known.first, each.first), max(known.last, each.last))
        groups[each.group.id] = each
    return sorted(groups.values(), key=lambda each: (-each.failures, each.group.id))


def read_failures(group: str, most: int | None = None) -> list[Failure]:
    """Return the failures of a group, the oldest first, and so many at most."""
    found = ask_each(lambda: list(failures_of(group, most))).values()
    return list(islice(merge(*found, key=lambda each: each.at), most))


def replay_all(group: Group, *, yes_again: bool = False, rehearse: bool = False) -> Replayed:
    """Repeat every task of a group, each at the Redis at which it is kept, as `worker.failures.replay.replay` does.

    Raises:
        OutcomeMatters: they may have been carried out, and ``yes_again`` is not set.

    """
    done = ask_each(lambda: replay(group, yes_again=yes_again, rehearse=rehearse)).values()
    return Replayed(sum(each.tasks for each in done), sum((each.impossible for each in done), Counter[str]()))


def drop_all(group: str) -> int:
    """Drop the failures of a group, and return how many there were."""
    return sum(ask_each(lambda: drop(group)).values())
