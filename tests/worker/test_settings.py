"""Settings and accounts: one clear sentence for what is wrong, and no secret in it."""

import traceback

import pytest

from worker.accounts.lookup import account, configured
from worker.errors import SettingsError
from worker.settings import Settings, get_settings, misspelled_settings


@pytest.fixture(autouse=True)
def fresh(clean_settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_accounts_are_read_from_nested_variables_in_any_spelling(monkeypatch):
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_default")
    monkeypatch.setenv("KLAVIYO_ACCOUNTS__EU_STORE__API_KEY", "pk_eu")

    settings = get_settings()

    assert configured(settings) == ["default", "eu-store"]
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


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("KLAVIYO_ACCOUNTS__EU__TIMEZON", "there is no such setting; did you mean KLAVIYO_ACCOUNTS__EU__TIMEZONE?"),
        ("KLAVIYO_ACCOUNTS__EU__APIKEY", "there is no such setting; did you mean KLAVIYO_ACCOUNTS__EU__API_KEY?"),
        ("KLAVIYO_ACCOUNTS__EU__COLOUR", "there is no such setting; there are API_KEY, COMPANY_ID, TIMEZONE, CONV"),
        ("KLAVIYO_ACCOUNTS__EU_API_KEY", "this is not a setting; did you mean KLAVIYO_ACCOUNTS__EU__API_KEY?"),
        ("klaviyo_pushes__shop__deletes", "there is no such setting; did you mean KLAVIYO_PUSHES__SHOP__DELETE?"),
    ],
)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_misspelled_setting_of_an_account_or_a_push_is_refused_with_the_nearest_name(
    monkeypatch, tmp_path, where, variable, said
):
    if where == "file":
        (tmp_path / ".env").write_text(f"{variable}=hidden\n")
    else:
        monkeypatch.setenv(variable, "hidden")

    with pytest.raises(SettingsError) as caught:
        get_settings()

    assert f"{variable.upper()}: {said}" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("KLAVIYO_CONCURENCY", "KLAVIYO_CONCURENCY is no setting; did you mean KLAVIYO_CONCURRENCY?"),
        ("klaviyo_base_uri", "klaviyo_base_uri is no setting; did you mean KLAVIYO_BASE_URL?"),
        ("KLAVIYO_CONCURRENCY__MAX", "KLAVIYO_CONCURRENCY__MAX is no setting; did you mean KLAVIYO_CONCURRENCY?"),
        (
            "KLAVIYO_ACCOUNT__EU__APIKEY",
            "KLAVIYO_ACCOUNT__EU__APIKEY is no setting; did you mean KLAVIYO_ACCOUNTS__EU__API_KEY?",
        ),
        (
            "KLAVIYO_ACCOUNTS_EU_STORE_API_KEY",
            "KLAVIYO_ACCOUNTS_EU_STORE_API_KEY is no setting; did you mean KLAVIYO_ACCOUNTS__EU_STORE__API_KEY?",
        ),
        (
            "KLAVIYO_SCHEDULES__CATALOG",
            "KLAVIYO_SCHEDULES__CATALOG is no setting; did you mean KLAVIYO_SCHEDULE__CATALOG?",
        ),
        ("KLAVIYO_LIST", "KLAVIYO_LIST is no setting of this program."),
    ],
)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_misspelled_setting_is_told_with_the_nearest_name_but_not_its_value(
    monkeypatch, tmp_path, where, variable, said
):
    if where == "file":
        (tmp_path / ".env").write_text(f"{variable}=hidden\n")
    else:
        monkeypatch.setenv(variable, "hidden")
    get_settings()

    assert misspelled_settings() == said


def test_a_setting_in_any_case_and_what_is_empty_or_not_ours_is_not_taken_for_misspelled(monkeypatch):
    for name in ("klaviyo_api_key", "KLAVIYO_Accounts__EU__Api_Key", "KLAVIYO_PUSHES", "KLAVIYO_SCHEDULE__CATALOG"):
        monkeypatch.setenv(name, "{}")
    for name in ("KLAVIYO_OPENAPI", "MY_KLAVIYO_LIST", "KLAVIYO"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KLAVIYO_CONCURENCY", "")

    assert misspelled_settings() == ""


def test_no_secret_shows_in_a_settings_repr(monkeypatch):
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_secret")
    monkeypatch.setenv("KLAVIYO_REDIS_URL", "redis://:pk_secret@redis")

    assert "pk_secret" not in repr(get_settings())
    assert "pk_secret" not in repr(account(get_settings()))


def test_a_key_from_a_mounted_file_loses_its_lines_end():
    assert account(Settings(api_key="pk_mounted\n")).key() == "pk_mounted"


@pytest.mark.parametrize("key", ["pk_real\u00a0key", "pk_two words", "pk_caf\u00e9"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(monkeypatch, key):
    monkeypatch.setenv("KLAVIYO_API_KEY", key)

    with pytest.raises(SettingsError, match="KLAVIYO_API_KEY") as caught:
        get_settings()

    assert "pk_" not in "".join(traceback.format_exception(caught.value))


def test_a_fingerprint_tells_keys_apart_and_nothing_of_them(monkeypatch):
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_first")
    monkeypatch.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_first")
    monkeypatch.setenv("KLAVIYO_ACCOUNTS__US__API_KEY", "pk_second")

    default, eu, us = (account(get_settings(), alias).fingerprint for alias in ("default", "eu", "us"))

    assert default == eu != us
    assert "first" not in default
