"""Accounts that are stored while the system runs: who notices, and who can read them."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from worker.accounts.credentials import Account, Grant
from worker.accounts.lookup import account, aliases, all_accounts
from worker.accounts.stored import CACHED_S, AccountStore
from worker.errors import CredentialsFailed, SettingsError
from worker.governor import get_governor
from worker.one_per_process import forget
from worker.process.bootstep import _resume_changed
from worker.settings import get_settings

OLD, NEW = "old-" + "a" * 40, "new-" + "b" * 40
GRANT = Grant("g1", SecretStr("at_secret"), SecretStr("rt_secret"), 1.0, 3601.0, frozenset({"lists:read"}))


@pytest.fixture
def redis(settings, client, monkeypatch):
    """A real server as that of the process, whose secrets are encrypted with `OLD`."""
    settings.setenv("KLAVIYO_SECRET_KEY", OLD)
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    return client


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def writer(redis):
    return AccountStore(lambda: redis)


@pytest.fixture
def reader(redis, clock):
    """Another process."""
    return AccountStore(lambda: redis, moment=clock)


def test_an_account_that_is_stored_is_found_with_what_it_has(writer, reader):
    writer.change("eu", api_key=SecretStr("pk_eu"), company_id="EUR001", timezone="Europe/Berlin")

    found = reader.find("eu")
    assert (found.key(), found.company_id, found.timezone) == ("pk_eu", "EUR001", "Europe/Berlin")


def test_values_that_are_not_changed_are_kept(writer, reader):
    writer.change("eu", api_key=SecretStr("pk_eu"), timezone="Europe/Berlin")
    writer.change("eu", grant=GRANT, api_key=None)

    found = reader.find("eu")
    assert (found.timezone, found.grant, found.api_key) == ("Europe/Berlin", GRANT, None)
    assert found.authorization("get_lists") == "Bearer at_secret"


def test_another_process_notices_a_change_within_five_seconds(writer, reader, clock):
    writer.change("eu", api_key=SecretStr("pk_one"))
    assert reader.find("eu").key() == "pk_one"

    writer.change("eu", api_key=SecretStr("pk_two"))
    clock.now += CACHED_S + 0.1
    assert reader.find("eu").key() == "pk_two"

    writer.remove("eu")
    clock.now += CACHED_S + 0.1
    assert reader.find("eu") is None


def test_nothing_is_asked_of_redis_while_what_is_known_is_fresh(writer, reader, clock, redis):
    writer.change("eu", api_key=SecretStr("pk_one"))
    reader.find("eu")
    asked = redis.info("stats")["total_commands_processed"]

    for _ in range(100):
        reader.find("eu")

    assert redis.info("stats")["total_commands_processed"] == asked + 1  # this question itself


def test_a_change_tells_who_has_changed_since(writer, reader):
    first = writer.change("eu", api_key=SecretStr("pk_eu")).generation
    assert reader.changes(0) == (first, ["eu"])
    assert reader.changes(first) == (first, [])
    second = writer.change("us", api_key=SecretStr("pk_us")).generation
    assert reader.changes(first) == (second, ["us"])


def test_what_was_known_is_forgotten_where_redis_was_emptied(writer, reader, redis):
    latest = writer.change("eu", api_key=SecretStr("pk_eu")).generation
    reader.find("eu")

    redis.flushall()

    assert reader.changes(latest) == (0, ["eu"])
    assert reader.find("eu") is None


def test_what_has_changed_meanwhile_is_not_overwritten(writer, reader):
    before = writer.change("eu", api_key=SecretStr("pk_one")).generation
    writer.change("eu", api_key=SecretStr("pk_two"))

    assert reader.change("eu", before, api_key=SecretStr("pk_late")) is None
    assert reader.find("eu").key() == "pk_two"


def test_two_rows_that_are_swapped_are_of_no_use(writer, reader, redis):
    writer.change("eu", api_key=SecretStr("pk_eu"))
    writer.change("us", api_key=SecretStr("pk_us"))
    rows = redis.hgetall("klaviyo:accounts")
    redis.hset("klaviyo:accounts", mapping={"eu": rows[b"us"], "us": rows[b"eu"]})

    found = reader.find("eu")
    assert found.unreadable
    with pytest.raises(CredentialsFailed, match="of account eu are damaged, or were stored for another name"):
        found.authorization("get_lists")


def test_no_secret_shows_in_redis_or_a_repr(writer, reader, redis):
    writer.change("eu", api_key=SecretStr("pk_secret_eu"), grant=GRANT)

    everything = repr([redis.dump(key) for key in redis.scan_iter()]) + repr(reader.find("eu")) + repr(reader.all())
    assert not [each for each in ("pk_secret_eu", "at_secret", "rt_secret", OLD) if each in everything]


def test_secrets_are_encrypted_anew_with_a_new_key(settings, writer, redis):
    writer.change("eu", api_key=SecretStr("pk_eu"))
    settings.setenv("KLAVIYO_SECRET_KEY", f"{NEW},{OLD}")
    forget()

    assert (writer.encrypt_anew(), writer.encrypt_anew()) == (1, 0)
    settings.setenv("KLAVIYO_SECRET_KEY", NEW)
    forget()
    assert AccountStore(lambda: redis).find("eu").key() == "pk_eu"


@pytest.mark.parametrize("alias", ["", "two words", "a:b", "ünlü", "-a", "x" * 64, "A"])
def test_an_alias_that_could_not_be_part_of_a_waiting_list_is_refused(writer, alias):
    with pytest.raises(SettingsError, match="cannot name an account"):
        writer.change(alias, api_key=SecretStr("pk_eu"))


def test_calls_find_stored_accounts_beside_those_of_the_settings(writer):
    with pytest.raises(SettingsError, match=r"no account 'eu' \(known: default\).*klaviyo accounts add eu"):
        account(get_settings(), "eu")

    writer.change("eu", api_key=SecretStr("pk_eu"))
    writer.change("default", api_key=SecretStr("pk_other"))

    assert account(get_settings(), "EU").key() == "pk_eu"
    assert account(get_settings()).key() == "pk_secret"  # the settings hold
    assert aliases(get_settings()) == ["default", "eu"]
    assert [each.key() for each in all_accounts(get_settings())] == ["pk_secret", "pk_eu"]


def test_the_default_account_may_be_a_stored_one(settings, writer):
    for name in ("API_KEY", "COMPANY_ID"):
        settings.delenv(f"KLAVIYO_{name}")
    forget()
    assert account(get_settings()).api_key is None

    writer.change("default", api_key=SecretStr("pk_stored"))
    forget()

    assert account(get_settings()).key() == "pk_stored"


def test_an_account_whose_key_is_replaced_resumes(writer, redis):
    refused = writer.change("eu", api_key=SecretStr("pk_wrong"))
    for alias, key in (("eu", refused.fingerprint), ("gone", "x"), ("us", "")):
        get_governor().pause(f"account:{alias}", "somebody", "why", since=0.0, probe=5.0, key=key)

    _resume_changed()
    assert len(get_governor().paused()) == 3
    writer.change("eu", api_key=SecretStr("pk_right"))
    forget()
    _resume_changed()

    assert [each.what for each in get_governor().paused()] == ["account:gone", "account:us"]


def test_an_account_without_credentials_says_so():
    with pytest.raises(SettingsError, match="account 'eu' has no API key"):
        Account("eu", None, None).authorization("get_lists")
