"""Points in time as Klaviyo writes them. All stored times have this one format, so that they sort as strings."""

from datetime import UTC, datetime
from functools import lru_cache

YEAR_S = 365 * 86_400


def to_iso(epoch: float) -> str:
    """A time in ISO 8601, to the second, as Klaviyo stamps what it creates."""
    return _written(int(epoch))


@lru_cache(maxsize=4096)
def _written(second: int) -> str:
    """One string for everything that happens in a second, to be shared by many stored records."""
    return datetime.fromtimestamp(second, UTC).isoformat()


def from_iso(text: str) -> datetime | None:
    """The time that an ISO 8601 string means (UTC if it has no zone), or None if it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
