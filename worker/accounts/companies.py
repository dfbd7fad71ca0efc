"""The company that each private key belongs to: Klaviyo counts the requests of all of a company's keys together.

Accounts with keys of one company draw on the same budget (`Governor.join`). An OAuth application has a quota of its own
for each account that has installed it. Klaviyo is asked once for each key, and only where there are several.
"""

from __future__ import annotations

from worker.accounts.credentials import Account
from worker.accounts.lookup import all_accounts
from worker.api.jsonapi import Envelope
from worker.api.paging import page_items
from worker.governor import PREFIX, get_governor
from worker.redis.atomic_writes import write
from worker.settings import Settings

#: Seconds until Klaviyo may be asked again about a key whose company it has not told.
ASK_AGAIN_S = 3_600


def find_accounts_to_learn(settings: Settings) -> list[Account]:
    """Return the accounts whose private key belongs to an unknown company, and those that no longer have a key."""
    known, found = get_governor().companies(), list(all_accounts(settings))
    keys = [each for each in found if each.uses_key]
    asked = [each for each in keys if known.get(each.alias, ("", ""))[0] != each.fingerprint] if len(keys) > 1 else []
    return asked + [each for each in found if each.alias in known and each.grant]


def may_ask(owner: Account) -> bool:
    """Return True to one of the workers that want to ask whom this key belongs to."""
    name = f"{PREFIX}companies:asked:{owner.alias}:{owner.fingerprint}"
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
    """Return the other accounts that draw on the same budget, as far as that is known."""
    known = get_governor().companies()
    _, company_id = known.get(alias, ("", ""))
    return sorted(each for each, (_, its) in known.items() if company_id and its == company_id and each != alias)
