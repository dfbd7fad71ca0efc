"""What the demo shows: a live table, or plain lines without a terminal, and the summary."""

from __future__ import annotations

import time
from collections import Counter, deque

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.demo.sandbox import AnswerCounts, Proof, SideDoor
from cli.limits import Row, format_share, format_windows, rows
from cli.terminal.live import LiveView
from cli.terminal.printing import stdout
from cli.terminal.tables import facts
from worker.action import ACTIONS
from worker.governor import get_governor
from worker.tiers import MINUTE_MS, SECOND_MS, Tier

#: What the figures mean, in a terminal and without one.
LIVE_LEGEND = (
    "For each tier, XS to XL: the tasks waiting in Redis, the requests under way, and how much of its second and its "
    "minute the busiest action has used. 10/10 is a window that is used up: Klaviyo would refuse another request."
)
PLAIN_LEGEND = (
    "Each line shows how much of its windows the busiest action of each tier, XS to XL, has used. M 10/10 s  88/150 m "
    "is tier M with all 10 requests that Klaviyo takes in a second, and 88 of the 150 that it takes in a minute."
)

#: Seconds between two refreshes in a terminal, between two lines without one, and over which a rate is computed.
LIVE_INTERVAL_S, LINE_INTERVAL_S, RATE_SPAN_S = 0.5, 5.0, 2.0


#: The width from which the live table has room for the requests under way beside the longest name of an action.
IN_FLIGHT_MIN_WIDTH = 92


class View(LiveView):
    """Shows what the demo is doing."""

    def __init__(self, sandbox: SideDoor) -> None:
        super().__init__(stdout())
        self._sandbox = sandbox
        self._began = time.monotonic()
        self._refreshed_at = 0.0
        self._step = ""
        self._history: deque[tuple[float, Counter[str]]] = deque()

    @property
    def seconds(self) -> float:
        """Return how long the demo has been running."""
        return time.monotonic() - self._began

    def step(self, text: str) -> None:
        """Show the step that begins."""
        self._step = text
        self._console.print(Text(f"{self.seconds:5.1f} s  {text}"))
        self.refresh()

    def explain(self) -> None:
        """Print what the figures mean that are shown from now on."""
        self._console.print(Text(f"\n{LIVE_LEGEND if self.is_live else PLAIN_LEGEND}\n", "dim"))

    def refresh_if_due(self) -> None:
        """Refresh the view if it is time to."""
        if time.monotonic() - self._refreshed_at >= (LIVE_INTERVAL_S if self.is_live else LINE_INTERVAL_S):
            self.refresh()

    def refresh(self) -> None:
        """Read the present figures and show them."""
        self._refreshed_at = time.monotonic()
        counts = self._sandbox.count_answers()
        tiers = _by_tier(list(rows(get_governor().look(get_governor().used_lines()))))
        rates = self._rates(counts)
        if self.is_live:
            self.draw(Group(Text(), self._table(tiers, rates, counts)))
        elif tiers:
            busy = (
                f"{tier.name} {format_windows(busiest.windows)}"
                for tier in Tier
                if (busiest := _busiest(tiers.get(tier, [])))
            )
            self._console.print(Text(f"{self.seconds:5.1f} s    {' · '.join(busy)}"))

    def summary(self, proof: Proof, flower: str, remarks: list[str], keep: bool) -> None:
        """Print the summary: every action with its windows, then the proof."""
        seconds, counts = self.seconds, self._sandbox.count_answers()
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        for name in ("tier", "action"):
            table.add_column(name, no_wrap=True)
        for name in ("requests", "429s", "fullest\nsecond", "fullest\nminute"):
            table.add_column(name, justify="right", no_wrap=True)
        names = [name for name in counts.answered | counts.throttled if name in ACTIONS]
        for name in sorted(names, key=lambda name: -ACTIONS[name].declaration.limits.steady):
            limits = ACTIONS[name].declaration.limits
            full = zip(self._sandbox.count_fullest(name, limits.windows), limits.windows, strict=True)
            fullest = [
                f"{most:,} of {window.limit:,}" for most, window in full if window.length_ms in (SECOND_MS, MINUTE_MS)
            ]
            table.add_row(limits.tier.name, name, f"{counts.answered[name]:,}", str(counts.throttled[name]), *fullest)
        self._console.print(Text())
        self._console.print(table)
        beside = sum(counts.answered[name] for name in names) - proof.requests
        told = facts(
            ("requests", f"{proof.requests:,} for {proof.tasks:,} tasks, {beside:,} for the import's jobs"),
            ("429s", _verdict(proof.throttled)),
            ("lost", _lost(proof)),
            ("doubled", _doubled(proof)),
            ("seconds", f"{seconds:.0f}"),
            ("Flower", flower + ("" if keep else " (stopped; KEEP=1 leaves it running)")),
            *(("note", remark) for remark in remarks),
        )
        self._console.print(Text())
        self._console.print(told)

    def _table(self, tiers: dict[Tier, list[Row]], rates: dict[Tier, float], counts: AnswerCounts) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        table.add_column("tier", style="bold", no_wrap=True, min_width=4)
        with_flight = self._console.width >= IN_FLIGHT_MIN_WIDTH
        for name, width in (
            ("waiting", 7),
            ("under way", 9),
            ("done/s", 6),
            ("second", 7),
            ("minute", 11),
            ("429s", 4),
        ):
            if name != "under way" or with_flight:
                table.add_column(name, justify="right", min_width=width, no_wrap=True)
        table.add_column("busiest action", no_wrap=True, overflow="ellipsis")
        throttled = _tiers_of(counts.throttled)
        for tier in reversed(Tier):
            found = tiers.get(tier, [])
            busiest = _busiest(found)
            shares = [format_share(window) for window in busiest.windows[:2]] if busiest else ["", ""]
            table.add_row(
                tier.name,
                f"{sum(row.now + row.bulk + row.later for row in found):,}",
                *([f"{sum(row.in_flight or 0 for row in found):,}"] if with_flight else []),
                f"{rates.get(tier, 0.0):.0f}",
                *shares,
                Text(str(throttled[tier]), "red" if throttled[tier] else ""),
                busiest.name.partition(":")[2] if busiest else "",
            )
        return table

    def _rates(self, counts: AnswerCounts) -> dict[Tier, float]:
        """Return the answers a second of each tier, over the last seconds."""
        now = time.monotonic()
        self._history.append((now, Counter(counts.answered)))
        while len(self._history) > 2 and self._history[1][0] <= now - RATE_SPAN_S:
            self._history.popleft()
        then, before = self._history[0]
        new = _tiers_of(counts.answered - before)
        return {tier: count / (now - then) for tier, count in new.items()}


