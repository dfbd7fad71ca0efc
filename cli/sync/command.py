"""`klaviyo sync`: the command and its three modes: show, read, estimate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

import schedules  # noqa: F401  registers the task
from cli.choosing_accounts import choose_accounts
from cli.no_worker import warn_without_worker
from cli.store import require_store
from cli.sync.follow import Progress, follow
from cli.sync.view import parts_table, plan_table, requests, status_table
from cli.terminal.printing import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, print_json, say, stdout, stop, working
from cli.terminal.signals import interruptible
from cli.terminal.times import moment
from schedules.entries import SyncMode
from schedules.plan.estimate import Estimate, estimate_sync
from schedules.pull.streams import STREAMS
from schedules.reports.pages import REPORTS
from schedules.store.connection import reading
from schedules.store.outage import current_outage
from schedules.stream_status import stream_status
from schedules.sync import request_sync, resolve_streams

#: Up to how many streams are named one by one.
MAX_NAMED = 6

#: Stands for every stream, but not for reports, of which Klaviyo takes two requests a minute.
ALL = "all"


def sync(
    streams: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STREAM]…", help="what to read, or all; without any: show the status of all"),
    ] = None,
    account: Annotated[str | None, typer.Option(help="alias of one account; all accounts if left out")] = None,
    full: Annotated[bool, typer.Option("--full", help="read everything, to notice deletions")] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="read what has changed since 3d, 2026-11-01; default: since the last run"),
    ] = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="estimate what it would take, and start nothing")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="start it, and do not wait for its end")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for other programs")] = False,
) -> None:
    """Copy Klaviyo's streams into the store, for every account, or show the status of each stream.

    Exit code 0: all were read; 1: a stream failed; 2: nothing was started.
    """
    chosen = choose_accounts(account)
    if full and since:
        raise stop("--full reads everything and --since only a part: give one of them.", EXIT_USAGE)
    begin = _since(since)
    with require_store():
        if only_plan:
            _plan(chosen, _streams(streams or [ALL]), full, begin, as_json)
        elif streams:
            raise typer.Exit(_run(chosen, _streams(streams), full, begin, no_wait, as_json))
        elif full or since or no_wait:
            raise stop("Name the streams to read, or `all`: klaviyo sync profiles events --full.", EXIT_USAGE)
        else:
            _show(chosen, as_json)


def _streams(names: Sequence[str]) -> list[str]:
    return resolve_streams([*STREAMS] if ALL in names else names)


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    now = time.time()
    if (begin := moment(text, now)) > now:
        raise stop(f"--since {text} is in the future: there is nothing to read.", EXIT_USAGE)
    return datetime.fromtimestamp(begin, UTC)


def _show(accounts: Sequence[str], as_json: bool) -> None:
    with reading() as connection:
        found = [stream_status(connection, alias, name) for alias in accounts for name in (*STREAMS, *REPORTS)]
    if as_json:
        print_json([asdict(each) for each in found])
        return
    if outage := current_outage():
        say(f"{outage}.", "yellow")
    if read := [each for each in found if each.run or each.rows]:
        stdout().print(status_table(read, datetime.now(UTC)))
    known = {_family(each.stream) for each in read}
    if never := [name for name in dict.fromkeys(_family(each.stream) for each in found) if name not in known]:
        say(f"Never read: {', '.join(never)}.", "dim")
        say(
            "`klaviyo sync NAME …` reads them now, `klaviyo sync all` every stream; --plan estimates what it takes.",
            "dim",
        )


def _family(stream: str) -> str:
    return stream.partition(":")[0]


def _plan(accounts: Sequence[str], streams: list[str], full: bool, since: datetime | None, as_json: bool) -> None:
    found: list[Estimate] = []
    with working("Looking …") as show:
        for alias in accounts:
            found += estimate_sync(alias, streams, "full" if full else "incremental", since, progress=show)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    stdout().print(plan_table(found))
    if any(each.at_least for each in found):
        say("≥: there may be more; the length of a list without times is only known once it has been read.", "dim")
    say(f"This estimate took {requests(sum(each.probes for each in found))}. Nothing was started.", "dim")


def _run(
    accounts: Sequence[str], streams: list[str], full: bool, since: datetime | None, no_wait: bool, as_json: bool
) -> int:  # fmt: skip
    mode: SyncMode = "full" if full else "changes"
    asked = {request_sync(alias, streams, mode, since): alias for alias in accounts}
    names = ", ".join(streams) if len(streams) <= MAX_NAMED else f"{len(streams)} streams"
    what = f"{names} on {'account' if len(accounts) == 1 else 'accounts'} {', '.join(accounts)}"
    if no_wait:
        if as_json:
            print_json([{"account": alias, "request": id, "streams": streams} for id, alias in asked.items()])
        say(f"Started: {what}. `klaviyo sync` shows its progress.")
        warn_without_worker()
        return 0
    say(f"Reading {what}; Ctrl-C leaves it running.", "bold")
    try:
        with interruptible(), Progress() as progress:
            parts = follow(asked, streams, progress)
    except KeyboardInterrupt:
        say("No longer watching; the sync continues. `klaviyo sync` shows its progress.")
        return EXIT_INTERRUPTED
    if as_json:
        print_json([asdict(each) for each in parts])
    else:
        stdout().print(parts_table(parts, datetime.now(UTC)))
    failed = [each for each in parts if each.state == "failed"]
    for each in failed:
        say(f"{each.stream} of {each.account} failed: {each.error}", "red")
    return EXIT_FAILED if failed else 0
