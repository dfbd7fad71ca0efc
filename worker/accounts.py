"""Which Klaviyo accounts there are, and the credentials of each."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from worker.errors import SettingsError
from worker.settings import Settings, alias_of

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Account:
    """One Klaviyo account, known by its alias."""

    alias: str
    api_key: SecretStr | None
    company_id: str | None

    @property
    def variable(self) -> str:
        """The common part of the environment variables that describe this account."""
        return "KLAVIYO" if self.alias == DEFAULT else f"KLAVIYO_ACCOUNTS__{self.alias.upper().replace('-', '_')}"

    def key(self) -> str:
        """The private API key.

        Raises:
            SettingsError: where there is none.

        """
        if self.api_key is None:
            raise SettingsError(f"account {self.alias!r} has no API key: set {self.variable}_{self._sep}API_KEY")
        return self.api_key.get_secret_value()

    def company(self) -> str:
        """The public company id.

        Raises:
            SettingsError: where there is none.

        """
        if self.company_id is None:
            raise SettingsError(f"account {self.alias!r} has no company id: set {self.variable}_{self._sep}COMPANY_ID")
        return self.company_id

    @property
    def _sep(self) -> str:
        return "" if self.alias == DEFAULT else "_"


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
        return Account(alias, found.api_key, found.company_id)
    if alias == DEFAULT:
        return Account(alias, settings.api_key, settings.company_id)
    known = ", ".join(aliases(settings)) or "none"
    missing = Account(alias, None, None)
    raise SettingsError(f"there is no account {name!r} (known: {known}): set {missing.variable}__API_KEY")
