"""Encrypts the secrets that Redis keeps, with keys derived from ``KLAVIYO_SECRET_KEY``.

AES-256-GCM rather than Fernet, which cannot bind a ciphertext to a name: a text is the secret `of` something, such as
``account eu-store``, and can only be decrypted as that. So nobody who can write to Redis can give one account the
secrets of another.

The setting may hold several keys. The first one encrypts, and all of them decrypt: so the first can be replaced while
texts remain that the key before it has encrypted. Each text says which key has encrypted it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from worker.errors import SettingsError
from worker.one_per_process import one_per_process
from worker.settings import get_settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: An encrypted text is made of this byte, the id of its key, a nonce, and the ciphertext with its tag.
VERSION, ID_BYTES, NONCE_BYTES = b"\x01", 4, 12

#: The command that makes a key, for messages.
HOW_TO_MAKE_ONE = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"


class Undecryptable(SettingsError):
    """A stored text was encrypted by none of the keys or under another name, or has been changed."""


class SecretKey:
    """One key of the setting."""

    def __init__(self, text: str) -> None:
        self._text = text
        #: Tells keys apart without revealing them.
        self.id = hashlib.sha256(b"klaviyo-worker key id\0" + text.encode()).digest()[:ID_BYTES]

    @cached_property
    def cipher(self) -> AESGCM:
        """The cipher with the key derived from the text."""
        # Imported here, as that takes 40 ms and most processes decrypt nothing.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return AESGCM(HKDF(SHA256(), 32, salt=None, info=b"klaviyo-worker").derive(self._text.encode()))


class Encryption:
    """Encrypts with the first of some keys and decrypts with any of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._keys = [SecretKey(text) for text in texts]

    def encrypt(self, plain: bytes, of: str) -> bytes:
        """Encrypt a text, bound to the name of what it is a secret of."""
        key, nonce = self._keys[0], secrets.token_bytes(NONCE_BYTES)
        return VERSION + key.id + nonce + key.cipher.encrypt(nonce, plain, of.encode())

    def decrypt(self, encrypted: bytes, of: str) -> bytes:
        """Decrypt what `encrypt` has made for the same name.

        Raises:
            Undecryptable: it was made with another key or for another name, or is damaged.

        """
        from cryptography.exceptions import InvalidTag

        head = len(VERSION) + ID_BYTES
        id, nonce, rest = encrypted[len(VERSION) : head], encrypted[head : head + NONCE_BYTES], encrypted[head:]
        key = next((each for each in self._keys if each.id == id), None)
        if not encrypted.startswith(VERSION) or key is None:
            raise Undecryptable(f"the secrets of {of} are encrypted with a key that KLAVIYO_SECRET_KEY does not hold")
        try:
            return key.cipher.decrypt(nonce, rest[NONCE_BYTES:], of.encode())
        except (InvalidTag, ValueError):
            raise Undecryptable(f"the stored secrets of {of} are damaged, or were stored for another name") from None

    def is_current(self, encrypted: bytes) -> bool:
        """Return True if a text is encrypted with the first key."""
        return encrypted.startswith(VERSION + self._keys[0].id)


@one_per_process
def get_encryption() -> Encryption:
    """The encryption of this process.

    Raises:
        SettingsError: no key is set.

    """
    setting = get_settings().secret_key
    if setting is None:
        raise SettingsError(
            "KLAVIYO_SECRET_KEY is not set: it encrypts secrets in Redis. Set the same one for every process; "
            f"to make one, run: {HOW_TO_MAKE_ONE}"
        )
    return Encryption([text.strip() for text in setting.get_secret_value().split(",")])
