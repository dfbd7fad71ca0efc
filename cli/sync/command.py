"""`klaviyo sync`: where the streams of each account stand; reading some of them now; what that would take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

import schedules  # noqa: F401  registers the task
from cli.imports.run import INTERRUPTED
from cli.imports.view import NO_WORKER
from cli.store import store_at_hand
from cli.sync.follow import Progress, follow
from cli.sync.view import parts_table, plan_table, requests, standings_table
from cli.terminal import FAILED, WRONG, print_json, say, stdout, stop, working
from cli.times import moment
from cli.up import interruptible
from schedules.entries import Mode
from schedules.plan.estimate import Estimate, plan
from schedules.pull.streams import STREAMS
from schedules.reports.pages import REPORTS
from schedules.standing import standing
from schedules.store.connection import reading
from schedules.sync import checked, start
from schedules.trouble import trouble
from worker.accounts import account as account_of
from worker.accounts import aliases
from worker.governor import get_governor
from worker.patience import patiently
from worker.settings import get_settings

#: Streams up to which they are told by name.
NAMED = 6

#: What stands for every stream. Reports are not among them: Klaviyo takes two requests a minute for these.
ALL = "all"


def sync(
    streams: Annotated[
        list[str] | None, typer.Argument(metavar="[STREAM]…", help="what to read, or all; none: show how all stand")
    ] = None,
    account: Annotated[str | None, typer.Option(help="alias of one account; all of them if left out")] = None,
    full: Annotated[bool, typer.Option("--full", help="read everything, to notice what was deleted")] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="read what changed since: 3d, 2026-11-01; else since the last run"),
    ] = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="tell what it would take, and start nothing")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="start it, and do not wait for its end")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for other programs")] = False,
) -> None:
    """Copy streams of Klaviyo's into the store, on every account, or show how far each stream is.

    Exit code 0: all were read; 1: a stream failed; 2: nothing was started.
    """
    chosen = _accounts(account)
    if full and since:
        raise stop("--full reads everything and --since a part: give one of them.", WRONG)
    begin = _since(since)
    with store_at_hand():
        if only_plan:
            _plan(chosen, _streams(streams or [ALL]), full, begin, as_json)
        elif streams:
            raise typer.Exit(_run(chosen, _streams(streams), full, begin, no_wait, as_json))
        elif full or since or no_wait:
            raise stop("Name the streams to read, or `all`: klaviyo sync profiles events --full.", WRONG)
        else:
            _show(chosen, as_json)


def _accounts(name: str | None) -> list[str]:
    settings = get_settings()
    if name:
        return [account_of(settings, name).alias]
    if not (found := aliases(settings)):
        raise stop("There is no account: set KLAVIYO_API_KEY (environment or .env) to a private API key.", WRONG)
    return found


def _streams(names: Sequence[str]) -> list[str]:
    return checked([*STREAMS] if ALL in names else names)


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    now = time.time()
    if (begin := moment(text, now)) > now:
        raise stop(f"--since {text} lies in the future: there is nothing to read.", WRONG)
    return datetime.fromtimestamp(begin, UTC)


def _show(accounts: Sequence[str], as_json: bool) -> None:
    with reading() as connection:
        found = [standing(connection, alias, name) for alias in accounts for name in (*STREAMS, *REPORTS)]
    if as_json:
        print_json([asdict(each) for each in found])
        return
    if found_trouble := patiently(trouble):
        say(f"{found_trouble}.", "yellow")
    if read := [each for each in found if each.run or each.rows]:
        stdout().print(standings_table(read, datetime.now(UTC)))
    known = {_family(each.stream) for each in read}
    if never := [name for name in dict.fromkeys(_family(each.stream) for each in found) if name not in known]:
        say(f"Never read: {', '.join(never)}.", "dim")
        say("`klaviyo sync NAME …` reads them now, `all` stands for every stream; --plan tells what it takes.", "dim")


def _family(stream: str) -> str:
    return stream.partition(":")[0]


def _plan(accounts: Sequence[str], streams: list[str], full: bool, since: datetime | None, as_json: bool) -> None:
    found: list[Estimate] = []
    with working("Looking …") as tell:
        for alias in accounts:
            found += plan(alias, streams, "full" if full else "incremental", since, progress=tell)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    stdout().print(plan_table(found))
    if any(each.at_least for each in found):
        say("≥: there may be more; a list that has no times to ask for is known only once it has been read.", "dim")
    say(f"It took {requests(sum(each.probes for each in found))} to know this. Nothing was started.", "dim")


def _run(
    accounts: Sequence[str], streams: list[str], full: bool, since: datetime | None, no_wait: bool, as_json: bool
) -> int:  # fmt: skip
    mode: Mode = "full" if full else "changes"
    asked = {start(alias, streams, mode, since): alias for alias in accounts}
    what = ", ".join(streams) if len(streams) <= NAMED else f"{len(streams)} streams"
    told = f"{what} on {'account' if len(accounts) == 1 else 'accounts'} {', '.join(accounts)}"
    if no_wait:
        if as_json:
            print_json([{"account": alias, "request": id, "streams": streams} for id, alias in asked.items()])
        say(f"Started: {told}. `klaviyo sync` shows how far it is.")
        if not get_governor().slots():
            say(NO_WORKER, "yellow")
        return 0
    say(f"Reading {told}; Ctrl-C leaves it running.", "bold")
    try:
        with interruptible(), Progress() as progress:
            parts = follow(asked, streams, progress)
    except KeyboardInterrupt:
        say("No longer watched; the sync goes on by itself. `klaviyo sync` shows how far it is.")
        return INTERRUPTED
    if as_json:
        print_json([asdict(each) for each in parts])
    else:
        stdout().print(parts_table(parts, datetime.now(UTC)))
    failed = [each for each in parts if each.state == "failed"]
    for each in failed:
        say(f"{each.stream} of {each.account} failed: {each.error}", "red")
    return FAILED if failed else 0
