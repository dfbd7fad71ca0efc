"""`klaviyo limits`: what every bucket has used, and who waits for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from worker.cli.terminal import print_json, say, stdout
from worker.cli.times import clock, duration
from worker.governor import Look, Pause, get_governor
from worker.tiers import DAY, MINUTE, SECOND

UNITS = {SECOND: "s", MINUTE: "m", DAY: "d"}

#: Share of a window from which it is shown as nearly, and as wholly, used.
NEARLY, WHOLLY = 0.8, 1.0


@dataclass(slots=True)
class Row:
    """A bucket, or a combination of buckets that has a waiting list of its own and no windows."""

    name: str
    tier: str
    windows: list[dict[str, Any]] = field(default_factory=list)
    now: int = 0
    bulk: int = 0
    later: int = 0
    oldest_seconds: float | None = None
    in_flight: int | None = None
    others_in_minute: int = 0
    blocked_seconds: float = 0.0


def limits(as_json: Annotated[bool, typer.Option("--json", help="for other programs")] = False) -> None:
    """Show every bucket in use: how much of each window, who waits, what is blocked."""
    found, pauses = list(rows(get_governor().look())), get_governor().paused()
    for pause in pauses:
        say(told(pause), "yellow")
    if as_json:
        print_json([asdict(row) for row in found])
    elif not found:
        say("No action has been called on this Redis yet: there is nothing to show.")
    else:
        stdout().print(_table(found))


def told(pause: Pause) -> str:
    """What is paused, by whom and why, and what to do about it."""
    option, _, which = pause.what.partition(":")
    name = {"account": f"--account {which}", "tier": f"--tier {which.rpartition('.')[2].upper()}"}.get(option)
    if name is None:
        alias, _, action = which.rpartition(":")
        name = f"--action {action}" + (f" --account {alias}" if alias else "")
    end = "" if pause.why.endswith(".") else "."
    tried = "" if pause.tried is None else f" One task is tried in {duration(pause.tried)}."
    return (
        f"{pause.what} is paused since {clock(pause.since)} by {pause.by}: {pause.why}{end}{tried} "
        f"To let it go on: klaviyo resume {name}"
    )


def rows(looks: Iterable[Look]) -> Iterator[Row]:
    """A row for each bucket; one more for each line that draws on several of them at once."""
    buckets: dict[str, Row] = {}
    combined: list[Row] = []
    for look in looks:
        tier = look.queue.rpartition(".")[2].upper()
        for bucket in look.buckets:
            row = buckets.setdefault(bucket.name, Row(bucket.name, tier))
            row.windows = [
                {"used": used, "limit": limit, "per": UNITS.get(length, f"{length} ms")}
                for used, limit, length in bucket.windows
            ]
            row.in_flight = bucket.flight
            row.others_in_minute = bucket.foreign
            row.blocked_seconds = max(row.blocked_seconds, bucket.blocked)
        row = buckets[look.buckets[0].name]
        if len(look.buckets) > 1:
            row = Row(look.line, tier)
            combined.append(row)
        else:
            row.tier = tier
        row.now, row.bulk, row.later, row.oldest_seconds = look.now, look.bulk, look.later, look.oldest
        row.blocked_seconds = max(row.blocked_seconds, look.blocked)
    yield from sorted([*buckets.values(), *combined], key=lambda row: row.name)


def _table(found: list[Row]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("bucket", overflow="fold")
    table.add_column("tier")
    table.add_column("used", overflow="fold")
    for name in ("now", "bulk", "later", "oldest"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("in flight", justify="right")
    table.add_column("blocked", justify="right", no_wrap=True)
    for row in found:
        table.add_row(
            row.name,
            row.tier,
            used(row.windows),
            *(f"{count:,}" if count else "-" for count in (row.now, row.bulk, row.later)),
            duration(row.oldest_seconds),
            f"{row.in_flight:,}" if row.in_flight else "-",
            Text(duration(row.blocked_seconds or None), "red"),
        )
    return table


def used(windows: Iterable[dict[str, Any]]) -> Text:
    """``12/75 s  340/750 m``."""
    return Text("  ").join(share(window).append(f" {window['per']}") for window in windows)


def share(window: dict[str, Any]) -> Text:
    """``340/750``, coloured where the window is nearly used up."""
    part = window["used"] / window["limit"]
    style = "red" if part >= WHOLLY else "yellow" if part >= NEARLY else ""
    return Text(f"{window['used']:,}/{window['limit']:,}", style)
