"""Which Klaviyo accounts there are, and the credentials and the settings of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.errors import SettingsError
from worker.setting_names import alias_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from worker.settings import Settings

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Account:
    """One Klaviyo account, known by its alias."""

    alias: str
    api_key: SecretStr | None
    company_id: str | None
    timezone: str = "UTC"
    conversion_metric: str = ""

    def variable(self, setting: str) -> str:
        """The environment variable that holds one of this account's settings."""
        if self.alias == DEFAULT:
            return f"KLAVIYO_{setting}"
        return f"KLAVIYO_ACCOUNTS__{self.alias.upper().replace('-', '_')}__{setting}"

    @property
    def fingerprint(self) -> str:
        """Tells this account's key from another one, and nothing else of it."""
        key = self.api_key.get_secret_value() if self.api_key else ""
        return hashlib.sha256(key.encode()).hexdigest()[:12]

    def key(self) -> str:
        """The private API key.

        Raises:
            SettingsError: where there is none.

        """
        if self.api_key is None:
            raise SettingsError(f"account {self.alias!r} has no API key: set {self.variable('API_KEY')}")
        return self.api_key.get_secret_value()

    def company(self) -> str:
        """The public company id.

        Raises:
            SettingsError: where there is none.

        """
        if self.company_id is None:
            raise SettingsError(f"account {self.alias!r} has no company id: set {self.variable('COMPANY_ID')}")
        return self.company_id


def aliases(settings: Settings) -> list[str]:
    """The aliases of all configured accounts, the default one first."""
    extra = sorted(alias for alias in settings.accounts if alias != DEFAULT)
    return [DEFAULT, *extra] if settings.api_key or settings.company_id or DEFAULT in settings.accounts else extra


def account(settings: Settings, name: str = DEFAULT) -> Account:
    """The account with this alias.

    Raises:
        SettingsError: where it is not configured.

    """
    alias = alias_of(name)
    if found := settings.accounts.get(alias):
        zone, metric = found.timezone or settings.timezone, found.conversion_metric or settings.conversion_metric
        return Account(alias, found.api_key, found.company_id, zone, metric)
    if alias == DEFAULT:
        return Account(alias, settings.api_key, settings.company_id, settings.timezone, settings.conversion_metric)
    known = ", ".join(aliases(settings)) or "none"
    missing = Account(alias, None, None)
    raise SettingsError(f"there is no account {name!r} (known: {known}): set {missing.variable('API_KEY')}")
