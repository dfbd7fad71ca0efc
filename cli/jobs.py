"""`klaviyo jobs`: the asynchronous jobs in progress and recent ones, and everything that is known of one."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from cli import jobs_view as view
from cli.terminal import WRONG, print_json, say, stdout, stop
from cli.times import moment
from cli.watch import show_live
from tasks.jobs.ledger import Job, get_ledger
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
    both = {job.id: job for job in gathered(lambda: _read(since, None if failed else most))}
    chosen = [job for job in both.values() if not failed or view.ended_badly(job)]
    return sorted(chosen, key=lambda job: (job.state == "settled", -job.opened))


def _read(since: str, most: int | None) -> list[Job]:
    ledger = get_ledger()
    now = ledger.now()
    return [*ledger.recent(moment(since, now), now, most), *ledger.all_in_progress()]


def _table(since: str, failed: bool) -> None:
    chosen = select_jobs(since, failed, MAX_ROWS)
    if not chosen:
        say(f"No job has {'failed' if failed else 'started'} since then; --since looks further back.")
        return
    stdout().print(view.table(chosen[:MAX_ROWS], get_ledger().now()))
    if len(chosen) >= MAX_ROWS:
        say(f"Only the first {MAX_ROWS} are shown; --json has all of them, and a later --since fewer.")


def _live_view(since: str, failed: bool, room: int) -> RenderableType:
    return view.table(select_jobs(since, failed, room)[:room], get_ledger().now())


def _one(id: str, as_json: bool) -> None:
    found = first(lambda: _read_one(id))
    if found is None:
        raise stop(
            f"There is no job {id!r}: the id is wrong, or the job ended over a week ago. `klaviyo jobs` lists them.",
            WRONG,
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
