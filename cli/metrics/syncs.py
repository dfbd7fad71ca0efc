"""Syncs: how far behind Klaviyo the store is, those furthest behind first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily

from cli.metrics.gauges import gauge
from schedules.store.connection import reading
from schedules.stream_status import LatestRun, last_successes, latest_runs


def read(most: int) -> list[GaugeMetricFamily]:
    """Read the latest run of each stream from the store.

    Raises:
        SettingsError: the store was not created, or lacks the tables of this version.
        sqlalchemy.exc.DBAPIError: the store cannot be read.

    """
    with reading() as connection:
        return families(list(latest_runs(connection)), last_successes(connection), datetime.now(UTC), most)


def families(
    runs: Iterable[LatestRun], succeeded: Mapping[tuple[str, str], datetime], now: datetime, most: int
) -> list[GaugeMetricFamily]:
    """Tell how long ago each stream was up to date; ``succeeded``: when a run of it last ended well."""
    found = list(runs)
    states = Counter((each.run.state,) for each in found)
    lags = {(each.account, each.stream): (now - each.watermark).total_seconds() for each in found if each.watermark}
    shown = sorted(lags.items(), key=lambda item: -item[1])[:most]
    oldest = sorted(succeeded.items(), key=lambda item: item[1])[:most]
    own = ("account", "stream")
    return [
        gauge("sync_lag_seconds", "How far behind now a stream is: the age of its watermark.", own, shown),
        gauge("sync_last_success_timestamp_seconds", "When a run of a stream last ended well.", own,
              ((name, moment.timestamp()) for name, moment in oldest)),
        gauge("syncs", "Streams by the state of their latest run.", ("state",), states.items()),
    ]  # fmt: skip
