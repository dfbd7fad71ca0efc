"""What `klaviyo import` says while it carries an import out, and at its end."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli.imports import run as import_run
from cli.imports.view import Progress, progress_lines
from cli.no_worker import NO_WORKER
from tasks.imports.run import Import
from tasks.imports.sending import AnotherSource, Stopped
from tests.cli.import_runs import report, seen
from worker.errors import SourceError, Unauthorized
from worker.governor import Governor

pytestmark = pytest.mark.usefixtures("settings", "fake_redis")


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


class TestCarriedOut:
    def ended(self, monkeypatch, end, run=None):
        """Carry an import out that ends like this, after its progress was told once."""

        def run_import(wanted, id, rejects, progress):
            if run is not None:
                progress(run)
            if isinstance(end, BaseException):
                raise end
            return end

        monkeypatch.setattr(import_run, "run_import", run_import)
        return import_run.carry_out(Import("profiles", "customers.csv"))

    def test_where_all_rows_landed_the_exit_code_is_0(self, monkeypatch, capsys):
        assert self.ended(monkeypatch, report()) == 0
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize(("count", "said"), [(1, "for 1 job and"), (2, "for 2 jobs and")])
    def test_one_job_is_not_written_as_several(self, monkeypatch, capsys, count, said):
        self.ended(monkeypatch, report(jobs=count))
        assert said in capsys.readouterr().out

    def test_where_some_did_not_it_is_1_and_a_sentence_names_the_file_and_the_reasons(self, monkeypatch, capsys):
        reasons = (("email: is missing", 2), ("a", 1), ("b", 1), ("c", 1))

        code = self.ended(monkeypatch, report(landed=1, checked=2, rejects="/x.csv", reasons=reasons))
        assert code == 1
        assert capsys.readouterr().err == (
            "2 of 3 rows did not land: email: is missing (2); a (1); b (1); and 1 other reasons. They are in /x.csv.\n"
        )

    def test_without_a_reject_file_none_is_named_and_the_note_says_how_to_have_it(self, monkeypatch, capsys):
        end = report(
            landed=2, rejected=1, reasons=(("No.", 1),), note="The reject file /x.csv cannot be written: full."
        )

        assert self.ended(monkeypatch, end) == 1
        assert capsys.readouterr().err == (
            "1 of 3 rows did not land: No. (1).\nThe reject file /x.csv cannot be written: full.\n"
        )

    def test_ctrl_c_says_how_to_resume_and_how_to_cancel(self, monkeypatch, capsys):
        code = self.ended(monkeypatch, KeyboardInterrupt(), seen(parts=2))

        said = capsys.readouterr().err
        assert code == 130
        assert "what is queued is still sent" in said
        assert "--run R" in said
        assert "klaviyo imports R --cancel" in said

    def test_ctrl_c_before_the_first_row_leaves_nothing_to_resume(self, monkeypatch, capsys):
        assert self.ended(monkeypatch, KeyboardInterrupt()) == 130
        assert capsys.readouterr().err == "Interrupted before anything was sent.\n"

    def test_rows_of_a_part_that_was_taken_back_are_reported_and_the_exit_code_is_1(self, monkeypatch, capsys):
        assert self.ended(monkeypatch, report(landed=1, withdrawn=2)) == 1
        assert "2: the same import with --run R sends them" in capsys.readouterr().out

    def test_a_run_that_was_cancelled_says_so(self, monkeypatch, capsys):
        assert self.ended(monkeypatch, Stopped("…"), seen()) == 1
        assert "Run R was cancelled" in capsys.readouterr().err

    def test_a_refusal_of_everything_is_2_and_one_after_rows_have_landed_is_1(self, monkeypatch):
        refused = Unauthorized("bulk_import_profiles", "default", 401, [])

        assert self.ended(monkeypatch, refused, seen(parts=2)) == 2
        assert self.ended(monkeypatch, refused, seen(parts=2, landed=10)) == 1

    def test_a_source_that_has_changed_is_not_to_be_taken_up_again(self, monkeypatch, capsys):
        with pytest.raises(AnotherSource):
            self.ended(monkeypatch, AnotherSource("customers.csv", "…"), seen(parts=2, landed=10))
        assert "resume it" not in capsys.readouterr().err

    def test_what_is_wrong_before_anything_is_sent_is_reported_by_the_command(self, monkeypatch):
        with pytest.raises(SourceError):
            self.ended(monkeypatch, SourceError("customers.csv", "it is empty"))


class TestProgress:
    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def worker(self, fake_redis):
        Governor(fake_redis).beat("w", 32, ["klaviyo.l"], 10**6)

    def progress(self, clock):
        out = io.StringIO()
        return Progress(Console(file=out, width=200), clock), out

    def test_the_end_is_estimated_from_how_fast_rows_land_and_from_the_share_of_the_file(self, clock):
        progress, _ = self.progress(clock)

        progress.pace(seen(rows=1_000, read=10, size=100))
        clock.seconds += 4
        pace = progress.pace(seen(rows=5_000, read=50, size=100, landed=2_000, checked=100))

        assert (pace.done, pace.total, pace.per_second) == (2_100, 10_000, 500)
        assert pace.left == (10_000 - 2_100) / 500

    def test_the_end_of_standard_input_is_unknown(self, clock):
        progress, _ = self.progress(clock)

        progress.pace(seen())
        clock.seconds += 4
        run = seen(rows=5_000, landed=2_000)
        pace = progress.pace(run)

        assert (pace.total, pace.left) == (None, None)
        assert progress_lines(run, pace) == (
            "rows  5,000 read, 2,000 landed, 0 did not",
            "jobs  0 begun, 0 settled; 500 rows/s",
        )

    def test_without_a_terminal_there_is_a_line_every_ten_seconds(self, clock, worker):
        progress, out = self.progress(clock)

        with progress:
            for _ in range(26):
                progress(seen(rows=10))
                clock.seconds += 1
        told = out.getvalue().splitlines()

        assert told[0] == "profiles from customers.csv, account default, run R"
        assert told[1:] == ["rows  10 read, 0 landed, 0 did not; jobs  0 begun, 0 settled; 0 rows/s"] * 2

    def test_that_no_worker_runs_is_said_once(self, clock, fake_redis):
        progress, out = self.progress(clock)

        progress(seen())
        assert NO_WORKER not in out.getvalue()
        progress(seen(parts=1))
        progress(seen(parts=2))
        assert out.getvalue().count(NO_WORKER) == 1

    def test_the_time_without_a_worker_does_not_slow_the_pace(self, clock, fake_redis):
        progress, _ = self.progress(clock)

        progress(seen(parts=1))
        clock.seconds += 3_600
        progress(seen(parts=1))
        Governor(fake_redis).beat("w", 32, ["klaviyo.l"], 10**6)
        clock.seconds += 10
        progress(seen(parts=1))

        assert progress.pace(seen(rows=100, landed=50)).per_second == 5
