"""What a sync begins and when, and how it ends."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from schedules import sync
from schedules.pull import requests
from schedules.pull.requests import Request, load, note, save
from worker import writes

RUN = "messaging.default@2026-11-24T01:37:00Z"


@pytest.fixture
def begun(client, monkeypatch):
    """The streams that were begun, in order, and how the run has ended."""
    for module in (requests, writes):
        monkeypatch.setattr(module, "get_redis", lambda: client)
    made = SimpleNamespace(streams=[], ended=[])
    monkeypatch.setattr(sync.pull, "remind", lambda *_: None)
    monkeypatch.setattr(sync.pull, "begin", lambda account, id, name, mode, since: made.streams.append((name, mode)))
    monkeypatch.setattr(sync.reports, "begin", lambda account, id, name: made.streams.append((name, "report")))
    monkeypatch.setattr(sync.guard, "end", lambda *how: made.ended.append(how))
    return made


def ask(*streams, mode="changes"):
    save(Request(RUN, "default", mode, None, 1_764_000_000.0, dict.fromkeys(streams, "wanted")))


def test_a_stream_waits_for_the_one_that_it_hangs_on(begun):
    ask("lists", "list_members", "campaign_values")

    sync.go_on(RUN)
    assert begun.streams == [("lists", "incremental"), ("campaign_values", "report")]

    note(RUN, "lists", "done")
    sync.go_on(RUN)
    assert begun.streams[2:] == [("list_members", "incremental")]


def test_a_full_sync_reads_everything(begun):
    ask("lists", mode="full")

    sync.go_on(RUN)

    assert begun.streams == [("lists", "full")]


def test_a_stream_is_read_though_the_one_that_it_hangs_on_has_failed(begun):
    ask("lists", "list_members")
    sync.go_on(RUN)

    note(RUN, "lists", "get_lists on account default: no answer.")
    sync.go_on(RUN)

    assert begun.streams[-1] == ("list_members", "incremental")
    assert begun.ended == []


@pytest.mark.parametrize(
    ("state", "ended"), [("done", (RUN, True, "")), ("no answer.", (RUN, False, "lists: no answer."))]
)
def test_a_run_ends_when_all_of_its_streams_have_and_says_which_failed(begun, state, ended):
    ask("lists", "tags")
    sync.go_on(RUN)
    note(RUN, "lists", state)
    sync.go_on(RUN)
    assert begun.ended == []

    note(RUN, "tags", "done")
    sync.go_on(RUN)

    assert begun.ended == [ended]
    assert load(RUN).over
