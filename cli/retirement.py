"""How long Klaviyo answers to a revision of its API. Pure."""

from __future__ import annotations

from datetime import date

#: Years from a revision to its retirement.
LIFE_YEARS = 2


def retired_on(revision: str) -> date:
    """Return the day from which Klaviyo no longer answers to a revision."""
    made = date.fromisoformat(revision)
    return made.replace(year=made.year + LIFE_YEARS)
