"""The demo's steps: import customers, send their purchases with all tiers under load, read all back, compare."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import tasks.registry  # noqa: F401  registers every action
from cli.demo.data import Customer, Data, Purchase
from cli.demo.run import Run, Work
from cli.demo.sandbox import Proof, SideDoor
from cli.demo.view import View
from cli.terminal.tables import most_frequent
from tasks.accounts import get_accounts
from tasks.events import bulk_create_events, create_event, get_events
from tasks.imports import import_profiles
from tasks.jobs.outcome import JOB, REFUSED
from tasks.profiles import get_profiles
from tasks.tags import get_tags
from worker.api.filters import F
from worker.api.jsonapi import Envelope

#: The most that Klaviyo takes or returns in one request.
MAX_EVENTS, PAGE_SIZE, MAX_IDENTIFIERS = 1_000, 1_000, 100


@dataclass(slots=True)
class Story:
    """The steps of the demo, in order."""

    data: Data
    run: Run
    view: View
    sandbox: SideDoor
    folder: Path
    imported: int = 0
    found_profiles: Counter[str] = field(default_factory=Counter)
    found_events: Counter[str] = field(default_factory=Counter)

    def tell(self) -> Proof:
        """Take all steps, and return the proof."""
        before = self.sandbox.count_records()
        self._import_customers()
        self.view.explain()
        self._work_under_load()
        self._read_events()
        self.view.step("Comparing with what the sandbox has …")
        return self._compare(before)

    def _import_customers(self) -> None:
        self.view.step(f"Importing {len(self.data.customers):,} customers in bulk jobs …")
        profiles = (each.profile for each in self.data.customers)
        rejects = self.folder / "customers.rejects.jsonl"
        report = import_profiles(profiles, lane="now", rejects=rejects, progress=lambda run: self.view.refresh_if_due())
        self.imported = report.landed
        if report.rejected:
            self._leave_out(Path(report.rejects or rejects))
            why = most_frequent(report.reasons)
            self.data.remarks.append(f"The sandbox rejected {report.rejected:,} customers: {why}.")

    def _leave_out(self, rejects: Path) -> None:
        """Go on without the customers that were rejected: only what has no reason counts as lost."""
        lines = map(json.loads, rejects.read_text("utf-8").splitlines())
        rows = [each["row"] for each in lines if each["stage"] in (JOB, REFUSED)]
        self.data.leave_out({self.data.customers[row - 1].profile["email"] for row in rows})

    def _work_under_load(self) -> None:
        """Give every tier a minute's work at once, with as much of the demo's own work as possible."""
        singly = min(_minute(create_event), len(self.data.purchases) // 2)
        middle = len(self.data.purchases) - singly
        rest, slice_ = self.data.purchases[:middle], self.data.purchases[middle:]
        self.view.step(
            f"All five tiers at once: {len(rest):,} purchases in bulk and {singly:,} one by one; "
            f"{len(self.data.customers):,} customers read back …"
        )
        _, _, pages, _, _ = self.run.results(
            # The largest last: while it is being published, the others are already running.
            Work(get_accounts, ({} for _ in range(_minute(get_accounts)))),
            Work(get_tags, ({} for _ in range(_minute(get_tags)))),
            Work(get_profiles, self._profile_requests()),
            # The story shows each request by itself: these calls share none.
            Work(
                bulk_create_events.on(together=False),
                ({"events": batch} for batch in batches(rest, _minute(bulk_create_events))),
            ),
            Work(create_event.on(together=False), ({"profile": each.customer.owner, **each.event} for each in slice_)),
        )
        self.found_profiles.update(self._name(each["attributes"]) for page in pages for each in page["data"])

    def _name(self, profile: dict[str, Any]) -> str:
        """Return what identifies a customer, at Klaviyo and here; the case of an address does not matter."""
        return str(profile[self.data.identifier]).casefold()

    def _profile_requests(self) -> Iterator[dict[str, Any]]:
        """Yield requests that name every customer once: as many as fit into a minute, or more of the largest size."""
        name = self.data.identifier
        keys = [each.profile[name] for each in self.data.customers]
        size = min(MAX_IDENTIFIERS, -(-len(keys) // _minute(get_profiles)))
        for start in range(0, len(keys), size):
            named = F(name).any(keys[start : start + size])
            yield {"filter": named, "page_size": MAX_IDENTIFIERS, "fields_profile": [name]}

    def _read_events(self) -> None:
        self.view.step(f"Reading {len(self.data.purchases):,} purchases back, page by page …")
        cursor: dict[str, str] = {}
        while True:
            params = {"sort": "timestamp", "fields_event": ["event_properties"], "page_size": PAGE_SIZE, **cursor}
            [answers] = self.run.results(Work(get_events, [params]))
            if not answers:
                return
            self.found_events.update(
                str(each["attributes"]["event_properties"].get("$event_id")) for each in answers[0]["data"]
            )
            following = next_cursor(answers[0])
            if following is None:
                return
            cursor = {"page_cursor": following}

    def _compare(self, before: Counter[str]) -> Proof:
        after, counts = self.sandbox.count_records(), self.sandbox.count_answers()
        answered = Counter({name: counts.answered[name] for name in self.run.sent})
        proof = Proof(self.run.sent.total(), requests=answered.total())
        proof.customers, proof.purchases = len(self.data.customers), len(self.data.purchases)
        proof.throttled = counts.throttled.total()
        proof.lost["tasks"] = self.run.lost()
        proof.lost["rows"] = len(self.data.customers) - self.imported
        # A task is one request: any more, and one was sent twice. The import's jobs are compared by their contents.
        proof.doubled["requests"] = (answered - self.run.sent).total()
        proof.doubled["jobs"] = after["doubled_jobs"]
        expected = {
            "profile": (
                Counter(self._name(each.profile) for each in self.data.customers),
                self.found_profiles,
            ),
            "event": (Counter(each.unique_id for each in self.data.purchases), self.found_events),
        }
        for kind, (sent, read) in expected.items():
            there = after[kind] - before[kind]
            proof.lost[f"{kind}s"] = max((sent - read).total(), sent.total() - there)
            twice = sum(count - 1 for name, count in read.items() if name in sent and count > 1)
            proof.doubled[f"{kind}s"] = max(twice, there - sent.total(), after[f"doubled_{kind}s"])
        return proof


def batches(purchases: list[Purchase], count: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the purchases in at least ``count`` batches, none larger than Klaviyo takes, each grouped by customer."""
    size = min(MAX_EVENTS, max(1, -(-len(purchases) // count)))
    for start in range(0, len(purchases), size):
        by_customer: dict[str, tuple[Customer, list[Purchase]]] = {}
        for each in purchases[start : start + size]:
            by_customer.setdefault(each.customer.profile["email"], (each.customer, []))[1].append(each)
        yield [
            {"profile": customer.owner, "events": [each.event for each in bought]}
            for customer, bought in by_customer.values()
        ]


def next_cursor(page: Envelope) -> str | None:
    """Return the cursor of the next page; None after the last."""
    link = (page.get("links") or {}).get("next")
    return parse_qs(urlsplit(link).query)["page[cursor]"][0] if link else None


def _minute(action: Any) -> int:
    """Return how many requests an action may make in a minute."""
    steady: int = action.declaration.limits.steady
    return steady
