"""Klaviyo's OAuth endpoints: where people consent, and where tokens are issued and given back.

Authlib's client writes the addresses and forms and reads the answers, but the HTTP session is ours: Authlib's own for
httpx is deprecated in favour of another library, and hides both a Retry-After and the difference between a lost answer
and a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import SecretStr

from worker.api.jsonapi import REVISION
from worker.errors import KlaviyoError, SettingsError
from worker.http_client import trust
from worker.settings import Settings, get_settings

if TYPE_CHECKING:
    from authlib.oauth2 import OAuth2Client

#: Klaviyo's API, and the page on which people consent. The sandbox has both at one address.
API, CONSENT = "https://a.klaviyo.com", "https://www.klaviyo.com/oauth/authorize"

#: Seconds to connect, and to wait for an answer. A refresh that takes longer counts as lost, and is repeated.
CONNECT_TIMEOUT_S, TOKEN_TIMEOUT_S = 5.0, 10.0

#: Seconds for which an access token holds if Klaviyo does not say.
TOKEN_LIFE_S = 3_600.0

#: Longest pause, in seconds, that a Retry-After can ask for.
MAX_RETRY_AFTER_S = 3_600.0

_CODE = re.compile(r"[A-Za-z][\w .-]{0,60}")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What Klaviyo has issued. ``life`` is the access token's, in seconds; ``scopes`` are empty if none is named."""

    access_token: SecretStr
    refresh_token: SecretStr
    life: float
    scopes: frozenset[str]


class TokenRefused(KlaviyoError):
    """Klaviyo refuses to issue a token; ``code`` is OAuth's word for the reason, such as ``invalid_grant``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return f"Klaviyo refuses to issue a token ({self.code})"


class TokenUnavailable(KlaviyoError):
    """No answer has issued or refused a token; ``retry_after`` is in seconds, None if Klaviyo has not said."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason, retry_after)
        self.reason = reason
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"Klaviyo has issued no token: {self.reason}"


def consent_address(state: str, verifier: str, redirect_uri: str, scopes: str) -> str:
    """Return the address at which somebody can consent."""
    settings = get_settings()
    place = CONSENT if settings.base_url == API else f"{settings.base_url}/oauth/authorize"
    with _client(settings) as client:
        address, _ = client.create_authorization_url(
            place, state, verifier, redirect_uri=redirect_uri, scope=scopes
        )  # fmt: skip
    return str(address)


def redeem(code: str, verifier: str, redirect_uri: str) -> Tokens:
    """Redeem the code that a consent has yielded. It can be used once, whatever becomes of the answer.

    Raises:
        TokenRefused, TokenUnavailable: there is no token.

    """
    return _issued(
        lambda client, address, auth: client.fetch_token(
            address, auth=auth, grant_type="authorization_code", code=code,
            code_verifier=verifier, redirect_uri=redirect_uri,
        )
    )  # fmt: skip


def refresh(refresh_token: SecretStr) -> Tokens:
    """Get a new access token. If the answer is lost, asking again with the same refresh token does no harm.

    Raises:
        TokenRefused, TokenUnavailable: there is none.

    """
    known = refresh_token.get_secret_value()
    return _issued(lambda client, address, auth: client.refresh_token(address, refresh_token=known, auth=auth))


def company_of(access_token: SecretStr) -> str:
    """The id of the Klaviyo account that a token is for; empty if the token may not ask, or there is no answer."""
    headers = {"authorization": f"Bearer {access_token.get_secret_value()}", "revision": REVISION}
    try:
        with session() as http:
            answer = http.get(f"{get_settings().base_url}/api/accounts", headers=headers)
            return str(answer.json()["data"][0]["id"]) if answer.status_code == 200 else ""
    except (httpx.RequestError, ValueError, LookupError, TypeError):
        return ""


def give_back(refresh_token: SecretStr) -> None:
    """Revoke a grant, so that its tokens become invalid.

    Raises:
        TokenRefused, TokenUnavailable: Klaviyo has not confirmed it.

    """
    settings, known = get_settings(), refresh_token.get_secret_value()
    with _without_secrets(), _client(settings) as client:
        answer = client.revoke_token(f"{settings.base_url}/oauth/revoke", known, "refresh_token", auth=_auth(settings))
        if answer.status_code >= 400:
            raise TokenUnavailable(f"it answered {answer.status_code} to the revocation")


def _issued(ask: Callable[[OAuth2Client, str, httpx.BasicAuth], Mapping[str, Any]]) -> Tokens:
    settings = get_settings()
    with _without_secrets(), _client(settings) as client:
        token = ask(client, f"{settings.base_url}/oauth/token", _auth(settings))
        access, renewing = token.get("access_token"), token.get("refresh_token")
        if not (isinstance(access, str) and isinstance(renewing, str) and access and renewing):
            raise TokenUnavailable("its answer has no token")
        life = token.get("expires_in")
        return Tokens(
            SecretStr(access),
            SecretStr(renewing),
            float(life) if isinstance(life, int | float) and life > 0 else TOKEN_LIFE_S,
            frozenset(str(token.get("scope") or "").split()),
        )


@contextmanager
def _client(settings: Settings) -> Iterator[OAuth2Client]:
    from authlib.oauth2 import OAuth2Client  # imported here, as that takes 40 ms and few processes refresh a token

    with session() as http:
        client = OAuth2Client(http, settings.client_id, None, code_challenge_method="S256")
        for answer in ("access_token_response", "refresh_token_response"):
            client.register_compliance_hook(answer, _not_throttled)
        yield client


def session() -> httpx.Client:
    """A client for one exchange."""
    return httpx.Client(
        timeout=httpx.Timeout(TOKEN_TIMEOUT_S, connect=CONNECT_TIMEOUT_S), verify=trust(), follow_redirects=False
    )


def _auth(settings: Settings) -> httpx.BasicAuth:
    if not (settings.client_id and settings.client_secret):
        raise SettingsError(
            "KLAVIYO_CLIENT_ID and KLAVIYO_CLIENT_SECRET are not set: OAuth accounts need those of your application"
        )
    return httpx.BasicAuth(settings.client_id, settings.client_secret.get_secret_value())


def _not_throttled(answer: httpx.Response) -> httpx.Response:
    if answer.status_code == 429:
        raise TokenUnavailable("it answered 429", _seconds(answer.headers.get("retry-after", "")))
    return answer


def _seconds(text: str) -> float | None:
    try:
        return min(max(float(text), 0.0), MAX_RETRY_AFTER_S)
    except ValueError:
        pass
    try:
        from datetime import UTC, datetime

        return min(max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0), MAX_RETRY_AFTER_S)
    except (TypeError, ValueError):
        return None


@contextmanager
def _without_secrets() -> Iterator[None]:
    """Say what went wrong, without the request or the answer: both hold secrets."""
    from authlib.oauth2 import OAuth2Error

    try:
        yield
    except OAuth2Error as refused:
        code = str(refused.error)
        raise TokenRefused(code if _CODE.fullmatch(code) else "an error without a name") from None
    except httpx.HTTPStatusError as error:
        raise TokenUnavailable(f"it answered {error.response.status_code}") from None
    except (httpx.RequestError, ValueError) as error:
        raise TokenUnavailable(f"no answer ({type(error).__name__})") from None
