"""Which accounts a command is about."""

from __future__ import annotations

from cli.terminal.printing import EXIT_USAGE, say, stop
from worker.accounts.lookup import NO_ACCOUNT, account, aliases, configured
from worker.redis.connection import AWAY
from worker.redis.homes import gathered
from worker.redis.patience import asking_redis_once
from worker.settings import get_settings


def choose_accounts(name: str | None) -> list[str]:
    """Return the alias of the account of this name; without a name, those of all accounts.

    If Redis is away, those are the ones in the settings.
    """
    settings = get_settings()
    if name:
        return [account(settings, name).alias]
    try:
        with asking_redis_once():
            found = gathered(lambda: aliases(settings))
    except AWAY:
        found = configured(settings)
        if settings.secret_key:  # without one, none is stored
            say("Redis does not answer, so stored accounts are left out; those of the settings count.", "yellow")
    if not found:
        raise stop(NO_ACCOUNT, EXIT_USAGE)
    return found
