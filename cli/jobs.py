"""`klaviyo jobs`: the asynchronous jobs in progress and those of late, and everything that is known of one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import RenderableType

from cli import jobs_view as view
from cli.terminal import WRONG, print_json, say, stdout, stop
from cli.times import moment
from cli.watch import watched
from tasks.jobs.ledger import Job, get_ledger

#: How far back is looked, unless something else is asked for.
SINCE = "1d"

#: Jobs that are shown at most; --json has all of them.
SHOWN = 25


def jobs(
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="one job, by our id or by Klaviyo's")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="those that ended badly, or with failed records")] = False,
    since: Annotated[str, typer.Option(metavar="TIME", help="begun since then: 5m, 2h, 3d, or ISO 8601")] = SINCE,
    watch: Annotated[bool, typer.Option("--watch", help="look again each second, until Ctrl-C")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for other programs")] = False,
) -> None:
    """Show the jobs that Klaviyo has for us, those in progress first; or one, with its errors."""
    if id is not None:
        _one(id, as_json)
    elif as_json:
        print_json([view.described(each) for each in found(since, failed)])
    elif watch:
        watched(lambda room: _living(since, failed, room))
    else:
        _table(since, failed)


def found(since: str, failed: bool, most: int | None = None) -> list[Job]:
    """Those in progress, however old, then the others since then, each newest first."""
    ledger = get_ledger()
    now = ledger.now()
    recent = ledger.recent(moment(since, now), now, None if failed else most)
    both = {job.id: job for job in (*recent, *ledger.going_on())}
    chosen = [job for job in both.values() if not failed or view.ended_badly(job)]
    return sorted(chosen, key=lambda job: (job.state == "settled", -job.opened))


def _table(since: str, failed: bool) -> None:
    chosen = found(since, failed, SHOWN)
    if not chosen:
        say(f"No job {'has failed' if failed else 'has begun'} since then; --since looks further back.")
        return
    stdout().print(view.table(chosen[:SHOWN], get_ledger().now()))
    if len(chosen) >= SHOWN:
        say(f"The first {SHOWN} are shown; a later --since shows fewer, --json all of them.")


def _living(since: str, failed: bool, room: int) -> RenderableType:
    return view.table(found(since, failed, room)[:room], get_ledger().now())


def _one(id: str, as_json: bool) -> None:
    ledger = get_ledger()
    job = ledger.job(id) or ledger.known_as(id)
    if job is None:
        raise stop(f"There is no job {id!r}: it never was, or ended over a week ago. `klaviyo jobs` lists them.", WRONG)
    errors = view.errors_of(job)
    if as_json:
        print_json({**view.described(job), "errors": errors})
    else:
        stdout().print(view.shown(job, errors, ledger.now()))
