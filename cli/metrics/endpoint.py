"""The endpoint inside Flower: what was read last of all parts, shared by everybody who asks.

It is as open as Flower's own `/metrics`: no login, since Prometheus has none. It names accounts, actions and entries,
and nothing of people's data.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError

from cli.flower.extension import PageHandler
from cli.metrics import failures, imports, jobs, limits, schedules, server, syncs
from cli.metrics.gauges import gauge, single
from worker.errors import SettingsError
from worker.redis.absence import without_those_away
from worker.redis.connection import AWAY
from worker.redis.homes import ask_each, everywhere
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
    ("schedules", schedules.read),
)

OF_STORE: Sequence[tuple[str, Read]] = (("syncs", syncs.read),)

#: Seconds for which a reading serves, and this many times as long as it took: then Redis, which works for a part of
#: that time only, is kept busy for less than a hundredth of all.
KEPT_S, PAUSE_FACTOR = 1.0, 10

#: Seconds that a scrape waits for a new reading where there is an older one: Prometheus gives up after ten.
PATIENCE_S = 5.0


class Deployment(Collector):
    """Everything that can be read now. A part that cannot be is told as down, and the others are there.

    Where there are several Redis, each part is read at each, and its samples say at which; those of the store are not.
    """

    def __init__(self, parts: Sequence[tuple[str, Read]], most: int, of_store: Sequence[tuple[str, Read]] = ()) -> None:
        self._parts, self._most, self._of_store = parts, most, of_store
        self.waited_s = 0.0

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read every part."""
        several = len(everywhere()) > 1
        families = dict[str, GaugeMetricFamily]()
        with without_those_away() as missing:
            for name, read in self._parts:
                for where, found in self._read_at_each(name, read).items():
                    join(families, found, {"redis": where} if several else {})
            for name, read in self._of_store:
                join(families, self._read(name, read), {})
        self.waited_s = missing.waited_s
        yield from families.values()
        yield single("collected_timestamp_seconds", "When all of this was read.", time.time())

    def _read_at_each(self, name: str, read: Read) -> dict[str, list[GaugeMetricFamily]]:
        try:
            found = ask_each(lambda: self._read(name, read))
        except AWAY:
            found = {}
        return {where: found.get(where) or _state(name, up=False) for where in everywhere()}

    def _read(self, name: str, read: Read) -> list[GaugeMetricFamily]:
        """Read a part.

        Raises:
            redis.ConnectionError, redis.TimeoutError: Redis cannot be asked.

        """
        began = time.monotonic()
        try:
            with asking_redis_once():
                found = list(read(self._most))
        except AWAY:
            raise
        except (SettingsError, DBAPIError):
            return _state(name, up=False)
        except Exception:
            logger.exception("The metrics of part %r could not be read.", name)
            return _state(name, up=False)
        return [*found, *_state(name, up=True, took_s=time.monotonic() - began)]


def _state(part: str, *, up: bool, took_s: float | None = None) -> list[GaugeMetricFamily]:
    """Tell whether a part could be read, and how long that took."""
    return [
        gauge("collector_up", "1 where a part of these metrics could be read.", ("part",), [((part,), float(up))]),
        gauge("collector_duration_seconds", "How long that took.", ("part",), [((part,), took_s)]),
    ]


def join(families: dict[str, GaugeMetricFamily], found: Iterable[GaugeMetricFamily], labels: Mapping[str, str]) -> None:
    """Add families to those of the same names, with some labels more."""
    for each in found:
        for sample in each.samples:
            sample.labels.update(labels)
        families.setdefault(each.name, each)
        if families[each.name] is not each:
            families[each.name].samples.extend(each.samples)


class Latest:
    """What was read last, as Prometheus takes it."""

    def __init__(self, collect: Callable[[], tuple[bytes, float]], clock: Callable[[], float] = time.monotonic) -> None:
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
        began, waited_s = self._clock(), 0.0
        try:
            # In a thread: Flower's own pages go on meanwhile.
            self._text, waited_s = await asyncio.get_running_loop().run_in_executor(None, self._collect)
        finally:
            ended = self._clock()
            self._due = ended + max(KEPT_S, PAUSE_FACTOR * (ended - began - waited_s))


def collect() -> tuple[bytes, float]:
    """Read the whole deployment, as text for Prometheus; and how long one that is away was waited for, in seconds."""
    deployment = Deployment(PARTS, get_settings().metrics_rows, OF_STORE)
    return generate_latest(deployment), deployment.waited_s


class MetricsHandler(PageHandler):
    """Answers Prometheus."""

    def initialize(self, latest: Latest) -> None:
        """Take what all scrapes share."""
        self.latest = latest

    async def get(self) -> None:
        """Tell the metrics."""
        self.set_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        self.write(await self.latest.text())
