"""Encrypting what Redis keeps, with the keys of ``KLAVIYO_SECRET_KEY``: the first seals, each of them opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.errors import SettingsError
from worker.one_per_process import one_per_process
from worker.settings import get_settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


def seal(text: str) -> str:
    """Return a text encrypted; as it is where no key is set."""
    seals = _seals()
    return seals.encrypt(text.encode()).decode() if seals else text


def unseal(sealed: str) -> str:
    """Return the text again.

    Raises:
        SettingsError: it was encrypted, with a key that is not set.

    """
    if sealed.startswith("{"):  # no key was set then; what Fernet makes begins with a letter
        return sealed
    from cryptography.fernet import InvalidToken

    seals = _seals()
    try:
        if seals:
            return seals.decrypt(sealed.encode()).decode()
    except InvalidToken:
        pass
    raise SettingsError("KLAVIYO_SECRET_KEY: this was encrypted with a key that is not set here; add it to the list")


@one_per_process
def _seals() -> MultiFernet | None:
    keys = get_settings().secret_key
    if not keys:
        return None
    # Imported here: a process without a key needs none of it.
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(each.get_secret_value()) for each in keys])
