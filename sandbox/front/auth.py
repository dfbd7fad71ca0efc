"""Who is calling: private keys, OAuth tokens, company ids, their scopes; and revisions."""

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from random import Random
from urllib.parse import parse_qs

from sandbox.errors import refusal
from sandbox.operations import Operation

CLIENT_ID, CLIENT_SECRET = "sandbox-app", "sandbox-secret"
TOKEN_LIFE_S = 3600
CODE_LIFE_S = 300
VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
REVISION_LIFE = timedelta(days=730)
"""A revision is retired two years after its date."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling. `quota` says whose windows are charged: within an account, each OAuth app has its own."""

    account: str
    quota: str
    scopes: frozenset[str] | None = None
    """None for a key with full access."""
    read_only: bool = False
    expires: float | None = None

    def may(self, scope: str) -> bool:
        """Whether the caller has a scope."""
        if self.read_only:
            return scope.endswith(":read")
        return self.scopes is None or scope in self.scopes


class OAuthError(Exception):
    """An error of the token endpoint, which has OAuth's own format."""


class Credentials:
    """All keys, tokens and codes."""

    def __init__(self, random: Random) -> None:
        self.keys: dict[str, Caller] = {}
        self.companies: dict[str, str] = {}
        self.tokens: dict[str, Caller] = {}
        self.refresh_tokens: dict[str, Caller] = {}
        self.token_life_s: float = TOKEN_LIFE_S
        self._codes: dict[str, tuple[Caller, str, str, float]] = {}
        self._random = random

    def caller(self, authorization: str | None, now: float) -> Caller:
        """The caller behind an Authorization header; 401 if it is missing, unknown or expired."""
        kind, _, secret = (authorization or "").partition(" ")
        if kind == "Klaviyo-API-Key" and secret in self.keys:
            return self.keys[secret]
        if kind == "Bearer" and secret in self.tokens:
            caller = self.tokens[secret]
            if caller.expires is not None and now < caller.expires:
                return caller
        if not authorization:
            raise refusal(401, "Missing or invalid authorization header.", pointer="/data/")
        raise refusal(401, "Incorrect authentication credentials.", code="authentication_failed", pointer="/data/")

    def visitor(self, company_id: str | None) -> Caller:
        """The caller of a client operation, which sends a public company id instead of a key."""
        account = self.companies.get(company_id or "")
        if account is None:
            raise refusal(400, "A valid company_id is required.", parameter="company_id")
        return Caller(account, account)

    def owner(self, form: Mapping[str, str]) -> Caller | None:
        """Whose refresh token, access token or code is in a form; None if it is nobody's."""
        token = form.get("refresh_token") or form.get("token") or ""
        code = self._codes.get(form.get("code", ""))
        return self.refresh_tokens.get(token) or self.tokens.get(token) or (code[0] if code else None)

    def code(self, caller: Caller, challenge: str, redirect_uri: str, now: float) -> str:
        """A code for an app that was given consent, to be redeemed with the challenge's verifier."""
        code = self._new_token("code")
        self._codes[code] = (caller, challenge, redirect_uri, now + CODE_LIFE_S)
        return code

    def grant(self, authorization: str | None, form: bytes, now: float) -> dict[str, object]:
        """Issue a new access token for a code or a refresh token."""
        _check_client(authorization)
        fields = {name: values[0] for name, values in parse_qs(form.decode("latin-1")).items()}
        if fields.get("grant_type") == "refresh_token":
            refresh = fields.get("refresh_token", "")
            caller = self.refresh_tokens.get(refresh)
        elif fields.get("grant_type") == "authorization_code":
            caller = self._redeem(fields, now)
            refresh = self._new_token("rt")
        else:
            raise OAuthError("invalid_grant_type")
        if caller is None:
            raise OAuthError("invalid_grant")
        self.refresh_tokens[refresh] = caller
        access = self._new_token("at")
        self.tokens[access] = replace(caller, expires=now + self.token_life_s)
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.token_life_s,
            "refresh_token": refresh,
            "scope": " ".join(sorted(caller.scopes or ())),
        }

    def revoke(self, authorization: str | None, form: bytes) -> None:
        """Forget a token; with a refresh token goes everything that the account has granted."""
        _check_client(authorization)
        token = parse_qs(form.decode("latin-1")).get("token", [""])[0]
        if owner := self.refresh_tokens.pop(token, None):
            self.drop(owner.account, self.tokens)
            self.drop(owner.account, self.refresh_tokens)
        self.tokens.pop(token, None)

    def drop(self, account: str, tokens: dict[str, Caller]) -> int:
        """Forget an account's tokens of one kind; returns how many there were."""
        dropped = [token for token, caller in tokens.items() if caller.account == account]
        for token in dropped:
            del tokens[token]
        return len(dropped)

    def _redeem(self, form: Mapping[str, str], now: float) -> Caller | None:
        caller, challenge, redirect_uri, expires = self._codes.pop(form.get("code", ""), (None, "", "", 0.0))
        if caller is None or now >= expires or form.get("redirect_uri") != redirect_uri:
            return None
        verifier = form.get("code_verifier", "")
        if not VERIFIER.fullmatch(verifier):
            raise OAuthError("invalid code_verifier")
        if urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=") != challenge:
            raise OAuthError("Code challenge failed")
        return caller

    def _new_token(self, kind: str) -> str:
        return f"{kind}_{self._random.getrandbits(160):040x}"


def check_scopes(caller: Caller, operation: Operation) -> None:
    """403 that names the scopes that the caller lacks."""
    missing = sorted(scope for scope in operation.scopes if not caller.may(scope))
    if missing and not operation.client_side:
        raise refusal(
            403,
            f"Your API key is missing the required scopes: {', '.join(missing)}.",
            code="permission_denied",
            pointer="/data/",
        )


def check_revision(revision: str | None, opted_out: bool, today: Callable[[], date]) -> None:
    """400 without a revision; 410 for a retired one if the caller has opted out of falling forward."""
    if revision is None:
        raise refusal(400, "A revision header is required.", parameter="revision")
    try:
        released = date.fromisoformat(revision.removesuffix(".pre"))
    except ValueError:
        raise refusal(400, f"'{revision}' is not a valid revision.", parameter="revision") from None
    if opted_out and released + REVISION_LIFE < today():
        raise refusal(410, f"Revision {revision} is retired.", parameter="revision")


def _check_client(authorization: str | None) -> None:
    kind, _, encoded = (authorization or "").partition(" ")
    try:
        given = b64decode(encoded).decode()
    except ValueError:
        given = ""
    if kind != "Basic" or given != f"{CLIENT_ID}:{CLIENT_SECRET}":
        raise OAuthError("invalid_client")
