"""`klaviyo jobs`: the asynchronous jobs in progress and recent ones, and everything that is known of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from cli.absence import absences
from cli.jobs import view
from cli.terminal.printing import EXIT_USAGE, print_json, say, stdout, stop
from cli.terminal.times import day_and_time, moment
from cli.terminal.watch import show_live
from tasks.jobs.ledger import Job, get_ledger
from worker.redis.absence import without_those_away
from worker.redis.homes import first, gathered
from worker.redis.patience import asking_redis_once

#: How far back jobs are shown by default.
DEFAULT_SINCE = "1d"

#: The most jobs that are shown; --json has all of them.
MAX_ROWS = 25


@asking_redis_once()
def jobs(
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="one job, by our id or by Klaviyo's")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="only those that failed, or have failed records")] = False,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="only those started since then: 5m, 2h, 3d, or ISO 8601")
    ] = DEFAULT_SINCE,
    watch: Annotated[bool, typer.Option("--watch", help="refresh every second until Ctrl-C")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for other programs")] = False,
) -> None:
    """Show the asynchronous jobs at Klaviyo, those in progress first; or one, with its errors."""
    if id is not None and (failed or watch):
        raise stop(f"{'--failed' if failed else '--watch'} is about the list: leave it out, or the ID.", EXIT_USAGE)
    if watch and as_json:
        raise stop("--watch is for people and --json for programs: give one of them.", EXIT_USAGE)
    if id is not None:
        _one(id, as_json)
    elif as_json:
        print_json([view.as_dict(each) for each in select_jobs(since, failed)])
    elif watch:
        show_live(lambda room: _live_view(since, failed, room))
    else:
        _table(since, failed)


def select_jobs(since: str, failed: bool, most: int | None = None) -> list[Job]:
    """Return the jobs in progress, however old, then the others since then, each newest first."""
    return in_order(gathered(lambda: read_jobs(since, None if failed else most)), failed)


def _now() -> float:
    """The time by the first clock of those that can be asked: all go alike."""
    return first(lambda: get_ledger().now()) or 0.0


def in_order(jobs: Iterable[Job], failed: bool = False) -> list[Job]:
    """Return the jobs in progress, then the others, each newest first; if ``failed``, those that ended badly alone."""
    chosen = [job for job in jobs if not failed or view.ended_badly(job)]
    return sorted(chosen, key=urgency)


def urgency(job: Job) -> tuple[bool, float]:
    """Jobs in progress come first, then the newest."""
    return job.state == "settled", -job.opened


def read_jobs(since: str, most: int | None) -> list[Job]:
    """Return the jobs in progress, however old, and the others since then, at the current Redis."""
    ledger = get_ledger()
    now = ledger.now()
    both = [*ledger.recent(moment(since, now), now, most), *ledger.all_in_progress()]
    return list({job.id: job for job in both}.values())


def _table(since: str, failed: bool) -> None:
    chosen = select_jobs(since, failed, MAX_ROWS + 1)
    if not chosen:
        start = day_and_time(moment(since, _now()))
        what = f"No job that has started since {start} has failed" if failed else f"No job has started since {start}"
        say(f"{what}; --since looks further back.")
        return
    stdout().print(view.table(chosen[:MAX_ROWS], _now()))
    if len(chosen) > MAX_ROWS:
        say(f"Only the first {MAX_ROWS} are shown; --json has all of them, and a later --since fewer.")


def _live_view(since: str, failed: bool, room: int) -> RenderableType:
    with without_those_away() as missing:
        found = select_jobs(since, failed, room)
    away = [Text(each, "red") for each in absences(missing)]
    return Group(*away, view.table(found[: max(0, room - len(away))], _now()))


def _one(id: str, as_json: bool) -> None:
    found = first(lambda: _read_one(id))
    if found is None:
        raise stop(
            f"There is no job {id!r}: the id is wrong, or the job ended over a week ago. `klaviyo jobs` lists them.",
            EXIT_USAGE,
        )
    job, errors, now = found
    if as_json:
        print_json({**view.as_dict(job), "errors": errors})
    else:
        stdout().print(view.details(job, errors, now))


def _read_one(id: str) -> tuple[Job, list[dict[str, Any]], float] | None:
    ledger = get_ledger()
    job = ledger.job(id) or ledger.known_as(id)
    return (job, view.errors_of(job), ledger.now()) if job else None
