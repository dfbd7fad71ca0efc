"""Consent and members: given at Klaviyo, synced into the store, exported to a file."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest

from tasks.lists import add_profiles_to_list, create_list, remove_profiles_from_list
from tasks.profiles import (
    bulk_subscribe_profiles,
    bulk_suppress_profiles,
    bulk_unsubscribe_profiles,
    create_profile,
    get_bulk_suppress_profiles_job,
)
from tests.cli.typed import run
from tests.live.copies import sync
from tests.live.system import until
from worker.settings import get_settings

NAMES = ("eager", "weary", "stopped", "silent")


def address(name):
    return f"{name}@shop.example.com"


@pytest.fixture
def export(syncing, copied, monkeypatch):
    """Export a view of the store, and return the file's rows."""
    monkeypatch.chdir(syncing.folder)
    monkeypatch.setenv("KLAVIYO_STORE_URL", copied.url)
    get_settings.cache_clear()

    def rows_of(view):
        told = run("export", view, f"{view}.csv", "--account", "default", "--force")
        assert told.exit_code == 0, told.stderr
        assert "@" not in told.output
        with Path(f"{view}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert told.stderr.endswith(f" of {view} to {view}.csv: {len(rows)} of default.\n")
        return rows

    yield rows_of
    get_settings.cache_clear()


def test_consent_and_suppressions_are_exported_as_klaviyo_has_them(syncing, export):
    for name in NAMES:
        create_profile(email=address(name))
    marketing = {"email": {"marketing": {"consent": "SUBSCRIBED"}}}
    subscribed = [{"email": address(name), "subscriptions": marketing} for name in ("eager", "weary")]
    bulk_subscribe_profiles(profiles=subscribed, custom_source="fair")
    withdrawn = {"email": {"marketing": {"consent": "UNSUBSCRIBED"}}}
    bulk_unsubscribe_profiles(profiles=[{"email": address("weary"), "subscriptions": withdrawn}])
    syncing.sandbox.jobs(seconds=0.1)
    job = bulk_suppress_profiles(profiles=[{"email": address("stopped")}])["data"]["id"]
    until(
        lambda: get_bulk_suppress_profiles_job(job_id=job)["data"]["attributes"]["status"] == "complete", 20, "the job"
    )

    sync(syncing, "profiles", mode="full")
    consent = {
        row["email"].partition("@")[0]: row
        for row in export("consent")
        if (row["channel"], row["kind"]) == ("email", "marketing")
    }
    [suppression] = export("suppressions")

    assert {name: (row["consent"], row["source"], row["suppression_reason"]) for name, row in consent.items()} == {
        "eager": ("SUBSCRIBED", "fair", ""),
        "weary": ("UNSUBSCRIBED", "fair", ""),
        "stopped": ("NEVER_SUBSCRIBED", "", "USER_SUPPRESSED"),
        "silent": ("NEVER_SUBSCRIBED", "", ""),
    }
    assert {name: row["can_receive"] for name, row in consent.items()} == {
        "eager": "true", "weary": "false", "stopped": "false", "silent": "true",
    }  # fmt: skip
    assert consent["eager"]["since"] != "" == consent["silent"]["since"]
    assert (suppression["email"], suppression["list_id"]) == (address("stopped"), "")
    assert suppression["since"] == consent["stopped"]["suppressed_since"] != ""


def test_whoever_left_a_list_and_joined_again_is_exported_with_both_memberships(syncing, export):
    ids = {name: create_profile(email=address(name))["data"]["id"] for name in NAMES}
    news = create_list(name="News")["data"]["id"]
    add_profiles_to_list(list_id=news, profile_ids=[ids["eager"], ids["weary"], ids["stopped"]])
    joined = int(time.time())
    sync(syncing, "profiles", "lists", "list_members", mode="full")
    remove_profiles_from_list(list_id=news, profile_ids=[ids["eager"], ids["weary"]])
    sync(syncing, "list_members", mode="full")
    until(lambda: time.time() > joined + 1, 5, "the next second: Klaviyo tells no shorter time apart")
    add_profiles_to_list(list_id=news, profile_ids=[ids["eager"]])
    sync(syncing, "list_members", mode="full")

    rows = export("list_memberships")

    assert {row["list"] for row in rows} == {"News"}
    assert sorted((row["email"], row["left_before"] == "") for row in rows) == [
        (address("eager"), False), (address("eager"), True), (address("stopped"), True), (address("weary"), False),
    ]  # fmt: skip
    first, second = sorted((row for row in rows if row["email"] == address("eager")), key=lambda row: row["joined_at"])
    assert first["joined_at"] < second["joined_at"]
    assert first["last_seen"] < first["left_before"] < second["last_seen"]
