"""When to look at jobs again: soon at first, rarer the longer they take, and about when such jobs usually end. Pure.

Such jobs are those of about the same size: one of two records ends in a second, though the last ones of ten thousand
took half a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

#: Durations that make a habit.
MIN_DURATIONS = 3

#: Of the time that a job has taken already, the part that may pass until the next look.
SHARE_OF_AGE = 1 / 3

#: So many times as many records are still about as many.
ALIKE_FACTOR = 4

#: Seconds that a job has taken, and how many records it has.
Sized = tuple[float, int]


def poll_delay(
    jobs: Sequence[Sized], took: Sequence[Sized], min_poll_s: float, max_poll_s: float, requests: int = 1
) -> float:
    """Seconds until the next look at jobs that were accepted so long ago.

    ``took`` are the last jobs of their kind that have ended. ``first`` is the shortest pause for each request that a
    look costs, ``most`` the longest pause.
    """
    usual = {size: _usual_duration(size, took) for size in {size for _, size in jobs}}
    wanted = min((_delay(age, usual[size]) for age, size in jobs), default=max_poll_s)
    return max(min_poll_s * requests, min(wanted, max_poll_s))


def _usual_duration(size: int, took: Sequence[Sized]) -> float:
    """How long jobs of this size take; 0 where that is not known."""
    alike = [seconds for seconds, other in took if max(size, other) <= ALIKE_FACTOR * max(min(size, other), 1)]
    return median(alike) if len(alike) >= MIN_DURATIONS else 0.0


def _delay(age: float, usual: float) -> float:
    return usual - age if age < usual else (age - usual) * SHARE_OF_AGE if usual else age * SHARE_OF_AGE
