"""Which streams a sync starts, when, and how it ends."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from schedules import sync, sync_requests
from schedules.sync_requests import SyncRequest, load, save, set_state
from worker.redis import atomic_writes

RUN = "messaging.default@2026-11-24T01:37:00Z"


@pytest.fixture
def begun(client, monkeypatch):
    """The streams that were started, in order, and how the run has ended."""
    for module in (sync_requests, atomic_writes):
        monkeypatch.setattr(module, "get_redis", lambda: client)
    made = SimpleNamespace(streams=[], ended=[])
    monkeypatch.setattr(sync.pull, "renew_reminder", lambda *_: None)
    monkeypatch.setattr(
        sync.pull, "start_run", lambda account, id, name, mode, since: made.streams.append((name, mode))
    )
    monkeypatch.setattr(sync.reports, "start_run", lambda account, id, name: made.streams.append((name, "report")))
    monkeypatch.setattr(sync.entry_runs, "end_run", lambda *how: made.ended.append(how))
    return made


def ask(*streams, mode="changes"):
    save(SyncRequest(RUN, "default", mode, None, 1_764_000_000.0, dict.fromkeys(streams, "wanted")))


def test_a_stream_waits_for_its_parent(begun):
    ask("lists", "list_members", "campaign_values")

    sync.start_ready_streams(RUN)
    assert begun.streams == [("lists", "incremental"), ("campaign_values", "report")]

    set_state(RUN, "lists", "done")
    sync.start_ready_streams(RUN)
    assert begun.streams[2:] == [("list_members", "incremental")]


def test_a_full_sync_reads_everything(begun):
    ask("lists", mode="full")

    sync.start_ready_streams(RUN)

    assert begun.streams == [("lists", "full")]


def test_a_since_without_a_time_zone_is_utc(begun, monkeypatch):
    given = []
    monkeypatch.setattr(sync.pull, "start_run", lambda *how: given.append(how[-1]))
    save(SyncRequest(RUN, "default", "changes", "2024-01-01", 1_764_000_000.0, {"lists": "wanted"}))

    sync.start_ready_streams(RUN)

    assert given == [datetime(2024, 1, 1, tzinfo=UTC)]


def test_a_stream_is_read_even_if_its_parent_has_failed(begun):
    ask("lists", "list_members")
    sync.start_ready_streams(RUN)

    set_state(RUN, "lists", "get_lists on account default: no answer.")
    sync.start_ready_streams(RUN)

    assert begun.streams[-1] == ("list_members", "incremental")
    assert begun.ended == []


@pytest.mark.parametrize(
    ("state", "ended"), [("done", (RUN, True, "")), ("no answer.", (RUN, False, "lists: no answer."))]
)
def test_a_run_ends_when_all_of_its_streams_have_and_says_which_failed(begun, state, ended):
    ask("lists", "tags")
    sync.start_ready_streams(RUN)
    set_state(RUN, "lists", state)
    sync.start_ready_streams(RUN)
    assert begun.ended == []

    set_state(RUN, "tags", "done")
    sync.start_ready_streams(RUN)

    assert begun.ended == [ended]
    assert load(RUN).is_over


@pytest.mark.parametrize("stream", ["lists", "campaign_values"])
def test_a_sync_goes_on_even_if_the_worker_that_ended_a_stream_died_before_passing_that_on(begun, monkeypatch, stream):
    ask(stream)
    set_state(RUN, stream, "done")
    published, reminded = [], []
    monkeypatch.setattr(sync_requests.app, "send_task", lambda *task: published.append(task))
    monkeypatch.setattr(sync.pull.reminders, "remind", lambda *what: reminded.append(what))

    sync.Resume().run(f"default|{RUN}|{stream}")

    assert published == [(sync_requests.START_STREAMS, (RUN,))]
    assert reminded == [(f"sync|default|{RUN}|{stream}", None)]