def _lost(proof: Proof) -> Text:
    """Say what was lost: our own results compared with what the sandbox has."""
    lost = proof.lost
    return _verdict(lost.total()).append_text(Text(
        f"\n{lost['tasks']:,} of {proof.tasks:,} tasks have no result"
        f"\n{lost['rows']:,} of {proof.customers:,} customers were not imported"
        f"\n{lost['profiles']:,} of {proof.customers:,} customers and {lost['events']:,} of {proof.purchases:,} "
        "purchases are not in the sandbox, or were not read back from it"
    ))  # fmt: skip


def _doubled(proof: Proof) -> Text:
    """Say what was done more than once."""
    doubled = proof.doubled
    return _verdict(doubled.total()).append_text(Text(
        f"\n{doubled['requests']:,} requests were made beyond one for each task"
        f"\n{doubled['jobs']:,} jobs, {doubled['profiles']:,} customers and {doubled['events']:,} purchases are in the "
        "sandbox twice"
    ))  # fmt: skip


def _verdict(count: int) -> Text:
    return Text.assemble((f"{count:,}", "bold red" if count else "bold green"))


def _tiers_of(counts: Counter[str]) -> Counter[Tier]:
    tiers: Counter[Tier] = Counter()
    for name, count in counts.items():
        if name in ACTIONS:
            tiers[ACTIONS[name].declaration.limits.tier] += count
    return tiers


def _by_tier(found: list[Row]) -> dict[Tier, list[Row]]:
    tiers: dict[Tier, list[Row]] = {}
    for row in found:
        tiers.setdefault(Tier[row.tier], []).append(row)
    return tiers


def _busiest(found: list[Row]) -> Row | None:
    """Return the bucket with the fullest window."""
    return max(
        (row for row in found if row.windows),
        key=lambda row: max(window["used"] / window["limit"] for window in row.windows),
        default=None,
    )
