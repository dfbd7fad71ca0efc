"""Points in time as Klaviyo writes them. All stored times have this one form, so that they sort as text."""

from datetime import UTC, datetime


def written(epoch: float) -> str:
    """To the second, as Klaviyo stamps what it creates."""
    return datetime.fromtimestamp(int(epoch), UTC).isoformat()


def parsed(text: str) -> datetime | None:
    """The moment that an ISO 8601 text means (UTC where it does not say), or None when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
