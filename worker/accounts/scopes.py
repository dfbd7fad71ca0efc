"""Whether an account's credentials have the scopes that an action needs, before anything is published.

A grant says which scopes it has. Those of an API key only Klaviyo knows: once it has answered that one is missing, that
is remembered until the account has another key, since the scopes of a key cannot be changed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from worker.accounts.credentials import Account
from worker.accounts.stored import get_account_store
from worker.errors import Forbidden, ScopeMissing

_SCOPE = re.compile(r"[a-z]+(?:-[a-z]+)*:(?:read|write)")


def missing_scopes(owner: Account, needed: Iterable[str]) -> list[str]:
    """Return the scopes among these that the account's credentials are known to lack, sorted."""
    if owner.grant:
        return sorted(set(needed) - owner.grant.scopes) if owner.grant.scopes else []
    lacking = get_account_store().lacking(owner.alias)
    if lacking is None or (owner.api_key and lacking.key != owner.fingerprint):
        return []
    return sorted(lacking.scopes.intersection(needed))


def require_scopes(owner: Account, action: str, needed: Collection[str]) -> None:
    """Refuse an action if a scope that it needs is known to be missing.

    Raises:
        ScopeMissing: one is.

    """
    if not needed or not missing_scopes(owner, needed):
        return
    # What this process remembers may be a few seconds old.
    store = get_account_store()
    store.look()
    latest = (store.find(owner.alias) or owner) if owner.generation else owner
    if missing := missing_scopes(latest, needed):
        raise ScopeMissing(action, owner.alias, missing, remedy(latest, missing))


def remedy(owner: Account, missing: Iterable[str]) -> str:
    """Return what to do so that the account gets these scopes."""
    if owner.grant:
        asked = " ".join(f"--scope {each}" for each in missing)
        return f"To widen its grant, run `klaviyo accounts authorize {owner.alias} {asked}`"
    return f"The scopes of a key cannot be changed: make a key that has them and {owner.renewing}"


def learn(owner: Account, refused: Forbidden, needed: Collection[str]) -> list[str]:
    """Remember the scopes that a key lacks, as far as Klaviyo's refusal names them, and return these.

    A 403 can have other reasons, such as the account's plan: then nothing is remembered.
    """
    if owner.grant or not owner.api_key:
        return []
    texts = (f"{each.get('detail') or ''} {each.get('title') or ''}" for each in refused.errors)
    named = {scope for text in texts for scope in _SCOPE.findall(text)} & set(needed)
    if named:
        get_account_store().learn_lacking(owner.alias, owner.fingerprint, named)
    return sorted(named)
