"""One Klaviyo account: its names, and the credentials that authorize its requests. Pure.

Nothing here shows a secret: neither a `repr`, nor an error, nor a traceback.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from worker.errors import CredentialsFailed, SettingsError

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Grant:
    """What an OAuth application may do on an account, and the tokens that prove it.

    ``id`` stays the same while tokens are refreshed; a new authorization has another. ``obtained`` and ``expires`` say
    when the access token was issued and when it expires, in seconds since 1970. ``scopes`` are those that were granted;
    ``company`` is the id of the Klaviyo account that granted them, empty if that is not known.
    """

    id: str
    access_token: SecretStr
    refresh_token: SecretStr
    obtained: float
    expires: float
    scopes: frozenset[str]
    company: str = ""

    def plain(self) -> dict[str, Any]:
        """All of it, secrets included, ready to be encrypted."""
        return {
            "id": self.id,
            "access_token": self.access_token.get_secret_value(),
            "refresh_token": self.refresh_token.get_secret_value(),
            "obtained": self.obtained,
            "expires": self.expires,
            "scopes": sorted(self.scopes),
            "company": self.company,
        }

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Grant:
        """Read what `plain` has returned."""
        tokens = {name: SecretStr(plain[name]) for name in ("access_token", "refresh_token")}
        return cls(plain["id"], **tokens, obtained=plain["obtained"], expires=plain["expires"],
                   scopes=frozenset(plain["scopes"]), company=plain.get("company", ""))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """One Klaviyo account, known by its alias.

    It has an API key, or a ``grant`` to an OAuth application, or only a company id. ``generation`` tells one state of a
    stored account from another; 0: it is defined in the settings. ``unreadable`` says why its secrets cannot be read.
    ``moved_to`` names the Redis to which it has moved, while what it began here is still ending. ``weight``: its
    shares of the workers' slots while other accounts want some, too.
    """

    alias: str
    api_key: SecretStr | None
    company_id: str | None
    timezone: str = "UTC"
    conversion_metric: str = ""
    grant: Grant | None = None
    generation: int = 0
    unreadable: str = field(default="")
    moved_to: str = ""
    weight: int = 1

    def variable(self, setting: str) -> str:
        """The environment variable that holds one of this account's settings."""
        if self.alias == DEFAULT:
            return f"KLAVIYO_{setting}"
        return f"KLAVIYO_ACCOUNTS__{self.alias.upper().replace('-', '_')}__{setting}"

    @property
    def renewing(self) -> str:
        """What to do to give this account other credentials."""
        if self.unreadable:
            return "start the workers with the KLAVIYO_SECRET_KEY that its secrets were stored with"
        if self.grant:
            return f"run `klaviyo accounts authorize {self.alias}`"
        if self.generation:
            return f"run `klaviyo accounts rotate {self.alias}`"
        return f"set {self.variable('API_KEY')} and restart the workers, beat and Flower"

    @property
    def uses_key(self) -> bool:
        """Whether a private API key authorizes its requests, which then count for the key's company."""
        return self.api_key is not None and self.grant is None

    @property
    def fingerprint(self) -> str:
        """What distinguishes these credentials from others, without revealing anything about them."""
        if self.grant:
            return self.grant.id
        key = self.api_key.get_secret_value() if self.api_key else ""
        return hashlib.sha256(key.encode()).hexdigest()[:12]

    def key(self) -> str:
        """The private API key.

        Raises:
            SettingsError: there is none.

        """
        if self.api_key is None:
            raise SettingsError(f"account {self.alias!r} has no API key: set {self.variable('API_KEY')}")
        return self.api_key.get_secret_value()

    def authorization(self, action: str) -> str:
        """The header that authorizes a request.

        Raises:
            SettingsError: the account has no credentials.
            CredentialsFailed: those that are stored cannot be read.

        """
        if self.grant:
            return f"Bearer {self.grant.access_token.get_secret_value()}"
        if self.unreadable:
            raise CredentialsFailed(action, self.alias, self.unreadable)
        return f"Klaviyo-API-Key {self.key()}"

    def company(self) -> str:
        """The public company id.

        Raises:
            SettingsError: there is none.

        """
        if self.company_id is None:
            raise SettingsError(f"account {self.alias!r} has no company id: set {self.variable('COMPANY_ID')}")
        return self.company_id
