"""The accounts that a command is about."""

from __future__ import annotations

from cli.terminal import WRONG, stop
from worker.accounts import NO_ACCOUNT, account, aliases
from worker.settings import get_settings


def choose_accounts(name: str | None) -> list[str]:
    """Return the alias of the account of this name; without a name, those of all accounts."""
    settings = get_settings()
    if name:
        return [account(settings, name).alias]
    if not (found := aliases(settings)):
        raise stop(NO_ACCOUNT, WRONG)
    return found
