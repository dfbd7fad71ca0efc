"""Secrets in Redis: who can read them, as what, and for how long."""

from __future__ import annotations

import pytest

from worker.accounts.encryption import Encryption, Undecryptable, get_encryption
from worker.errors import SettingsError
from worker.one_per_process import forget
from worker.settings import get_settings

OLD, NEW = "old-" + "a" * 40, "new-" + "b" * 40
SECRET = b"pk_of_a_shop"


def test_what_is_encrypted_is_read_again_and_shows_nothing():
    encryption = Encryption([OLD])

    encrypted = encryption.encrypt(SECRET, "account:eu")

    assert encryption.decrypt(encrypted, "account:eu") == SECRET
    assert SECRET not in encrypted
    assert encryption.encrypt(SECRET, "account:eu") != encrypted


def test_a_secret_that_is_put_in_anothers_place_is_refused():
    encryption = Encryption([OLD])
    encrypted = encryption.encrypt(SECRET, "account:eu")

    with pytest.raises(Undecryptable, match="account:us are damaged, or were stored for another name"):
        encryption.decrypt(encrypted, "account:us")


@pytest.mark.parametrize("at", [0, 1, 5, 17, -1])
def test_a_secret_that_was_changed_anywhere_is_refused(at):
    encryption = Encryption([OLD])
    changed = bytearray(encryption.encrypt(SECRET, "account:eu"))
    changed[at] ^= 1

    with pytest.raises(Undecryptable):
        encryption.decrypt(bytes(changed), "account:eu")


@pytest.mark.parametrize("stored", [b"", b"\x01", b"{}", b"\x01" + b"x" * 16])
def test_what_was_never_encrypted_is_refused(stored):
    with pytest.raises(Undecryptable):
        Encryption([OLD]).decrypt(stored, "account:eu")


def test_the_first_key_encrypts_and_all_decrypt():
    before = Encryption([OLD]).encrypt(SECRET, "account:eu")
    both = Encryption([NEW, OLD])

    assert both.decrypt(before, "account:eu") == SECRET
    assert not both.is_current(before)
    after = both.encrypt(SECRET, "account:eu")
    assert both.is_current(after)
    assert Encryption([NEW]).decrypt(after, "account:eu") == SECRET
    with pytest.raises(Undecryptable, match="with a key that KLAVIYO_SECRET_KEY does not hold"):
        Encryption([NEW]).decrypt(before, "account:eu")


def test_without_a_key_it_is_said_how_to_make_one(settings):
    with pytest.raises(SettingsError, match=r"KLAVIYO_SECRET_KEY is not set.*secrets\.token_urlsafe"):
        get_encryption()


def test_the_setting_holds_keys_with_commas_between(settings):
    settings.setenv("KLAVIYO_SECRET_KEY", f" {NEW}, {OLD}\n")
    forget()

    assert get_encryption().decrypt(Encryption([OLD]).encrypt(SECRET, "x"), "x") == SECRET
    assert NEW not in repr(get_settings())


def test_a_short_key_is_refused_without_showing_it(settings):
    settings.setenv("KLAVIYO_SECRET_KEY", f"{NEW},hunter2")
    forget()

    with pytest.raises(SettingsError, match="KLAVIYO_SECRET_KEY: each key needs 32 characters at least") as refused:
        get_settings()
    assert "hunter2" not in str(refused.value)
