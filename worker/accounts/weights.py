"""The weights of the accounts: every worker gives them to the governor, at its start and when accounts change."""

from __future__ import annotations

from collections.abc import Sequence

from worker.accounts.lookup import account, all_accounts
from worker.errors import SettingsError
from worker.governor import get_governor
from worker.settings import Settings


def set_all_weights(settings: Settings) -> None:
    """Set the weight of every account that can be read here; another worker may know the others."""
    found = list(all_accounts(settings))
    weights = {each.alias: each.weight for each in found if not each.unreadable}
    get_governor().set_weights(weights, others=len(weights) == len(found))


def set_weights(settings: Settings, changed: Sequence[str]) -> None:
    """Set the weights of accounts that have changed, or are gone."""
    weights = {}
    for alias in changed:
        try:
            found = account(settings, alias)
        except SettingsError:
            weights[alias] = 1
        else:
            if not found.unreadable:
                weights[alias] = found.weight
    get_governor().set_weights(weights)
