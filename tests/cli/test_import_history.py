"""`klaviyo imports` and `reimport` as a user types them. Nothing of it is sent."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from cli.imports.history import SILENT_AFTER_S
from cli.imports.reimport import running_since, why_not_repeatable
from tasks.jobs.import_runs import Runs
from tests.cli.import_runs import begun, seen
from tests.cli.typed import run

pytestmark = pytest.mark.usefixtures("settings", "fake_redis")


class TestImports:
    def test_without_any_it_says_so(self):
        result = run("imports")

        assert (result.exit_code, result.stdout) == (0, "")
        assert "There was no import" in result.stderr

    def test_the_newest_comes_first_with_what_landed_and_what_did_not(self, fake_redis):
        runs = Runs(fake_redis)
        begun(fake_redis, "old", at=time.time() - 60)
        begun(fake_redis, "new", at=time.time())
        runs.record_progress("new", "/x.rejects.csv", [], rows=10, checked=2)

        told = json.loads(run("imports", "--json").stdout)
        assert [(each["id"], each["rows"], each["failed"]) for each in told] == [("new", 10, 2), ("old", 0, 0)]
        assert [line.split()[0] for line in run("imports").stdout.splitlines()] == ["run", "new", "old"]

    def test_one_that_says_nothing_for_a_while_may_have_been_broken_off(self, fake_redis):
        begun(fake_redis, at=time.time() - SILENT_AFTER_S - 10)

        assert "silent for 40 s" in run("imports").stdout

    def test_one_is_shown_with_its_reject_file_and_every_reason(self, fake_redis):
        begun(fake_redis, path="/data/customers.csv")
        runs = Runs(fake_redis)
        runs.record_progress("R", "/data/rejects.csv", [("email: is missing", 2)], rows=10, checked=2, read=5, size=10)
        runs.end("R", "complete")

        shown = run("imports", "R").stdout
        for part in ("/data/customers.csv", "/data/rejects.csv", "10, 50% of the file", "2: 2 before sending"):
            assert part in shown
        assert "2  email: is missing" in shown

    def test_one_whose_reject_file_could_not_be_written_says_so_although_it_is_complete(self, fake_redis):
        begun(fake_redis)
        Runs(fake_redis).end("R", "complete", "The reject file cannot be written.")

        shown = [line.split(maxsplit=1) for line in run("imports", "R").stdout.splitlines()]
        assert ["note", "The reject file cannot be written."] in shown

    @pytest.mark.parametrize(
        ("kind", "again"),
        [("profiles", "the same import with --run R"), ("upsert_catalog_items", "the same import, started again,")],
    )
    def test_every_row_that_was_read_is_accounted_for(self, fake_redis, kind, again):
        begun(fake_redis, kind=kind)
        Runs(fake_redis).record_progress("R", "", [], rows=100, checked=2, landed=40, withdrawn=50)
        Runs(fake_redis).end("R", "cancelled")

        shown = [line.split() for line in run("imports", "R").stdout.splitlines()]
        assert ["withdrawn", "50:", *again.split(), "sends", "them"] in shown
        assert ["on", "their", "way", "8"] in shown
        assert json.loads(run("imports", "R", "--json").stdout)["on_their_way"] == 8

    def test_an_unknown_run_is_one_sentence(self):
        result = run("imports", "nonesuch")

        assert (result.exit_code, result.stdout) == (2, "")
        assert "There is no run 'nonesuch'" in result.stderr

    def test_a_run_can_be_cancelled_once(self, fake_redis):
        begun(fake_redis)

        assert run("imports", "R", "--cancel").exit_code == 0
        assert Runs(fake_redis).run("R").state == "cancelled"
        again = run("imports", "R", "--cancel")
        assert again.exit_code == 2
        assert "has ended already: it is cancelled" in again.stderr

    def test_what_a_cancellation_has_taken_back_can_be_read_by_programs(self, fake_redis):
        begun(fake_redis)

        told = json.loads(run("imports", "R", "--cancel", "--json").stdout)

        assert (told["run"], told["taken_back"], told["requests"]) == ("R", 0, Runs(fake_redis).run("R").parts)

    def test_cancelling_needs_a_run(self):
        result = run("imports", "--cancel")

        assert result.exit_code == 2
        assert "Say which run to cancel" in result.stderr


class TestReimport:
    def complete(self, fake_redis, id, path, kind="profiles", at=1_000.0):
        begun(fake_redis, id, kind, Path(path).name, path, at)
        Runs(fake_redis, clock=lambda: at + 60).end(id, "complete")

    def test_what_went_on_in_the_span_is_found_however_early_it_began(self):
        runs = [seen(id="later", started=500.0, ended=600.0), seen(id="into", started=10.0, ended=450.0),
                seen(id="before", started=5.0, ended=390.0)]  # fmt: skip

        assert [each.id for each in running_since(runs, 400.0)] == ["into", "later"]

    @pytest.mark.parametrize(
        ("how", "why"),
        [
            ({"state": "cancelled"}, "it was cancelled"),
            ({"state": "running"}, "it has not ended"),
            ({"asked": {"path": None}, "source": "standard input"}, "its rows came from standard input"),
            ({"asked": {"path": "/nowhere/customers.csv"}}, "/nowhere/customers.csv is no longer there"),
            ({"kind": "subscribe"}, "people may have decided otherwise since"),
            ({"account": "eu"}, "there is no account 'eu'"),
        ],
    )
    def test_a_run_that_cannot_be_imported_again_says_why(self, source, how, why):
        whole = {"state": "complete", "asked": {"path": str(source)}}

        assert why_not_repeatable(seen(**whole)) is None
        assert why in why_not_repeatable(seen(**{**whole, **how}))

    def test_each_file_is_imported_once_more_the_oldest_first(self, fake_redis, source, asked):
        self.complete(fake_redis, "first", source, at=1_000.0)
        self.complete(fake_redis, "gone", "/nowhere/customers.csv", at=1_010.0)
        self.complete(fake_redis, "second", source, "events", at=1_020.0)

        result = run("reimport", "--since", "1970-01-01T00:00Z", "--yes")

        assert [wanted.kind for wanted in asked] == ["profiles", "events"]
        assert "/nowhere/customers.csv is no longer there" in result.stdout
        assert "1970-01-01 0" in result.stderr

    @pytest.mark.parametrize("there", [True, False])
    def test_the_exit_code_tells_of_an_import_whose_file_is_gone(self, fake_redis, source, asked, there):
        self.complete(fake_redis, "gone", "/nowhere/customers.csv", at=1_000.0)
        if there:
            self.complete(fake_redis, "here", source, at=1_010.0)

        result = run("reimport", "--since", "1970-01-01T00:00Z", "--yes")

        assert result.exit_code == 1
        assert "1 import was not repeated, and may be missing at Klaviyo" in result.stderr

    def test_an_import_that_was_cancelled_is_missed_by_nobody(self, fake_redis, source, asked):
        self.complete(fake_redis, "R", source)
        Runs(fake_redis).end("R", "cancelled")

        assert run("reimport", "--since", "1970-01-01T00:00Z", "--yes").exit_code == 0

    def test_a_file_that_has_changed_since_is_remarked(self, fake_redis, source, asked):
        self.complete(fake_redis, "R", source)

        assert "the file has changed since" in run("reimport", "--since", "1970-01-01T00:00Z", "--yes").stdout

    def test_without_anybody_to_ask_nothing_is_imported(self, fake_redis, source, asked):
        self.complete(fake_redis, "R", source)

        result = run("reimport", "--since", "1970-01-01T00:00Z")
        assert (result.exit_code, asked) == (2, [])
        assert "give --yes" in result.stderr

    def test_a_span_that_ends_before_it_begins_is_refused(self, fake_redis):
        result = run("reimport", "--since", "1h", "--until", "2h")

        assert result.exit_code == 2
        assert "The span ends before it begins" in result.stderr

    def test_a_span_without_imports_says_so(self, fake_redis):
        result = run("reimport", "--since", "1h")

        assert result.exit_code == 0
        assert "There is nothing to import again." in result.stderr
