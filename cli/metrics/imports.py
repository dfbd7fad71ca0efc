"""Imports of the last two weeks by kind, over all accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily

from cli.metrics.gauges import gauge
from tasks.jobs.import_runs import Run, get_runs


def read(most: int) -> list[GaugeMetricFamily]:
    """Read the imports; ``most`` does not matter, since there are few kinds.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    runs = get_runs()
    return families(runs.recent(), runs.now())


def families(runs: Iterable[Run], now: float) -> list[GaugeMetricFamily]:
    """Tell what has become of the rows of all imports that are remembered."""
    states: Counter[tuple[str, str]] = Counter()
    rows: Counter[tuple[str, str]] = Counter()
    silent: dict[tuple[str], float] = {}
    for run in runs:
        states[run.kind, run.state] += 1
        outcomes = {
            "landed": run.landed,
            "set_aside": run.checked,
            "rejected": run.rejected,
            "unknown": run.unknown,
            "unchanged": run.unchanged,
            "withdrawn": run.withdrawn,
            "on_their_way": run.on_their_way,
        }
        for outcome, count in outcomes.items():
            rows[run.kind, outcome] += count
        if run.state == "running":
            silent[run.kind,] = max(silent.get((run.kind,), 0.0), now - run.seen)
    return [
        gauge("imports", "Imports of the last two weeks.", ("kind", "state"), states.items()),
        gauge("import_rows", "Their rows by outcome; set_aside: wrong in the source, so never sent.",
              ("kind", "outcome"), rows.items()),
        gauge("import_silent_seconds", "How long ago the import that has been silent longest was heard of.", ("kind",),
              silent.items()),
    ]  # fmt: skip
