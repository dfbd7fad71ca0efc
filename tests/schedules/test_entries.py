"""What runs when, for which account, and what settings can change."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from schedules.entries import ENTRIES, beat_schedule, entries_of, scheduled_entries
from schedules.pull.streams import STREAMS
from schedules.sync import resolve_streams
from worker.accounts.credentials import Account
from worker.errors import InputError, SettingsError
from worker.settings import Settings, get_settings


def settings(**given):
    return Settings(_env_file=None, **{"api_key": "pk_a", "accounts": {"EU_STORE": {"api_key": "pk_b"}}, **given})


@pytest.fixture
def environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    yield monkeypatch
    get_settings.cache_clear()


def test_every_entry_runs_on_every_account_by_messages_that_name_it():
    schedule = beat_schedule(settings())

    assert len(schedule) == 2 * len(ENTRIES)
    assert {each["kwargs"]["account"] for each in schedule.values()} == {"default", "eu-store"}
    coupons = schedule["coupons.eu-store"]
    assert json.loads(json.dumps(coupons["kwargs"])) == {
        "account": "eu-store",
        "streams": ["coupons", "coupon_codes"],
        "mode": "changes",
    }
    assert coupons["task"] == "klaviyo.sync"
    assert coupons["options"] == {"expires": 12 * 3600}


def test_without_an_account_nothing_runs():
    assert beat_schedule(Settings(_env_file=None, api_key=None, company_id=None, accounts={})) == {}


def test_no_two_entries_begin_in_the_same_minute_nor_in_the_hour_that_clocks_change():
    minutes = [entry.crontab.split()[0] for entry in ENTRIES]
    hours = {entry.crontab.split()[1] for entry in ENTRIES}

    assert len(set(minutes)) == len(minutes)
    assert "0" not in minutes
    assert "2" not in hours


def starts(account, **given):
    """Minute of the day at which each of its entries starts."""
    times = [each.crontab.text.split() for each in entries_of(account, settings(**given))]
    return [int(hour) * 60 + int(minute) for minute, hour, *_ in times]


def test_a_thousand_stored_accounts_spread_over_the_night_by_themselves():
    nights = [starts(Account(f"shop-{number}", None, None, generation=1)) for number in range(1_000)]

    for which, usual in enumerate(starts(Account("default", None, None))):
        begun = Counter(each[which] for each in nights)
        assert max(begun.values()) <= 25  # of 1,000 in two hours, 8 a minute on average
        assert usual <= min(begun) < max(begun) < 7 * 60
        assert not [minute for minute in begun if 120 <= minute < 180]
    assert all(each == sorted(set(each)) for each in nights)


def test_a_stored_account_keeps_its_minutes_and_a_setting_is_meant_as_it_stands():
    shop = Account("shop", None, None, generation=1)

    assert starts(shop) == starts(Account("shop", None, None, generation=7))
    assert starts(shop, schedule={"catalog": "0 5 * * *"})[3] == 300


def test_every_entry_says_why_and_expires_before_it_is_due_again():
    for each in scheduled_entries(settings()):
        first = each.crontab.after(datetime(2026, 11, 24, tzinfo=UTC))
        assert each.entry.reason.endswith(".")
        assert each.entry.expires_s < (each.crontab.after(first) - first).total_seconds()


def test_an_account_has_its_own_zone_or_the_common_one():
    given = settings(timezone="Europe/Berlin", accounts={"US": {"api_key": "pk_b", "timezone": "America/New_York"}})

    zones = {each.account: (each.timezone, each.crontab.zone) for each in scheduled_entries(given)}

    assert zones == {"default": ("Europe/Berlin",) * 2, "us": ("America/New_York",) * 2}


def test_a_setting_moves_an_entry_on_every_account_and_another_switches_one_off(environment):
    environment.setenv("KLAVIYO_API_KEY", "pk_a")
    environment.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_b")
    environment.setenv("KLAVIYO_SCHEDULE__FULL_SCAN", "5 6  1 * *")
    environment.setenv("KLAVIYO_SCHEDULE__COUPONS", "off")

    schedule = beat_schedule(get_settings())

    assert {schedule[f"full-scan.{alias}"]["schedule"].text for alias in ("default", "eu")} == {"5 6 1 * *"}
    assert [name for name in schedule if name.startswith("coupons")] == []
    off = [each.name for each in scheduled_entries(get_settings()) if each.crontab is None]
    assert off == ["coupons.default", "coupons.eu"]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "KLAVIYO_SCHEDULE__CATALOGUE",
            "off",
            "there is no such entry. The entries are set by .*KLAVIYO_SCHEDULE__CATALOG,",
        ),
        ("KLAVIYO_SCHEDULE__FULL_SCAN", "weekly", "'weekly' is not a crontab.*such as '7 1 \\* \\* \\*'"),
        ("KLAVIYO_SCHEDULE__CATALOG", "7", "'7' is not a crontab"),
        ("KLAVIYO_TIMEZONE", "Berlin", "this is not a time zone"),
        ("KLAVIYO_ACCOUNTS__EU__TIMEZONE", "../etc/passwd", "this is not a time zone"),
    ],
)
def test_a_wrong_setting_is_one_sentence_with_its_variable(environment, variable, value, said):
    environment.setenv("KLAVIYO_API_KEY", "pk_a")
    environment.setenv(variable, value)

    with pytest.raises(SettingsError, match=said) as caught:
        beat_schedule(get_settings())

    assert str(caught.value).startswith(f"{variable}: ")


def test_every_stream_that_an_entry_names_can_be_read():
    for entry in ENTRIES:
        if entry.task == "klaviyo.sync" and entry.kwargs["mode"] != "reports":
            assert resolve_streams(entry.kwargs["streams"])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["campaign_messages"], "campaign_messages cannot be read alone: name campaigns, which brings them"),
        ([], "at least one stream"),
    ],
)
def test_a_sync_that_would_read_nothing_is_refused(names, said):
    with pytest.raises(InputError, match=said):
        resolve_streams(names)


def test_every_stream_is_read_by_some_entry():
    read = {
        name
        for entry in ENTRIES
        if entry.kwargs["mode"] == "changes"
        for name in resolve_streams(entry.kwargs["streams"])
    }

    assert read == {name for name, stream in STREAMS.items() if stream.action is not None}


def test_a_push_with_a_schedule_is_an_entry_in_the_zone_of_its_account(monkeypatch):
    monkeypatch.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
    monkeypatch.setenv("KLAVIYO_ACCOUNTS__EU__TIMEZONE", "Europe/Berlin")
    for part, value in {
        "KIND": "catalog_items",
        "SOURCE": "items.csv",
        "ACCOUNT": "eu",
        "SCHEDULE": "5 6 * * *",
    }.items():
        monkeypatch.setenv(f"KLAVIYO_PUSHES__SHOP__{part}", value)
    get_settings.cache_clear()

    entry = beat_schedule(get_settings())["push-shop"]

    assert (entry["task"], entry["kwargs"]) == ("klaviyo.push", {"name": "shop"})
    assert (entry["schedule"].text, entry["schedule"].zone) == ("5 6 * * *", "Europe/Berlin")
