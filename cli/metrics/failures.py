"""Failed tasks that are kept, by group, the largest first. A group: tasks of one action that failed for one reason."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily

from cli.metrics.gauges import gauge, single
from worker.failures.kept import Count, failure_groups


def read(most: int) -> list[GaugeMetricFamily]:
    """Read what has failed, and was neither repeated nor dropped since.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    return families(failure_groups(), most)


def families(found: Sequence[Count], most: int) -> list[GaugeMetricFamily]:
    """Tell how many tasks the largest groups have, and since when; ``found`` is in the order of size."""
    shown = [((each.group.id, each.group.action, each.group.error, each.group.reason), each) for each in found[:most]]
    own = ("group", "action", "error", "reason")
    return [
        single("kept_failures", "Failed tasks that are kept until somebody repeats or drops them.",
               sum(each.failures for each in found)),
        gauge("group_failures", "How many of them a group has: those of one action that failed for one reason.", own,
              ((labels, each.failures) for labels, each in shown)),
        gauge("group_first_failure_timestamp_seconds", "When the first of them failed.", own,
              ((labels, each.first) for labels, each in shown)),
    ]  # fmt: skip
