"""Imports of files, carried out by real workers against a sandbox that refuses some of their rows."""

from __future__ import annotations

import csv
import signal
from collections import Counter
from pathlib import Path

import pytest

from tasks.imports import (
    Import,
    cancel_import,
    estimate,
    import_catalog_items,
    import_events,
    import_profiles,
    run_import,
    subscribe,
)
from tasks.imports.sending import Stopped
from tasks.jobs.import_runs import get_runs
from tests.live.forked import Forked
from tests.live.system import PATIENT, end, until
from worker.errors import InputError, SourceError, Unauthorized

WORKER = PATIENT


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where the reject files go of what has no file."""
    monkeypatch.chdir(tmp_path)


BAD = ("malformed e-mail", "malformed phone", "no identifier", "too large", "duplicate", "refused", "job")


def write(path, bad, rows):
    """Rows of which every so many is bad in one of seven ways; returns the bad ones by their numbers."""
    every = rows // bad
    kinds = {}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["E-Mail", "phone_number", "first_name", "note"])
        for row in range(1, rows + 1):
            email, phone, note = f"p{row}@example.com", "", ""
            if row % every == 0 and len(kinds) < bad:
                kinds[row] = kind = BAD[len(kinds) % len(BAD)]
                email = {
                    "malformed e-mail": f"p{row}@", "no identifier": "", "duplicate": "p1@example.com",
                    "refused": f"p{row}@refused.example", "job": f"p{row}@reject.example",
                }.get(kind, email)  # fmt: skip
                phone = "12-34" if kind == "malformed phone" else ""
                note = "x" * 100_001 if kind == "too large" else ""
            writer.writerow([email, phone, f"P{row}", note])
    return kinds


def rows_of(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.timeout(120)
def test_of_ten_thousand_rows_with_137_bad_ones_exactly_those_are_rejected(idle, tmp_path):
    idle.sandbox.jobs(seconds=[0.3, 1], times=None)
    source = tmp_path / "customers.csv"
    bad = write(source, 137, 10_000)

    report = import_profiles(source, mapping=["E-Mail=email", "note=properties.note"])

    told = {int(each["row"]): each for each in rows_of(report.rejects)}
    original = rows_of(source)
    assert sorted(told) == sorted(bad)
    assert all(told[row]["E-Mail"] == original[row - 1]["E-Mail"] for row in bad)
    assert Counter(each["stage"].split()[0] for each in told.values()) == {
        "check": 80, "duplicate": 19, "refused": 19, "job": 19,
    }  # fmt: skip
    assert (report.rows, report.landed, report.failed, report.unknown) == (10_000, 9_863, 137, 0)
    assert idle.sandbox.state()["profile"] == 9_863


def catalogue(number, **changed):
    return [
        {"external_id": f"i{n}", "title": changed.get(f"i{n}", f"Item {n}"), "description": "…", "url": "https://x.example",
         "price": n}
        for n in range(number)
    ]  # fmt: skip


#: Of a thousand bytes each: five megabytes are a job.
ROWS = 16_000


def test_an_import_that_was_killed_goes_on_where_it_was(system, tmp_path):
    system.sandbox.limits(steady=100_000)
    system.sandbox.jobs(seconds=0.3, times=None)
    source = tmp_path / "people.jsonl"
    source.write_text("".join(f'{{"email": "p{n}@example.com", "title": "{"x" * 900}"}}\n' for n in range(ROWS)))
    system.worker().ready()
    code = f"from tasks.imports import import_profiles; import_profiles({str(source)!r}, run='R1')"
    process = Forked(["-c", code], system.environment(), tmp_path / "import.log")
    until(lambda: system.sandbox.state().get("profile-bulk-import-job", 0) >= 2, 60, "two jobs")
    end(process, signal.SIGKILL)

    report = import_profiles(source, run="R1")

    assert (report.rows, report.landed, report.failed) == (ROWS, ROWS, 0)
    state = system.sandbox.state()
    assert (state["profile"], state["doubled_jobs"]) == (ROWS, 0)
    assert state["profile-bulk-import-job"] == report.jobs >= 3


def test_a_run_is_not_taken_up_again_with_another_source(idle, tmp_path):
    source = tmp_path / "people.csv"
    source.write_text("email\nada@example.com\n")
    import_profiles(source, run="R2")
    source.write_text("email\ngrace@example.com\n")

    with pytest.raises(SourceError, match="it has changed since run R2 began, in row 1"):
        import_profiles(source, run="R2")
    assert get_runs().run("R2").state == "complete"


def test_what_is_there_already_is_compared_and_only_what_differs_is_sent(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)
    first = import_catalog_items(catalogue(230))

    second = import_catalog_items(catalogue(232, i7="Renamed"))

    assert (first.landed, first.jobs) == (230, 3)
    assert (second.landed, second.unchanged, second.jobs) == (3, 229, 2)
    assert len(idle.sandbox.ledger("bulk_update_catalog_items")) == 1
    assert idle.sandbox.names("/api/catalog-items", "title")["Renamed"] == 1


def test_deleting_takes_external_ids(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)
    import_catalog_items(catalogue(5), mode="create")

    report = import_catalog_items([{"external_id": "i1"}, {"external_id": "i3"}], mode="delete")

    assert (report.landed, idle.sandbox.state()["catalog-item"]) == (2, 3)


def test_events_that_are_imported_twice_are_there_once(idle):
    bought = [{"email": f"p{n % 40}@example.com", "time": "2026-11-01T12:00:00Z", "value": n % 3} for n in range(500)]

    reports = [import_events(bought, metric="Placed Order") for _ in range(2)]

    assert [report.landed for report in reports] == [500, 500]
    assert (idle.sandbox.state()["event"], idle.sandbox.state()["doubled_events"]) == (500, 0)


def test_a_refusal_that_points_at_nothing_is_narrowed_down_by_halves(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)
    idle.sandbox.fault("status", operation="bulk_import_profiles", status=400, times=1)

    report = import_profiles({"email": f"p{n}@example.com"} for n in range(9))

    assert (report.landed, report.failed, report.jobs) == (9, 0, 2)
    assert idle.sandbox.state()["profile"] == 9


def test_a_key_that_is_refused_ends_the_import_and_takes_back_the_rest(idle):
    idle.sandbox.fault("status", operation="bulk_create_catalog_items", status=401, times=None)

    with pytest.raises(Unauthorized):
        import_catalog_items(catalogue(1_000), mode="create")

    assert len(idle.sandbox.ledger("bulk_create_catalog_items")) <= 10
    [run] = get_runs().recent()
    assert run.state == "failed"
    until(lambda: get_runs().run(run.id).settled == run.parts, 10, "the end of those that were on their way")


def test_an_import_that_is_cancelled_sends_no_more(idle):
    idle.sandbox.fault("latency", operation="bulk_create_catalog_items", seconds=0.6, times=None)
    seen = []

    def cancel(run):
        if run.parts >= 20 and not seen and idle.redis.hlen("klaviyo:waiting") >= 4:
            seen.append(run.id)
            cancel_import(run.id)

    with pytest.raises(Stopped):
        run_import(Import("create_catalog_items", catalogue(20_000)), progress=cancel)

    assert get_runs().run(seen[0]).state == "cancelled"
    assert len(idle.sandbox.ledger("bulk_create_catalog_items")) < 150  # of 200
    until(lambda: get_runs().run(seen[0]).on_their_way == 0, 20, "the end of what Klaviyo had")
    run = get_runs().run(seen[0])
    assert run.withdrawn
    assert run.rows == run.landed + run.withdrawn


def test_consent_whose_answer_was_lost_is_told_as_unknown_and_not_given_twice(idle):
    idle.sandbox.fault("cut_after_commit", operation="bulk_subscribe_profiles")

    report = subscribe([{"email": f"p{n}@example.com"} for n in range(3)], channels=["email"])

    assert (report.landed, report.unknown) == (0, 3)
    assert len(idle.sandbox.ledger("bulk_subscribe_profiles")) == 1


def test_a_dry_run_sends_nothing_and_tells_what_would_be_sent(idle, tmp_path):
    source = tmp_path / "people.csv"
    source.write_text("email\n" + "".join(f"p{n}@example.com\n" for n in range(25_000)) + "malformed\n")

    found = estimate(Import("profiles", source))

    assert (found.rows, found.checked, found.requests) == (25_001, 1, 3)
    assert found.bytes > 1_000_000
    assert [each.row for each in found.rejects] == [25_001]
    assert idle.sandbox.arrived() == 0


def test_a_part_that_klaviyo_does_not_take_at_once_lands_once(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)
    for fault in ({"kind": "challenge"}, {"kind": "throttle", "retry_after": 1}, {"kind": "cut_after_commit"}):
        idle.sandbox.fault(**fault, operation="bulk_import_profiles", times=1)

    report = import_profiles([{"email": f"p{n}@example.com"} for n in range(5)], run="R5")

    assert (report.landed, report.failed) == (5, 0)
    assert (idle.sandbox.state()["profile"], idle.sandbox.state()["doubled_jobs"]) == (5, 0)


def test_a_key_that_klaviyo_does_not_know_ends_an_import_instead_of_rejecting_its_rows(idle, tmp_path):
    idle.sandbox.fault("status", operation="bulk_import_profiles", status=401, times=None)
    write(tmp_path / "customers.csv", 1, 10)

    with pytest.raises(Unauthorized):
        import_profiles(tmp_path / "customers.csv", mapping=["E-Mail=email", "note=properties.note"], run="R")

    assert get_runs().run("R").state == "failed"


def test_halves_that_were_refused_for_another_reason_are_sent_when_the_run_is_taken_up_again(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)
    people = [{"email": f"p{n}@example.com"} for n in range(5)]
    idle.sandbox.fault("status", operation="bulk_import_profiles", status=400, times=1)
    idle.sandbox.fault("status", operation="bulk_import_profiles", status=401, times=1)

    first = import_profiles(people, run="R3")
    second = import_profiles(people, run="R3")

    assert (first.landed + first.rejected, second.landed, second.failed) == (5, 5, 0)
    assert first.rejected in (2, 3)
    assert (idle.sandbox.state()["profile"], idle.sandbox.state()["doubled_jobs"]) == (5, 0)


def test_a_fault_of_the_whole_request_is_not_sought_among_its_records(idle):
    report = import_profiles(({"email": f"p{n}@example.com"} for n in range(500)), list_ids=["NoList"])

    assert (report.landed, report.rejected) == (0, 500)
    assert len(idle.sandbox.ledger("bulk_import_profiles")) == 1


def test_an_upsert_is_begun_anew_and_not_taken_up_again(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)
    import_catalog_items(catalogue(3), run="R4")

    with pytest.raises(InputError, match="start a new run"):
        import_catalog_items(catalogue(3), run="R4")
