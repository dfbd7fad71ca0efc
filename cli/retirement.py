"""How long Klaviyo answers to a revision of its API. Pure."""

from __future__ import annotations

from datetime import date

#: For so many years.
ALIVE_YEARS = 2


def retired_on(revision: str) -> date:
    """Return the day from which Klaviyo no longer answers to a revision."""
    made = date.fromisoformat(revision)
    return made.replace(year=made.year + ALIVE_YEARS)
