"""What is said of a Redis that is away, where there are several and the others were read."""

from __future__ import annotations

from worker.accounts.lookup import configured
from worker.redis.absence import Missing
from worker.redis.connection import reason_away
from worker.redis.homes import home_of_configured
from worker.settings import get_settings


def absences(missing: Missing) -> list[str]:
    """Name each Redis that could not be asked, the accounts that this is about, and why."""
    return [_absence(name, error) for name, error in missing.errors.items()]


def _absence(name: str, error: Exception) -> str:
    settings = get_settings()
    living = [alias for alias in configured(settings) if home_of_configured(settings, alias) == name]
    named = f"account{'' if len(living) == 1 else 's'} {', '.join(living)}" if living else ""
    # Without a secret key none is stored.
    stored = "any account stored there" if settings.secret_key else ""
    whose = " and ".join(filter(None, (named, stored))) or "nobody's accounts"
    return f"Nothing here is about the Redis {name} ({whose}): {reason_away(error)}."
