"""Obtaining consent to an OAuth application: OAuth 2 with PKCE, for commands and for web applications.

    url, state = authorization_url("eu-store")  # send the person there; keep the state in their session
    …
    exchange(code, state)  # once Klaviyo has sent them back with a code and the state of their session

The account is then stored, and every worker uses it; see docs/accounts.md.
"""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from collections.abc import Iterable
from typing import Any

import orjson

from worker.accounts.credentials import Account, Grant
from worker.accounts.encryption import get_encryption
from worker.accounts.stored import checked_alias, get_account_store
from worker.accounts.token_endpoint import company_of, consent_address, give_back, redeem
from worker.errors import SettingsError
from worker.governor import KEY_PREFIX, get_governor
from worker.redis.atomic_writes import write
from worker.redis.connection import get_redis
from worker.redis.homes import at_home
from worker.setting_names import alias_of
from worker.settings import get_settings

#: Seconds within which somebody has to consent.
CONSENT_S = 600


class AuthorizationExpired(SettingsError):
    """The authorization was begun too long ago, has been completed already, or was never begun here."""

    def __str__(self) -> str:
        return "this authorization has expired, or has been completed already: begin another one"


class OtherCompany(SettingsError):
    """The consent came from another Klaviyo account than the one that the alias stands for; nothing was changed."""

    def __init__(self, alias: str, known: str, consenting: str) -> None:
        super().__init__(alias, known, consenting)
        self.alias, self.known, self.consenting = alias, known, consenting

    def __str__(self) -> str:
        return (
            f"account {self.alias} stands for the Klaviyo account {self.known}, and the consent came from "
            f"{self.consenting}: nothing was changed. Sign in to {self.known} and begin again; if {self.alias} is to "
            f"stand for {self.consenting} from now on, run `klaviyo accounts authorize {self.alias} --other-account`"
        )


def authorization_url(account: str, scopes: Iterable[str] = (), redirect_uri: str | None = None) -> tuple[str, str]:
    """Return the address at which somebody can consent for an account, and the state that comes back with the code.

    Consent is asked for the scopes of ``KLAVIYO_SCOPES``, those granted before, and ``scopes``. By default,
    ``redirect_uri`` is ``KLAVIYO_OAUTH_REDIRECT_URI``. An authorization can be completed once, within ten minutes.

    Raises:
        SettingsError: the alias is not a possible one, or a setting is missing.

    """
    settings, alias = get_settings(), checked_alias(alias_of(account))
    place = redirect_uri or settings.oauth_redirect_uri
    if not settings.client_id:
        raise SettingsError("KLAVIYO_CLIENT_ID is not set: the id of your OAuth application")
    if not place:
        raise SettingsError("KLAVIYO_OAUTH_REDIRECT_URI is not set: where Klaviyo sends people back to")
    if alias in settings.accounts or (alias == "default" and settings.api_key):
        raise SettingsError(f"account {alias} has its key in the settings: remove it there, or choose another alias")
    with at_home(alias):
        before = get_account_store().read(alias)
    granted = before.grant.scopes if before and before.grant else frozenset()
    asked = " ".join(sorted({*settings.scopes.split(), *granted, *scopes}))
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    address = consent_address(state, verifier, place, asked)
    begun = orjson.dumps({"alias": alias, "verifier": verifier, "redirect_uri": place, "scopes": asked})
    write(("SET", _key(state), get_encryption().encrypt(begun, of=_key(state)), "EX", CONSENT_S))
    return address, state


def exchange(code: str, state: str, other_account: bool = False) -> Account:
    """Redeem the code that came back with this state, store the grant, and resume the account.

    ``other_account``: the alias may stand for another Klaviyo account from now on. What waits for it is sent there.

    Raises:
        AuthorizationExpired: no authorization with this state is waiting for a code.
        OtherCompany: the consent came from another Klaviyo account than before.
        TokenRefused, TokenUnavailable: Klaviyo has issued no token for the code; begin another authorization.

    """
    stored: Any = get_redis().getdel(_key(state))
    if stored is None:
        raise AuthorizationExpired
    begun = orjson.loads(get_encryption().decrypt(stored, of=_key(state)))
    with at_home(begun["alias"]):
        known = _known_company(begun["alias"])  # before the code is redeemed, which can be done once
    issued, now = redeem(code, begun["verifier"], begun["redirect_uri"]), time.time()
    company = company_of(issued.access_token)
    if company and known not in ("", company) and not other_account:
        raise OtherCompany(begun["alias"], known, company)
    grant = Grant(
        uuid.uuid4().hex[:12],
        issued.access_token,
        issued.refresh_token,
        now,
        now + issued.life,
        issued.scopes or frozenset(begun["scopes"].split()),
        company or known,
    )
    with at_home(begun["alias"]):
        account = get_account_store().change(begun["alias"], api_key=None, grant=grant)
        assert account is not None, "no generation was expected"
        resume_if_replaced(account)
    return account


def _known_company(alias: str) -> str:
    """The id of the Klaviyo account that an alias stands for; empty where that is not known."""
    before = get_account_store().read(alias)
    if before and before.grant:
        return before.grant.company
    return get_governor().companies().get(alias, ("", ""))[1] if before else ""


def resume_if_replaced(account: Account) -> bool:
    """Resume an account that is paused because its former credentials were refused. Return True if it was."""
    what, governor = f"account:{account.alias}", get_governor()
    refused = [each for each in governor.paused() if each.what == what and each.key not in ("", account.fingerprint)]
    return bool(refused) and governor.resume(what)


def revoke(account: Account) -> None:
    """Give an account's grant back to Klaviyo.

    Raises:
        TokenRefused, TokenUnavailable: Klaviyo has not confirmed it.

    """
    if account.grant:
        give_back(account.grant.refresh_token)


def _key(state: str) -> str:
    """Where Redis keeps an authorization. The name of the key does not reveal the state."""
    return f"{KEY_PREFIX}authorization:{hashlib.sha256(state.encode()).hexdigest()}"
