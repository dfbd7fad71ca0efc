"""When to look at jobs again: soon at first, rarer the longer they take, and about when such jobs usually end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

#: Durations that make a habit.
ENOUGH = 3

#: Of the time that a job has taken already, the part that may pass until the next look.
SHARE = 1 / 3


def pause(ages: Sequence[float], took: Sequence[float], first: float, most: float, requests: int = 1) -> float:
    """Seconds until the next look at jobs that were accepted ``ages`` seconds ago.

    ``took`` are the seconds that the last such jobs took. ``first`` is the shortest pause for each request that a look
    costs, ``most`` the longest pause.
    """
    usual = median(took) if len(took) >= ENOUGH else 0.0
    wanted = min((_wait(age, usual) for age in ages), default=most)
    return max(first * requests, min(wanted, most))


def _wait(age: float, usual: float) -> float:
    return usual - age if age < usual else (age - usual) * SHARE if usual else age * SHARE
