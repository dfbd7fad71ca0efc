"""`klaviyo limits`: how much of each bucket is used, and what waits for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from cli.terminal.printing import print_json, say, stdout
from cli.terminal.tables import Listing, listing
from cli.terminal.times import clock, duration
from worker.governor import BucketLook, Look, Pause, forecasts, get_governor
from worker.governor.forecast import pause_of, stands_still
from worker.pauses import describe
from worker.redis.homes import ask_each
from worker.tiers import DAY_MS, MINUTE_MS, SECOND_MS

UNITS = {SECOND_MS: "s", MINUTE_MS: "m", DAY_MS: "d"}

#: Why a bucket that is not paused is blocked, if nothing else is said.
ANSWERED_429 = "Klaviyo answered 429"

#: The share of a window from which it is shown as nearly used up, and as used up.
NEARLY_USED, USED_UP = 0.8, 1.0


@dataclass(slots=True)
class Row:
    """A bucket, or a line without windows of its own, which draws on several buckets or on those of another account.

    ``others_share``: the fraction of the minute's limit that other software takes. ``empty_seconds``: how long until
    nothing waits there any more, and ``now_empty_seconds`` until nothing waits in its lane now; each is None if nothing
    waits, or if that is unknown. ``per_minute``: how many calls a minute it can send from now on. ``why``: the reason
    that it stands still; empty if it does not.
    """

    name: str
    tier: str
    windows: list[dict[str, Any]] = field(default_factory=list)
    now: int = 0
    bulk: int = 0
    later: int = 0
    oldest_seconds: float | None = None
    in_flight: int | None = None
    others_in_minute: int = 0
    others_share: float = 0.0
    blocked_seconds: float = 0.0
    empty_seconds: float | None = None
    now_empty_seconds: float | None = None
    per_minute: float | None = None
    paused: bool = False
    why: str = ""


def limits(
    everything: Annotated[bool, typer.Option("--all", help="include unused buckets")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for other programs")] = False,
) -> None:
    """Show every bucket in use: how much of each window is used, what waits, what is blocked."""
    parts = ask_each(lambda: _read(everything or as_json)).values()
    found, pauses = [row for part in parts for row in part[0]], [pause for part in parts for pause in part[1]]
    known, unread = sum(part[2] for part in parts), sum(part[3] for part in parts)
    for pause in pauses:
        say(describe_pause(pause), "yellow")
    if as_json:
        print_json([asdict(row) for row in found])
    elif not known:
        say("No action has been called through this Redis yet, so there is nothing to show.")
    else:
        stdout().print(overview(found, everything, unread))


def _read(everything: bool) -> tuple[list[Row], list[Pause], int, int]:
    """Read the buckets, and what is paused. Return too how many lines there are, and how many were not read."""
    governor = get_governor()
    known = governor.lines()
    lines = known if everything else [*{*governor.used_lines()} & {*known}]
    return (*read(lines), len(known), len(known) - len(lines))


def read(lines: Iterable[str]) -> tuple[list[Row], list[Pause]]:
    """Read the buckets of these lines, and what is paused."""
    governor = get_governor()
    pauses = governor.paused()
    return list(rows(governor.look(lines), pauses, governor.slots())), pauses


def overview(found: Sequence[Row], everything: bool, unread: int = 0) -> RenderableType:
    """Lay out the table, without idle buckets unless ``everything`` is asked for; so many idle ones were not read."""
    used = found if everything else [row for row in found if not _idle(row)]
    if not (unused := len(found) - len(used) + unread):
        return table(found)
    idle = f"{unused:,} unused (--all)"
    return Group(table(used), Text(f"… and {idle}", "dim")) if used else Text(f"No bucket is in use: {idle}.", "dim")


def _idle(row: Row) -> bool:
    """Return True if no window is used, nothing waits and nothing is blocked."""
    return not (
        any(window["used"] for window in row.windows)
        or row.now + row.bulk + row.later
        or row.in_flight
        or row.others_in_minute
        or row.blocked_seconds
    )


def describe_pause(pause: Pause) -> str:
    """Say what is paused, by whom and why, and how to resume it."""
    tried = f" One task is tried in {duration(pause.tried)}." if pause.tried is not None else ""
    how, by = ("automatically ", "") if pause.automatic else ("", f" by {pause.by}")
    paused = f"The {describe(pause.what)} has been paused {how}since {clock(pause.since)}{by}"
    return f"{paused}: {pause.why.rstrip('.')}. {pause.how_to_resume}{tried}"


def rows(looks: Sequence[Look], pauses: Iterable[Pause] = (), slots: Mapping[str, int] | None = None) -> Iterator[Row]:
    """Yield a row for each bucket, and one for each line that is not named like its only bucket.

    ``slots`` as `worker.governor.forecasts` takes them.
    """
    paused = {pause.what: pause for pause in pauses}
    foretold = forecasts(looks, paused.values(), slots)
    buckets: dict[str, Row] = {}
    combined: list[Row] = []
    reasons = {look.line: look.block_reason or ANSWERED_429 for look in looks}
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
            row.others_share = _share_of_minute(bucket)
            row.blocked_seconds = max(row.blocked_seconds, bucket.blocked)
        row = buckets[look.buckets[0].name]
        if look.line != row.name:
            row = Row(look.line, tier)
            combined.append(row)
        else:
            row.tier = tier
        row.now, row.bulk, row.later, row.oldest_seconds = look.now, look.bulk, look.later, look.oldest
        row.blocked_seconds = max(row.blocked_seconds, look.blocked)
        row.paused, row.why = pause_of(look, paused) is not None, stands_still(look, paused)
        if forecast := foretold.get(look.line):
            row.empty_seconds, row.now_empty_seconds = forecast.empty, forecast.now
            row.per_minute, row.why = round(forecast.per_minute, 2), forecast.why
    for row in (*buckets.values(), *combined):
        row.why = row.why or (reasons.get(row.name, ANSWERED_429) if row.blocked_seconds else "")
    yield from sorted([*buckets.values(), *combined], key=lambda row: row.name)


def _share_of_minute(bucket: BucketLook) -> float:
    limit = next((limit for _, limit, length in bucket.windows if length == MINUTE_MS), 0)
    return round(min(1.0, bucket.foreign / limit), 3) if limit else 0.0


def table(found: Sequence[Row]) -> Listing:
    """Lay out a row for each bucket."""
    # What is paused, and why, is said above.
    reasons = {row.name: row.why for row in found if row.why and not row.paused}
    several = "account" if len({_account(row) for row in found}) > 1 else ""
    others = "others" if any(row.others_share for row in found) else ""
    because = "because" if reasons else ""
    shown = listing(
        several, "bucket", "tier", "used", f"{others}>" if others else "", "now>", "bulk>", "later>", "oldest>",
        "empty in>", "under way>", "blocked>", because,
        whole=("tier", "used"), optional=("tier", "under way"), below=(because, "used", others, several),
    )  # fmt: skip
    for row in found:
        shown.add_row(
            *([_account(row)] if several else []),
            row.name.partition(":")[2],
            row.tier,
            format_windows(row.windows),
            *([Text(f"{row.others_share:.0%}" if row.others_share else "-", "yellow")] if others else []),
            *(f"{count:,}" if count else "-" for count in (row.now, row.bulk, row.later)),
            duration(row.oldest_seconds),
            duration(row.empty_seconds),
            f"{row.in_flight:,}" if row.in_flight else "-",
            Text("paused" if row.paused else duration(row.blocked_seconds or None), "red"),
            *([reasons.get(row.name, "")] if because else []),
        )
    return shown


def _account(row: Row) -> str:
    return row.name.partition(":")[0]


def format_windows(windows: Iterable[dict[str, Any]]) -> Text:
    """``12/75 s  340/750 m``."""
    return Text("  ").join(format_share(window).append(f" {window['per']}") for window in windows)


def format_share(window: dict[str, Any]) -> Text:
    """``340/750``, coloured where the window is nearly used up."""
    part = window["used"] / window["limit"]
    style = "red" if part >= USED_UP else "yellow" if part >= NEARLY_USED else ""
    return Text(f"{window['used']:,}/{window['limit']:,}", style)
