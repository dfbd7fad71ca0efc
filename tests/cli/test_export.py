"""`klaviyo export`: views of the store as files, from either database."""

from __future__ import annotations

import csv
import io
import json
import stat
import sys
from datetime import UTC, datetime

import pytest

from cli.export import formats
from schedules.store import views
from schedules.store.connection import transaction
from schedules.store.rows import upsert
from schedules.store.tables import events, profiles
from tests.cli.typed import run
from worker.settings import get_settings

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MARKETING = {
    "consent": "SUBSCRIBED", "consent_timestamp": "2026-01-02T03:04:05+00:00", "method": "SERVER",
    "method_detail": 'the "fair", hall 7\nstand 2', "can_receive_email_marketing": True,
}  # fmt: skip


@pytest.fixture
def filled(settings, store, tmp_path):
    """A store with two accounts: three profiles of one, one of the other."""
    settings.setenv("KLAVIYO_ACCOUNTS__OTHER__API_KEY", "pk_other")
    get_settings.cache_clear()
    with transaction() as connection:
        rows = [profile("default", f"P{number}") for number in range(3)] + [profile("other", "Ü9")]
        upsert(connection, profiles, rows)
    return tmp_path


def profile(account, id):
    attributes = {"title": "Gräfin", "subscriptions": {"email": {"marketing": MARKETING}, "sms": {"marketing": {}}}}
    return {"account": account, "id": id, "email": f"{id}@example.com", "synced_at": NOON, "attributes": attributes}


def exported(*words):
    result = run("export", *words)
    assert result.exit_code == 0, result.stderr
    return result


def table_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_view_becomes_a_csv_file_with_the_rows_of_every_account(filled):
    result = exported("consent", "consent.csv")

    rows = table_of((filled / "consent.csv").read_text("utf-8"))
    assert [(row["account"], row["profile_id"]) for row in rows] == [
        ("default", "P0"), ("default", "P0"), ("default", "P1"), ("default", "P1"), ("default", "P2"),
        ("default", "P2"), ("other", "Ü9"), ("other", "Ü9"),
    ]  # fmt: skip
    [email] = [row for row in rows if (row["profile_id"], row["channel"]) == ("P0", "email")]
    assert email.items() >= {
        "consent": "SUBSCRIBED", "since": "2026-01-02T03:04:05+00:00", "source": MARKETING["method_detail"],
        "can_receive": "true", "phone_number": "", "synced_at": "2026-11-24T12:00:00+00:00",
    }.items()  # fmt: skip
    assert "Wrote 8 rows of consent to consent.csv: 6 of default, 2 of other." in result.stderr
    assert "@" not in result.output


def test_of_one_account_only_its_rows_are_written(filled):
    result = exported("current_profiles", "other.jsonl", "--account", "other")

    [row] = [json.loads(line) for line in (filled / "other.jsonl").read_text("utf-8").splitlines()]
    assert (row["id"], row["attributes"]["title"], row["created"]) == ("Ü9", "Gräfin", None)
    assert row["synced_at"] == "2026-11-24T12:00:00+00:00"
    assert "Wrote 1 row of current_profiles" in result.stderr


def test_a_dash_prints_csv_and_nothing_else(filled):
    result = exported("current_profiles", "-", "--account", "other")

    [row] = table_of(result.stdout)
    assert (row["email"], json.loads(row["attributes"])["title"]) == ("Ü9@example.com", "Gräfin")


def test_parquet_has_the_types_of_the_columns(filled, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(views, "BATCH_ROWS", 2)
    monkeypatch.setattr(formats, "ROW_GROUP_ROWS", 4)

    exported("consent", "consent.parquet")
    exported("current_profiles", "profiles.parquet")

    table = parquet.read_table(filled / "consent.parquet")
    assert (str(table.schema.field("since").type), str(table.schema.field("can_receive").type)) == (
        "timestamp[us, tz=UTC]", "bool",
    )  # fmt: skip
    rows = table.to_pylist()
    assert len(rows) == 8
    assert {row["since"] for row in rows} == {datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None}
    assert parquet.ParquetFile(filled / "consent.parquet").num_row_groups == 2
    attributes = parquet.read_table(filled / "profiles.parquet").column("attributes").to_pylist()
    assert {json.loads(each)["title"] for each in attributes} == {"Gräfin"}


def test_counts_of_events_keep_their_numbers_and_days(filled):
    parquet = pytest.importorskip("pyarrow.parquet")
    event = {"account": "default", "metric_id": "M1", "day": NOON.date(), "attributes": {}, "synced_at": NOON}
    with transaction() as connection:
        upsert(connection, events, [{**event, "id": "E1"}, {**event, "id": "E2"}])

    exported("events_by_metric_and_day", "events.parquet")

    [row] = parquet.read_table(filled / "events.parquet").to_pylist()
    assert (row["events"], row["day"]) == (2, NOON.date())


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl", "none.parquet"])
def test_a_view_without_rows_is_a_file_without_rows_and_said_with_what_fills_it(filled, name):
    result = exported("list_memberships", name)

    assert (filled / name).exists()
    assert "Wrote 0 rows of list_memberships" in result.stderr
    assert "`klaviyo sync lists list_members profiles`" in result.stderr


def test_only_the_owner_may_read_a_file_of_customers(filled):
    exported("consent", "consent.csv")

    assert stat.S_IMODE((filled / "consent.csv").stat().st_mode) == 0o600


def test_a_file_that_exists_stays_as_it_is_unless_forced(filled):
    (filled / "consent.csv").write_text("mine")

    refused = run("export", "consent", "consent.csv")
    kept = (filled / "consent.csv").read_text("utf-8")
    exported("consent", "consent.csv", "--force")

    assert (refused.exit_code, kept) == (2, "mine")
    assert "consent.csv exists already: give another name, or --force to replace it." in refused.stderr
    assert len(table_of((filled / "consent.csv").read_text("utf-8"))) == 8


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_an_export_that_fails_leaves_no_file_and_no_part_of_one(filled, monkeypatch, force):
    def breaks_off(connection, view, account):
        yield [("default",) * len(view.table.columns)]
        raise OSError(28, "No space left on device")

    if force:
        (filled / "consent.jsonl").write_text("mine")
    monkeypatch.setattr("cli.export.command.read_view", breaks_off)

    result = run("export", "consent", "consent.jsonl", *force)

    assert result.exit_code == 1
    assert "consent.jsonl cannot be written: No space left on device." in result.stderr
    left = [path.read_text("utf-8") for path in filled.iterdir() if "consent" in path.name]
    assert left == (["mine"] if force else [])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("consents", "a.csv"), "There is no view 'consents'. Did you mean 'consent'?"),
        (("xyz", "a.csv"), "There is no view 'xyz'. The views are consent, suppressions,"),
        (("consent", "a.txt"), "a.txt: name a file that ends in .csv, .jsonl or .parquet."),
        (("consent", "nowhere/a.csv"), "nowhere/a.csv cannot be written: No such file or directory."),
        (("consent", "a.csv", "--account", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_a_sentence(filled, words, sentence):
    result = run("export", *words)

    assert result.exit_code in (1, 2)
    assert sentence in " ".join(result.stderr.split())
    assert not (filled / "a.csv").exists()


def test_without_pyarrow_parquet_is_refused_with_what_to_install(filled, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    result = run("export", "consent", "consent.parquet")

    assert result.exit_code == 2
    assert "Parquet needs pyarrow: pip install 'klaviyo-worker[parquet]'." in " ".join(result.stderr.split())
    assert not list(filled.glob("*consent*"))
