"""Which Klaviyo accounts there are: those in the settings, and those that are stored (`worker.accounts.stored`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from worker.accounts.credentials import DEFAULT as DEFAULT
from worker.accounts.credentials import Account
from worker.accounts.stored import get_account_store
from worker.errors import SettingsError
from worker.process.state import working
from worker.redis.connection import AWAY
from worker.redis.homes import at_home, here, home_of_configured
from worker.redis.patience import asking_redis_once
from worker.setting_names import alias_of

if TYPE_CHECKING:
    from worker.settings import Settings


#: What to do if there is no account at all.
NO_ACCOUNT = (
    "There is no account: set KLAVIYO_API_KEY (environment or .env) to a private API key, or run "
    "`klaviyo accounts add NAME`."
)

#: What has to be restarted once an account is in the settings: a stored one is found without that.
READ_AT_START = "Workers, beat and Flower read settings as they start: restart them after a change."


def configured(settings: Settings) -> list[str]:
    """Return the aliases of the accounts in the settings, the default one first."""
    extra = sorted(alias for alias in settings.accounts if alias != DEFAULT)
    return [DEFAULT, *extra] if settings.api_key or settings.company_id or DEFAULT in settings.accounts else extra


def living_here(settings: Settings) -> list[str]:
    """Return the aliases of the accounts in the settings that live on the current Redis, the default one first."""
    return [alias for alias in configured(settings) if home_of_configured(settings, alias) == here()]


def aliases(settings: Settings) -> list[str]:
    """Return the aliases of all accounts that live on the current Redis, the default one first.

    Raises:
        redis.RedisError: Redis cannot be asked which are stored.

    """
    stored = get_account_store()
    names = [each.alias for each in stored.all() if not each.moved_to] if settings.redis_urls else stored.aliases()
    known = living_here(settings)
    found = sorted({*known, *names} - {DEFAULT})
    return [DEFAULT, *found] if DEFAULT in known or DEFAULT in names else found


def all_accounts(settings: Settings) -> Iterator[Account]:
    """Yield every account that lives on the current Redis, the default one first.

    Raises:
        redis.RedisError: Redis cannot be asked which are stored.

    """
    stored = {each.alias: each for each in get_account_store().all() if not each.moved_to}
    known = {alias: account(settings, alias) for alias in living_here(settings)}
    found = {**stored, **known}
    yield from sorted(found.values(), key=lambda each: (each.alias != DEFAULT, each.alias))


def account(settings: Settings, name: str = DEFAULT) -> Account:
    """Return the account with this alias. Those in the settings are found without asking Redis.

    Raises:
        SettingsError: there is none, or Redis cannot be asked whether it is stored.

    """
    alias = alias_of(name)
    if found := settings.accounts.get(alias):
        zone, metric = found.timezone or settings.timezone, found.conversion_metric or settings.conversion_metric
        return Account(alias, found.api_key, found.company_id, zone, metric, weight=found.weight)
    if alias == DEFAULT:
        return _default(settings)
    missing = Account(alias, None, None)
    try:
        with _as_long_as_a_caller_waits():
            # Work that began before the account moved ends with the credentials that are stored here.
            if stored := get_account_store().find(alias):
                return stored
            with at_home(alias):
                if stored := get_account_store().find(alias) or get_account_store().read(alias):
                    return stored
            known = ", ".join(aliases(settings)) or "none"
    except AWAY as error:
        known = ", ".join(configured(settings)) or "none"
        raise SettingsError(
            f"there is no account {name!r} (known: {known}): set {missing.variable('API_KEY')}; "
            f"Redis could not be asked whether it is stored: {error}"
        ) from None
    raise SettingsError(
        f"there is no account {name!r} (known: {known}): set {missing.variable('API_KEY')}, "
        f"or run `klaviyo accounts add {alias}`"
    )


def _default(settings: Settings) -> Account:
    """The default account. There is one even without credentials: a process that only publishes needs none."""
    if not (settings.api_key or settings.company_id):
        try:
            with _as_long_as_a_caller_waits(), at_home(DEFAULT):
                if stored := get_account_store().find(DEFAULT):
                    return stored
        except AWAY:
            pass
    zone, metric = settings.timezone, settings.conversion_metric
    return Account(DEFAULT, settings.api_key, settings.company_id, zone, metric, weight=settings.weight)


def _as_long_as_a_caller_waits() -> AbstractContextManager[None]:
    """A worker waits for Redis; a caller wants to know at once."""
    return nullcontext() if working.is_set() else asking_redis_once()
