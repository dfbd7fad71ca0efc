"""The endpoint inside Flower: what was read last of all parts, shared by everybody who asks.

It is as open as Flower's own `/metrics`: no login, since Prometheus has none. It names accounts, actions and entries,
and nothing of people's data.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError

from cli.flower.extension import PageHandler
from cli.metrics import failures, imports, jobs, limits, schedules, server, syncs
from cli.metrics.gauges import gauge, single
from worker.errors import SettingsError
from worker.redis.connection import AWAY
from worker.redis.patience import asking_redis_once
from worker.settings import get_settings

logger = logging.getLogger(__name__)

#: Reads one part; the number is the most rows that it tells of one by one.
Read = Callable[[int], Iterable[GaugeMetricFamily]]

PARTS: Sequence[tuple[str, Read]] = (
    ("redis", server.read),
    ("limits", limits.read),
    ("failures", failures.read),
    ("jobs", jobs.read),
    ("imports", imports.read),
    ("syncs", syncs.read),
    ("schedules", schedules.read),
)

#: Seconds for which a reading serves, and this many times as long as it took: then Redis, which works for a part of
#: that time only, is kept busy for less than a hundredth of all.
KEPT_S, REST = 1.0, 10

#: Seconds that a scrape waits for a new reading where there is an older one: Prometheus gives up after ten.
PATIENCE_S = 5.0


class Deployment(Collector):
    """Everything that can be read now. A part that cannot be is told as down, and the others are there."""

    def __init__(self, parts: Sequence[tuple[str, Read]], most: int) -> None:
        self._parts, self._most = parts, most

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read every part."""
        up: dict[tuple[str], float] = {}
        took: dict[tuple[str], float] = {}
        for name, read in self._parts:
            began = time.monotonic()
            found = self._read(name, read)
            up[name,], took[name,] = float(found is not None), time.monotonic() - began
            yield from found or ()
        yield single("collected_timestamp_seconds", "When all of this was read.", time.time())
        yield gauge("collector_up", "1 where a part of these metrics could be read.", ("part",), up.items())
        yield gauge("collector_duration_seconds", "How long that took.", ("part",), took.items())

    def _read(self, name: str, read: Read) -> list[GaugeMetricFamily] | None:
        try:
            with asking_redis_once():
                return list(read(self._most))
        except (*AWAY, SettingsError, DBAPIError):
            return None
        except Exception:
            logger.exception("The metrics of part %r could not be read.", name)
            return None


class Latest:
    """What was read last, as Prometheus takes it."""

    def __init__(self, collect: Callable[[], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._collect, self._clock = collect, clock
        self._reading: asyncio.Task[None] | None = None
        self._text: bytes | None = None
        self._due = 0.0

    async def text(self, patience_s: float = PATIENCE_S) -> bytes:
        """Return the metrics, read anew if that is due and quick; those who ask meanwhile share the reading."""
        if self._reading is None or (self._reading.done() and self._clock() >= self._due):
            self._reading = asyncio.create_task(self._read())
        await asyncio.wait([self._reading], timeout=None if self._text is None else patience_s)
        if self._reading.done():
            self._reading.result()
        assert self._text is not None, "the first reading was waited for"
        return self._text

    async def _read(self) -> None:
        began = self._clock()
        try:
            # In a thread: Flower's own pages go on meanwhile.
            self._text = await asyncio.get_running_loop().run_in_executor(None, self._collect)
        finally:
            ended = self._clock()
            self._due = ended + max(KEPT_S, REST * (ended - began))


def collect() -> bytes:
    """Read the whole deployment, as text for Prometheus."""
    return generate_latest(Deployment(PARTS, get_settings().metrics_rows))


class MetricsHandler(PageHandler):
    """Answers Prometheus."""

    def initialize(self, latest: Latest) -> None:
        """Take what all scrapes share."""
        self.latest = latest

    async def get(self) -> None:
        """Tell the metrics."""
        self.set_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        self.write(await self.latest.text())
