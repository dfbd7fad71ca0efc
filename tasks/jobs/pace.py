"""When to poll jobs again: soon at first, less often the longer they take, and when such jobs usually end. Pure.

Only jobs of about the same size are compared: one with two records ends in a second, one with ten thousand in half a
minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

#: How many durations it takes to say how long jobs usually take.
MIN_DURATIONS = 3

#: The delay until the next poll, as a share of the time that the job has taken already.
SHARE_OF_AGE = 1 / 3

#: Two jobs are of about the same size if one has at most this many times the records of the other.
ALIKE_FACTOR = 4

#: How long a job has taken, in seconds, and how many records it has.
Sized = tuple[float, int]


def poll_delay(
    jobs: Sequence[Sized], took: Sequence[Sized], min_poll_s: float, max_poll_s: float, requests: int = 1
) -> float:
    """Return the seconds until the next poll of jobs, each with the time since it was accepted.

    ``took`` are the last jobs of their kind that have ended. ``min_poll_s`` is the shortest delay for each of the
    ``requests`` that a poll costs, ``max_poll_s`` the longest delay.
    """
    usual = {size: _usual_duration(size, took) for size in {size for _, size in jobs}}
    wanted = min((_delay(age, usual[size]) for age, size in jobs), default=max_poll_s)
    return max(min_poll_s * requests, min(wanted, max_poll_s))


def _usual_duration(size: int, took: Sequence[Sized]) -> float:
    """Return how long jobs of this size take; 0 if that is not known."""
    alike = [seconds for seconds, other in took if max(size, other) <= ALIKE_FACTOR * max(min(size, other), 1)]
    return median(alike) if len(alike) >= MIN_DURATIONS else 0.0


def _delay(age: float, usual: float) -> float:
    return usual - age if age < usual else (age - usual) * SHARE_OF_AGE if usual else age * SHARE_OF_AGE
