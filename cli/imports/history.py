"""`klaviyo imports`: the imports of the last two weeks, one of them with all that is known, and the end of one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from cli.imports.view import describe_not_landed, describe_withdrawn
from cli.jobs import view as jobs_view
from cli.terminal.printing import EXIT_USAGE, print_json, say, stdout, stop
from cli.terminal.tables import Listing, facts, listing
from cli.terminal.times import clock, day_and_time, duration
from tasks.jobs.import_runs import Run, get_runs
from tasks.jobs.ledger import Job, get_ledger
from worker.redis.homes import at_redis, first, gathered, here
from worker.redis.patience import asking_redis_once

#: Seconds of silence after which a run that has not ended may have been interrupted.
SILENT_AFTER_S = 30.0


@asking_redis_once()
def imports(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="one run, by its id")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="end RUN: take back what has not been sent")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for other programs")] = False,
) -> None:
    """Show the imports, newest first; or one, with the reasons why rows did not land."""
    if cancel and run is None:
        raise stop("Say which run to cancel: klaviyo imports RUN --cancel.", EXIT_USAGE)
    if run is not None:
        where, known = _known(run)
        with at_redis(where):
            _cancel(known, as_json) if cancel else _one(known, as_json)
        return
    found = sorted(gathered(lambda: get_runs().recent()), key=lambda each: -each.started)
    if as_json:
        print_json([described(each) for each in found])
    elif found:
        stdout().print(_table(found, first(lambda: get_runs().now()) or 0.0))
    else:
        say("There was no import in the last two weeks.")


def described(run: Run) -> dict[str, Any]:
    """Return a run for other programs, without what was asked for in it, which may hold personal data."""
    fields = {name: value for name, value in asdict(run).items() if name != "asked"}
    times = {name: clock(fields[name]) if fields[name] else None for name in ("started", "ended", "seen")}
    return {**fields, **times, "path": run.asked["path"], "failed": run.failed, "on_their_way": run.on_their_way}


def state(run: Run, now: float) -> Text:
    """Return how a run stands, in yellow if rows have not landed. Only its silence shows that its process is gone."""
    if run.state == "running" and now - run.seen > SILENT_AFTER_S:
        return Text(f"silent for {duration(now - run.seen)}", "yellow")
    colours = {"complete": "yellow" if run.failed else "green", "failed": "red", "cancelled": "red"}
    return Text(run.state, colours.get(run.state, ""))


def seconds(run: Run, now: float) -> float:
    """Return how long it took, or has taken so far."""
    return (run.ended or now) - run.started


def _known(id: str) -> tuple[str, Run]:
    """Return the name of the Redis that knows a run, whose account may have moved since, and the run."""
    if found := first(lambda: (here(), run) if (run := get_runs().run(id)) else None):
        return found
    raise stop(
        f"There is no run {id!r}: its id is wrong, or it ended over two weeks ago. `klaviyo imports` lists them.",
        EXIT_USAGE,
    )


def _cancel(run: Run, as_json: bool) -> None:
    if run.ended:
        raise stop(f"Run {run.id} has ended already: it is {run.state}.", EXIT_USAGE)
    from tasks.imports import cancel_import

    taken = cancel_import(run.id)
    if as_json:
        print_json({"run": run.id, "requests": run.parts, "taken_back": taken})
    say(
        f"Run {run.id} is cancelled: {taken:,} of its {run.parts:,} requests were taken back before they were sent; "
        "what Klaviyo already has continues."
    )


def _table(found: list[Run], now: float) -> Listing:
    several = len({run.account for run in found}) > 1
    shown = listing(
        "run", "kind", "account", "source", "state", "rows>", "landed>", "not landed>", "started", "time>",
        whole=("run", "kind", "state", "started"), optional=("started",) if several else ("started", "account"),
        below=("source", "account", "kind"),
    )  # fmt: skip
    for run in found:
        shown.add_row(
            run.id,
            run.kind,
            run.account,
            run.source,
            state(run, now),
            f"{run.rows:,}",
            f"{run.landed:,}",
            Text(f"{run.failed:,}" if run.failed else "-", "red" if run.failed else ""),
            day_and_time(run.started),
            duration(seconds(run, now)),
        )
    return shown


def _one(run: Run, as_json: bool) -> None:
    badly, reasons = jobs_that_ended_badly(run), reasons_of(run)
    if as_json:
        print_json({**described(run), "reasons": reasons, "jobs": [jobs_view.as_dict(job) for job in badly]})
    else:
        stdout().print(_shown(run, badly, reasons, get_runs().now()))


def jobs_that_ended_badly(run: Run) -> list[Job]:
    """Return the jobs of a run that failed, or have failed records."""
    jobs = get_ledger().jobs(get_runs().jobs(run.id)).values()
    return [job for job in jobs if jobs_view.ended_badly(job)]


def reasons_of(run: Run) -> list[tuple[str, int]]:
    """Return why rows have not landed, and how many."""
    return [(reason, count) for reason, count, _ in rows_by_reason(run)]


def rows_by_reason(run: Run) -> list[tuple[str, int, str]]:
    """Return why rows have not landed, how many, and which of them, as far as that is kept: ``1-9,11``.

    A run that is over has summed it up; else what Klaviyo turned down is still to be.
    """
    rows = run.reason_rows or ("",) * len(run.reasons)
    known = [(reason, count, which) for (reason, count), which in zip(run.reasons, rows, strict=True)]
    if run.state == "complete":
        return known
    from tasks.imports.reasons import Reasons
    from tasks.imports.rejects import late_rejects

    late = Reasons()
    for each in late_rejects(run.id):
        late.add(each["reason"], each["row"])
    return [*known, *((reason, count, late.rows(reason)) for reason, count in late.most_frequent())]


def run_facts(run: Run, now: float) -> list[tuple[str, str | Text | None]]:
    """Return what is known of a run, by name; None of what does not concern it."""
    path, share = run.asked["path"], f", {run.read / run.size:.0%} of the file" if run.size else ""
    return [
        ("run", run.id),
        ("kind", run.kind),
        ("account", run.account),
        ("source", path or run.source),
        ("state", state(run, now)),
        ("note", Text(run.reason, "yellow")) if run.state == "complete" else ("because", Text(run.reason, "red")),
        ("started", clock(run.started)),
        ("ended", clock(run.ended) if run.ended else None),
        ("time", duration(seconds(run, now))),
        ("rows read", f"{run.rows:,}{share}"),
        ("landed", Text(f"{run.landed:,}", "green")),
        ("unchanged", f"{run.unchanged:,}" if run.unchanged else None),
        ("not landed", describe_not_landed(run)),
        ("withdrawn", describe_withdrawn(run.withdrawn, run.id, run.kind)),
        ("on their way", f"{run.on_their_way:,}" if run.on_their_way else None),
        ("jobs", f"{run.parts:,} begun, {run.settled:,} settled"),
        ("reject file", run.rejects),
    ]


def _shown(run: Run, badly: list[Job], reasons: list[tuple[str, int]], now: float) -> Group:
    blocks: list[Any] = [facts(*run_facts(run, now))]
    if reasons:
        why = listing("rows>", "did not land because")
        for reason, count in reasons:
            why.add_row(f"{count:,}", Text(reason))
        blocks += [Text(), why]
    if badly:
        blocks += [Text(), Text("Jobs that ended badly, or with failed records", "dim")]
        blocks += [jobs_view.table(badly, now)]
    return Group(*blocks)
