"""`klaviyo top`: Flower's page Limits, live in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from cli.absence import absences
from cli.limits import Row, describe_pause, read, table
from cli.terminal.times import duration
from cli.terminal.watch import Fitting, show_live
from worker.failures.kept import failure_groups
from worker.governor import Pause, get_governor
from worker.redis.absence import without_those_away
from worker.redis.homes import ask_each
from worker.redis.patience import asking_redis_once


@asking_redis_once()
def top() -> None:
    """Show the limits live: what waits, why, and when it will be done, the longest queues first."""
    show_live(_now, "klaviyo top", "use klaviyo limits, or klaviyo limits --json")


def _now(room: int) -> RenderableType:
    with without_those_away() as missing:
        parts = ask_each(_read).values()
    found, pauses = [row for part in parts for row in part[0]], [pause for part in parts for pause in part[1]]
    slots = sum((Counter(part[2]) for part in parts), Counter[str]())
    return view(found, pauses, slots, sum(part[3] for part in parts), room, absences(missing))


def _read() -> tuple[list[Row], list[Pause], Mapping[str, int], int]:
    """Read the buckets, what is paused, what the workers have room for, and how many tasks have failed."""
    governor = get_governor()
    return *read(governor.used_lines()), governor.slots(), sum(each.failures for each in failure_groups())


def view(
    found: Sequence[Row],
    pauses: Sequence[Pause],
    slots: Mapping[str, int],
    failures: int,
    room: int,
    missing: Sequence[str] = (),
) -> RenderableType:
    """Lay out a summary, what is missing or paused, and as many buckets as fit into ``room`` lines."""
    busiest = sorted(found, key=lambda row: (-_waiting(row), not row.why, -_fullest(row)))
    above = [summary(found, slots, failures), *(Text(each, "red") for each in missing)]
    above += [Text(describe_pause(pause), "yellow") for pause in pauses]
    return Fitting(above, busiest, table, room)


def summary(found: Sequence[Row], slots: Mapping[str, int], failures: int) -> Text:
    """Say how many tasks wait and are under way, when none will wait any more, and what needs attention."""
    waiting, later = sum(row.now + row.bulk for row in found), sum(row.later for row in found)
    text = Text(f"{waiting:,} waiting, {later:,} for later, {sum(row.in_flight or 0 for row in found):,} under way")
    if ends := [row.empty_seconds for row in found if row.empty_seconds is not None]:
        text.append(f"; empty in {duration(max(ends))}")
    if still := sum(_waiting(row) > 0 and bool(row.why) and row.empty_seconds is None for row in found):
        text.append(f"; {still:,} {'queue stands' if still == 1 else 'queues stand'} still", "red")
    if failures:
        text.append(f"; {failures:,} failed (klaviyo failures)", "red")
    if not slots:
        text.append("; no worker runs", "red")
    return text


def _waiting(row: Row) -> int:
    return row.now + row.bulk


def _fullest(row: Row) -> float:
    return max((window["used"] / window["limit"] for window in row.windows), default=0.0)
