"""The company that each private key belongs to: Klaviyo counts the requests of all of a company's keys together.

Accounts with keys of one company draw on the same budget (`Governor.join`). An OAuth application has a quota of its own
for each account that has installed it. Klaviyo is asked once for each key, and only if there are several: on one Redis,
or on two, which then cannot keep a common budget.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from worker.accounts.credentials import Account
from worker.accounts.lookup import all_accounts
from worker.api.jsonapi import Envelope
from worker.api.paging import page_items
from worker.governor import KEY_PREFIX, get_governor
from worker.redis.atomic_writes import write
from worker.redis.homes import ask_each
from worker.settings import Settings

#: Seconds until Klaviyo may be asked again about a key, if it has not named the company.
ASK_AGAIN_S = 3_600


def find_accounts_to_learn(settings: Settings) -> list[Account]:
    """Return the accounts whose private key belongs to an unknown company, and those that no longer have a key."""
    known, found = get_governor().companies(), list(all_accounts(settings))
    keys = [each for each in found if each.uses_key]
    several = len(keys) > 1 or settings.redis_urls
    asked = [each for each in keys if known.get(each.alias, ("", ""))[0] != each.fingerprint] if several else []
    return asked + [each for each in found if each.alias in known and each.grant]


def may_ask(owner: Account) -> bool:
    """Return True to one worker only, of those that want to ask which company this key belongs to."""
    name = f"{KEY_PREFIX}companies:asked:{owner.alias}:{owner.fingerprint}"
    return bool(write(("SET", name, 1, "NX", "EX", ASK_AGAIN_S))[0])


def company_of(envelope: Envelope) -> str:
    """Return the company in Klaviyo's answer to ``get_accounts``, or an empty string."""
    return next((str(each.get("id") or "") for each in page_items(envelope)), "")


def learn_company(owner: Account, company_id: str) -> None:
    """Remember which company an account's private key belongs to: from now on the account draws on its budget."""
    get_governor().join(owner.alias, owner.fingerprint, company_id)


def forget_company(owner: Account) -> None:
    """Give an account that no longer has a private key a budget of its own."""
    get_governor().join(owner.alias, "", "")


def sharing(alias: str) -> list[str]:
    """Return the other accounts that are known to draw on the same budget."""
    known = get_governor().companies()
    _, company_id = known.get(alias, ("", ""))
    return sorted(each for each, (_, its) in known.items() if company_id and its == company_id and each != alias)


@dataclass(frozen=True, slots=True)
class Parted:
    """Accounts with keys of one company that live on different Redis, each by its alias and the name of its Redis."""

    company_id: str
    accounts: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        named = [f"{alias} (on {name})" for alias, name in self.accounts]
        company = f"the company {self.company_id}" if self.company_id else "one company"
        return (
            f"accounts {', '.join(named[:-1])} and {named[-1]} have keys of {company}, and no Redis knows what others "
            "send, so that together they exceed Klaviyo's limits: let them live on one"
        )


def find_parted(settings: Settings) -> list[Parted]:
    """Return the accounts that share the limits of one company and live on different Redis, as far as that is known.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    if not settings.redis_urls:
        return []
    keys = [
        (alias, name, *key) for name, found in ask_each(lambda: _keys(settings)).items() for alias, key in found.items()
    ]
    # The same key may be known at one Redis only.
    companies = {fingerprint: company_id for *_, fingerprint, company_id in keys if company_id}
    sharing = defaultdict[str, list[tuple[str, str]]](list)
    for alias, name, fingerprint, _ in keys:
        sharing[companies.get(fingerprint, fingerprint)].append((alias, name))
    known = set(companies.values())
    return [
        Parted(owner if owner in known else "", tuple(sorted(accounts)))
        for owner, accounts in sharing.items()
        if len({name for _, name in accounts}) > 1
    ]


def _keys(settings: Settings) -> dict[str, tuple[str, str]]:
    """The fingerprint of each private key of an account that lives here, and its company, empty if unknown."""
    known = get_governor().companies()
    keys = {each.alias: each.fingerprint for each in all_accounts(settings) if each.uses_key}
    found = {alias: known.get(alias, ("", "")) for alias in keys}
    return {alias: (key, found[alias][1] if found[alias][0] == key else "") for alias, key in keys.items()}
