"""Settings and accounts: one clear sentence for what is wrong, and no secret in it."""

import pytest

from worker.accounts import account, aliases
from worker.errors import SettingsError
from worker.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def fresh(clean_settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_accounts_are_read_from_nested_variables_in_any_spelling(monkeypatch):
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_default")
    monkeypatch.setenv("KLAVIYO_ACCOUNTS__EU_STORE__API_KEY", "pk_eu")

    settings = get_settings()

    assert aliases(settings) == ["default", "eu-store"]
    assert account(settings, "EU-Store").key() == account(settings, "eu_store").key() == "pk_eu"


def test_an_unknown_account_is_named_with_its_variable(monkeypatch):
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_default")

    with pytest.raises(SettingsError, match=r"no account 'us' \(known: default\): set KLAVIYO_ACCOUNTS__US__API_KEY"):
        account(get_settings(), "us")


@pytest.mark.parametrize(
    ("alias", "variable"), [("default", "KLAVIYO_API_KEY"), ("eu", "KLAVIYO_ACCOUNTS__EU__API_KEY")]
)
def test_a_missing_key_is_told_with_its_variable(monkeypatch, alias, variable):
    monkeypatch.setenv("KLAVIYO_ACCOUNTS__EU__COMPANY_ID", "ABC123")

    with pytest.raises(SettingsError, match=f"set {variable}$"):
        account(get_settings(), alias).key()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KLAVIYO_BASE_URL", "a.klaviyo.com", "must begin with https://"),
        ("KLAVIYO_REDIS_URL", "http://redis", "must begin with redis://"),
        ("KLAVIYO_READ_TIMEOUT", "soon", "valid number"),
        ("KLAVIYO_CONCURRENCY", "0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_one_sentence_with_its_variable(monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=said) as caught:
        get_settings()

    assert variable in str(caught.value)


def test_no_secret_shows_in_a_settings_repr(monkeypatch):
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_secret")

    assert "pk_secret" not in repr(get_settings())
    assert "pk_secret" not in repr(account(get_settings()))


def test_a_unix_sockets_address_is_spelled_as_celery_wants_it():
    settings = Settings(redis_url="unix:///tmp/x/redis.sock?db=2")

    assert settings.broker_url == "redis+socket:///tmp/x/redis.sock?virtual_host=2"


def test_a_tls_address_tells_celery_to_check_certificates():
    assert Settings(redis_url="rediss://redis:6380/1").broker_url == "rediss://redis:6380/1?ssl_cert_reqs=required"
    assert Settings(redis_url="rediss://redis?ssl_cert_reqs=none").broker_url == "rediss://redis?ssl_cert_reqs=none"


def test_a_key_from_a_mounted_file_loses_its_lines_end():
    assert account(Settings(api_key="pk_mounted\n")).key() == "pk_mounted"


@pytest.mark.parametrize("key", ["pk_real\u00a0key", "pk_two words", "pk_caf\u00e9"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(monkeypatch, key):
    monkeypatch.setenv("KLAVIYO_API_KEY", key)

    with pytest.raises(SettingsError, match="KLAVIYO_API_KEY") as caught:
        get_settings()

    assert "pk_" not in str(caught.value)
