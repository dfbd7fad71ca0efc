"""What was read last of each tab, shared by everybody who looks: however many those are, Redis is asked as often."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.exc import DBAPIError

from cli.absence import absences
from cli.dashboard.table import Query, Reading, Tab, arrange
from worker.errors import SettingsError
from worker.redis.absence import without_those_away
from worker.redis.connection import AWAY, unreachable
from worker.redis.homes import ask_each

logger = logging.getLogger(__name__)

#: Seconds between two readings of a tab. After one that took long, the pause is `PAUSE_FACTOR` times as long: Redis
#: itself works for a third of the reading, and so for less than a hundredth of all the time.
INTERVAL_S, PAUSE_FACTOR = 2.0, 50

#: Seconds after which a tab at which nobody looks is read again, so that its troubles are counted; seconds after which
#: a visitor waits for a new count, and for how long.
COUNT_INTERVAL_S, COUNT_KEPT_S, COUNT_PATIENCE_S = 10.0, 30.0, 0.5

#: The most orders of one reading's rows that are kept.
MAX_ARRANGED = 50

#: Seconds that a visitor waits for a new reading where there is an older one to show, and where there is none.
PATIENCE_S, FIRST_PATIENCE_S = 0.05, 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A reading, when it was made (Unix time; None before the first one), and why a later one failed, or "".

    ``troubles``: how much of it somebody has to look at.
    """

    reading: Reading[Any]
    made: float | None = None
    failure: str = ""
    troubles: int = 0
    _arranged: dict[tuple[str, str, bool], Sequence[Any]] = field(default_factory=dict)

    def arranged(self, tab: Tab[Any], query: Query) -> Sequence[Any]:
        """Return the rows that were searched for, in the wanted order, which visitors ask for again and again."""
        asked = query.search, query.sort, query.descending
        if asked not in self._arranged:
            if len(self._arranged) >= MAX_ARRANGED:
                self._arranged.clear()
            self._arranged[asked] = arrange(tab, self.reading.rows, query)
        return self._arranged[asked]


class Snapshots:
    """The latest snapshot of each tab."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, Snapshot] = {}
        self._due: dict[str, float] = {}
        self._readings: dict[str, asyncio.Task[None]] = {}
        self._counted: dict[str, float] = {}

    async def latest(self, tab: Tab[Any]) -> Snapshot:
        """Return the snapshot of a tab, after a new reading if one is due and quick."""
        self._begin(tab)
        if going_on := self._readings.get(tab.name):
            known = tab.name in self._kept
            await asyncio.wait([going_on], timeout=PATIENCE_S if known else FIRST_PATIENCE_S)
        return self._kept.get(tab.name) or Snapshot(Reading([]))

    def _begin(self, tab: Tab[Any]) -> None:
        """Begin to read a tab, if that is due."""
        if tab.name not in self._readings and self._clock() >= self._due.get(tab.name, 0.0):
            self._readings[tab.name] = asyncio.create_task(self._read(tab))

    def known_troubles(self, tabs: Iterable[Tab[Any]]) -> dict[str, int]:
        """Return for each tab that counts them how many troubles its latest reading has, by the tab's title.

        Those that were read too long ago are read meanwhile: the next one who asks is told.
        """
        counting = [tab for tab in tabs if tab.troubles]
        for tab in counting:
            if self._clock() >= self._counted.get(tab.name, -math.inf) + COUNT_INTERVAL_S:
                self._counted[tab.name] = self._clock()
                self._begin(tab)
        known = {tab.title: self._kept[tab.name] for tab in counting if tab.name in self._kept}
        return {title: snapshot.troubles for title, snapshot in known.items() if snapshot.made}

    async def troubles(self, tabs: Sequence[Tab[Any]]) -> dict[str, int]:
        """Return the same, after a new reading where nobody has looked for long, if that is quick."""
        long_ago = self._clock() - COUNT_KEPT_S
        stale = [tab.name for tab in tabs if tab.troubles and self._counted.get(tab.name, -math.inf) <= long_ago]
        self.known_troubles(tabs)
        if readings := [self._readings[name] for name in stale if name in self._readings]:
            await asyncio.wait(readings, timeout=COUNT_PATIENCE_S)
        return self.known_troubles(tabs)

    def forget(self, tab: Tab[Any]) -> None:
        """Read a tab anew when somebody next looks: something was changed."""
        self._due.pop(tab.name, None)

    async def _read(self, tab: Tab[Any]) -> None:
        began, rest = self._clock(), 0.0
        try:
            # In a thread: Flower's own pages go on meanwhile.
            found = await asyncio.get_running_loop().run_in_executor(None, read_everywhere, tab)
            troubles = sum(map(tab.troubles, found.rows)) if tab.troubles else 0
            self._kept[tab.name] = Snapshot(found, time.time(), troubles=troubles)
            rest = PAUSE_FACTOR * (self._clock() - began - found.waited_s)
        except Exception as error:
            before = self._kept.get(tab.name) or Snapshot(Reading([]))
            self._kept[tab.name] = replace(before, failure=explain_failure(error))
        finally:
            self._due[tab.name] = self._clock() + max(INTERVAL_S, rest)
            del self._readings[tab.name]


def read_everywhere(tab: Tab[Any]) -> Reading[Any]:
    """Return what a tab reads at every Redis that can be asked, in one reading, and say which cannot."""
    with without_those_away() as missing:
        readings = list(ask_each(tab.read).values()) if tab.everywhere else [tab.read()]
    rows = [row for each in readings for row in each.rows]
    if tab.order and len(readings) > 1:
        rows.sort(key=tab.order)
    return Reading(
        rows,
        list(dict.fromkeys([*absences(missing), *(note for each in readings for note in each.notes)])),
        list(dict.fromkeys(cell for each in readings for cell in each.summary)),
        missing.waited_s,
    )


def explain_failure(error: Exception) -> str:
    """Return why something could not be read, as a sentence."""
    if isinstance(error, AWAY):
        return unreachable(error)
    if isinstance(error, SettingsError):
        return f"{str(error)[:1].upper()}{str(error)[1:]}."
    if isinstance(error, DBAPIError):
        return f"The store cannot be read: {str(error.orig).strip().partition(chr(10))[0].rstrip('.')}."
    logger.error("A page of the Klaviyo tab could not be read.", exc_info=error)
    return f"This could not be read ({type(error).__name__}); Flower's log says more."
