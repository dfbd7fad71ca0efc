"""What comes next for a job in each of its states, and who sees to it when nobody has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tasks.jobs import next_step
from tasks.jobs.ledger import group
from tasks.jobs.next_step import FIND, LOST_AFTER_S, POLL, READ, SPAWN, WATCH, go_on
from tasks.jobs.watch import Watch
from worker.reminders import see_to

NAME, CATALOG = "bulk_import_profiles", "bulk_create_catalog_items"


@pytest.fixture
def published(steps: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The steps that were published, each with the job or the group that it is about."""
    found: list[Any] = []

    def step(name: str) -> Any:
        return SimpleNamespace(publish=lambda job, kind, after: found.append((name, job.id)))

    tasks = {name: step(name) for name in (SPAWN, FIND, POLL, READ)} | {WATCH: Watch()}
    monkeypatch.setattr(Watch, "publish_poll", lambda _, account, kind, token: found.append((WATCH, account)))
    monkeypatch.setattr(next_step, "registered", tasks.__getitem__)
    return found


def overdue_after(steps: Any, seconds: float) -> list[str]:
    steps.wait(seconds)
    found: list[str] = steps.reminders.overdue(30)
    return found


def test_a_job_that_may_be_sent_is_sent_and_one_that_was_is_looked_for(steps: Any, published: list[Any]):
    steps.opened("new")
    steps.sent("lost")

    go_on("new", "lost")

    assert published == [(SPAWN, "new"), (FIND, "lost")]


def test_jobs_of_a_kind_that_is_listed_are_watched_together(steps: Any, published: list[Any]):
    steps.accepted("one")
    steps.accepted("two")

    go_on("one", "two")

    assert published == [(WATCH, "default")]


def test_an_accepted_job_is_resumed_by_its_watcher_alone(steps: Any, published: list[Any]):
    steps.accepted()

    go_on("job")

    assert overdue_after(steps, LOST_AFTER_S + 60) == [f"watch|{group('default', NAME)}"]


def test_a_job_is_sent_no_earlier_than_its_time_whoever_goes_on_with_it(steps: Any, monkeypatch: pytest.MonkeyPatch):
    waits: list[tuple[str, float]] = []
    step = SimpleNamespace(publish=lambda job, kind, after: waits.append((job.id, after)))
    monkeypatch.setattr(next_step, "registered", lambda name: step)
    steps.opened("later", eta=steps.ledger.now() + 7_200)
    steps.opened("now")

    go_on("later", "now")
    assert overdue_after(steps, LOST_AFTER_S + 60) == ["job|now"]
    see_to(["job|later"])  # as one does whose worker died before it published the step

    assert waits == [("later", 7_200), ("now", 0), ("later", 7_140 - LOST_AFTER_S)]


def test_a_step_that_is_never_taken_is_published_once_more(steps: Any, published: list[Any]):
    steps.opened()
    go_on("job")
    assert overdue_after(steps, LOST_AFTER_S - 1) == []

    assert overdue_after(steps, 2) == ["job|job"]


def test_a_job_that_has_ended_is_read_and_a_settled_one_goes_no_further(steps: Any, published: list[Any]):
    steps.accepted()
    steps.ledger.end("job", "complete", {"failed": 1})
    steps.opened("gone")
    steps.ledger.withdraw("gone", {"status": "withdrawn"})

    go_on("job", "gone")

    assert published == [(READ, "job")]


def test_what_is_overdue_is_resumed_and_what_cannot_be_holds_up_nothing_else(steps: Any, published: list[Any]):
    steps.opened("job")

    see_to(["watch|default|no_such_kind", "nobody's|R1", "job|job", "job|unknown"])

    assert published == [(SPAWN, "job")]


def test_a_slot_that_has_become_free_is_given_to_who_waits_for_it(steps: Any, published: list[Any]):
    steps.opened("first", CATALOG)
    steps.ledger.job_cap_reached("first", 15)
    steps.wait(16)
    # The room that Klaviyo had not is forgotten by the server's own clock.
    steps.ledger._client.delete(f"klaviyo:jobs:cap:{group('default', CATALOG)}")

    see_to([f"slots|{group('default', CATALOG)}"])

    assert published == [(SPAWN, "first")]
