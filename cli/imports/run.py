"""One import carried out at a terminal, from its first row to the sentence that says how it ended."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from cli.imports.view import Progress, report_table, say_what_failed
from cli.terminal.printing import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, print_json, say, stdout
from cli.terminal.signals import interruptible
from tasks.imports import Import, run_import
from tasks.imports.sending import AnotherSource, Stopped
from tasks.jobs.import_runs import Run
from worker.errors import KlaviyoError
from worker.redis.connection import AWAY, unreachable
from worker.redis.homes import at_home


def carry_out(wanted: Import, run: str | None = None, rejects: Path | None = None, as_json: bool = False) -> int:
    """Import, say how it ended, and return the exit code.

    Raises:
        KlaviyoError: it was refused before anything was sent.
        redis.ConnectionError, redis.TimeoutError: Redis was away before anything was sent.

    """
    progress = Progress()
    try:
        with interruptible(), progress, at_home(wanted.account):
            report = run_import(wanted, run, rejects, progress)
    except KeyboardInterrupt:
        return _end_interrupted(progress.run)
    except Stopped:
        which = f" {progress.run.id}" if progress.run else ""
        say(f"{_named(progress.run)} was cancelled; `klaviyo imports{which}` shows what became of its rows.", "red")
        return EXIT_FAILED
    except AWAY as error:
        if progress.run is None or not progress.run.parts:
            raise
        say(unreachable(error), "red")
        _say_how_to_resume(progress.run)
        return EXIT_FAILED
    except KlaviyoError as error:
        if progress.run is None or not progress.run.parts or isinstance(error, AnotherSource):
            raise
        return _say_what_had_landed(progress.run, error)
    if as_json:
        print_json(asdict(report))
    else:
        stdout().print(report_table(report))
    if report.failed:
        say_what_failed(report)
    if report.note:
        say(report.note, "yellow")
    if rejects and report.rejects and Path(report.rejects) != rejects.absolute():
        say(f"{rejects} was there before and was left as it was.", "yellow")
    return EXIT_FAILED if report.failed or report.withdrawn else 0


def _end_interrupted(run: Run | None) -> int:
    if run is None:
        say("Interrupted before anything was sent.")
    else:
        _say_how_to_resume(run)
    return EXIT_INTERRUPTED


def _say_how_to_resume(run: Run) -> None:
    say(
        f"{_named(run)} was interrupted; what is queued is still sent. Resume it with the same klaviyo import and "
        f"--run {run.id}, or cancel it with klaviyo imports {run.id} --cancel"
    )


def _say_what_had_landed(run: Run, error: KlaviyoError) -> int:
    """Say what had landed; what was not sent has been taken back, and what was sent continues."""
    say(str(error), "red")
    landed = f"{run.landed:,} rows had" if run.landed else "Nothing had"
    say(f"{landed} landed by then. Once that is fixed, resume it: the same klaviyo import with --run {run.id}")
    return EXIT_FAILED if run.landed or run.unknown else EXIT_USAGE


def _named(run: Run | None) -> str:
    return f"Run {run.id}" if run else "The run"
