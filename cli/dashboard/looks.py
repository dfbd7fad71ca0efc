"""What the tab Limits knows of every line: read a part at a time, and shared by all visitors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from worker.governor import Governor, Look
from worker.governor.reading import read_spec

#: How many lines' windows are counted in one reading.
LOOKED_AT_ONCE = 500

#: Seconds for which a line that one visitor was shown serves all others; no page asks again sooner.
SHARED_S = 1.5


@dataclass(frozen=True, slots=True)
class Looked:
    """A line as it was seen at a moment of the clock; never, where only its tasks were counted so far."""

    look: Look
    at: float = -math.inf


class Looks:
    """What is known of every line: who waits is read each time, the windows of so many lines at a time, in turn.

    So a tab is soon there, and costs Redis little however many lines there are; what a visitor sees is read again.
    """

    def __init__(self, most: int = LOOKED_AT_ONCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._known: dict[str, Looked] = {}
        self._seen_to = ""

    def read(self, governor: Governor) -> list[Look]:
        """Return every line."""
        counts = governor.counts()
        names = sorted(counts)
        due = [name for name in names if name > self._seen_to][: self._most]
        due += names[: min(self._most - len(due), len(names) - len(due))]
        self._seen_to = due[-1] if due else ""
        known = self._known | self._look(governor, due)
        unseen = [name for name in names if name not in known]
        known |= {
            name: Looked(read_spec(name, spec, *counts[name]))
            for name, spec in zip(unseen, governor.specs(unseen), strict=True)
            if spec
        }
        self._known = {line: _counted(known[line], count) for line, count in counts.items() if line in known}
        return [each.look for each in self._known.values()]

    def read_anew(self, governor: Governor, lines: Iterable[str]) -> list[Look]:
        """Return these lines as they are now; those that another visitor has just been shown are not read again."""
        before = self._known
        wanted = {line: before.get(line) for line in lines}
        moment = self._clock() - SHARED_S
        found = self._look(governor, [line for line, known in wanted.items() if not known or known.at <= moment])
        self._known.update(found)
        return [known.look for known in (found.get(line) or known for line, known in wanted.items()) if known]

    def _look(self, governor: Governor, lines: Sequence[str]) -> dict[str, Looked]:
        moment = self._clock()
        return {look.line: Looked(look, moment) for look in governor.look(lines)} if lines else {}


def _counted(known: Looked, counts: tuple[int, int, int]) -> Looked:
    if (known.look.now, known.look.bulk, known.look.later) == counts:
        return known
    return replace(known, look=replace(known.look, now=counts[0], bulk=counts[1], later=counts[2]))
