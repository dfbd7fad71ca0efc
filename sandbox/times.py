"""Points in time as Klaviyo writes them. All stored times have this one form, so that they sort as text."""

from datetime import UTC, datetime
from functools import lru_cache

YEAR_S = 365 * 86_400


def to_iso(epoch: float) -> str:
    """To the second, as Klaviyo stamps what it creates."""
    return _written(int(epoch))


@lru_cache(maxsize=4096)
def _written(second: int) -> str:
    """One text for all that happens in a second, which many stored things then share."""
    return datetime.fromtimestamp(second, UTC).isoformat()


def from_iso(text: str) -> datetime | None:
    """The moment that an ISO 8601 text means (UTC where it does not say), or None when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
