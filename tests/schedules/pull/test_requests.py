"""Which run answers a request, and what becomes of a request that an older run is in the way of."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedules.pull import pages as pull
from schedules.sync_requests import SyncRequest
from tests.schedules.pull.pulling import NOON, filter_of
from worker.errors import Forbidden


def test_a_full_scan_that_is_requested_during_a_run_of_changes_waits_its_turn(pulling):
    pulling.start_run("profiles")
    waiting = list(pulling.asked)

    pulling.start_run("profiles", "full")

    assert pulling.asked == waiting


LONG_AGO = NOON - timedelta(days=700)


@pytest.fixture
def during_a_run(pulling):
    """While a run of what has changed since the last one is being read for the request R1."""
    pulling.start_run("profiles")
    pulling.answer()
    pulling.told.clear()
    pulling.request("R1")
    return pulling


@pytest.mark.parametrize("since", [LONG_AGO, NOON - timedelta(hours=1)])
def test_a_run_that_begins_later_than_a_request_wants_is_not_taken_for_its_answer(during_a_run, since):
    waiting, run = list(during_a_run.asked), during_a_run.last("profiles")["id"]

    during_a_run.request("R2", since=since)
    assert during_a_run.asked == waiting
    during_a_run.answer()
    assert [how[1] for how in during_a_run.told] == ["R1"]
    pull.resume("default|R2|profiles")

    assert during_a_run.last("profiles")["id"] != run
    assert f"greater-than(updated,{since - timedelta(seconds=1):%FT%T}Z)" in filter_of(during_a_run)
    during_a_run.answer()
    assert [how[1] for how in during_a_run.told] == ["R1", "R2"]


def test_a_run_that_begins_early_enough_answers_a_request_with_since(during_a_run):
    during_a_run.request("R2", since=NOON + timedelta(minutes=2))

    assert [about.request for _, about in during_a_run.asked] == ["R1", "R2"]


def test_a_run_from_a_later_time_on_is_not_taken_for_all_that_has_changed(pulling):
    pulling.request("R1", since=NOON)
    waiting = list(pulling.asked)

    pulling.request("R2")

    assert pulling.asked == waiting


@pytest.mark.parametrize(("mode", "since"), [("changes", LONG_AGO), ("full", None)])
def test_a_run_whose_own_request_is_gone_is_finished_by_the_one_that_waits_for_it(during_a_run, mode, since):
    run = during_a_run.last("profiles")["id"]
    during_a_run.asked.clear()
    del during_a_run.requests["R1"]
    during_a_run.request("R2", mode, since)
    assert during_a_run.asked == []

    pull.resume("default|R2|profiles")
    assert [(about.request, about.run, about.mode) for _, about in during_a_run.asked] == [("R2", run, "incremental")]
    during_a_run.answer()

    assert during_a_run.told == []
    assert during_a_run.resumed == [("default", "R2", "profiles")]
    pull.resume("default|R2|profiles")
    [(_, about)] = during_a_run.asked
    assert about.run != run
    during_a_run.answer()
    assert during_a_run.told == [("default", "R2", "profiles", None)]


def test_a_request_begins_its_own_run_even_if_the_one_it_waited_for_has_failed(during_a_run):
    during_a_run.asked.clear()
    during_a_run.request("R2", since=LONG_AGO)
    pull.resume("default|R2|profiles")
    _, about = during_a_run.asked.pop()

    during_a_run.refuse(Forbidden("get_profiles", "default", 403, []), about, {})

    assert (during_a_run.told, during_a_run.resumed) == ([], [("default", "R2", "profiles")])


@pytest.mark.parametrize(("mode", "since"), [("changes", LONG_AGO), ("full", None)])
def test_a_later_run_of_changes_that_ended_does_not_answer_a_request_for_more(during_a_run, mode, since):
    during_a_run.request("R2", mode, since)
    during_a_run.answer()
    during_a_run.request("R3")
    during_a_run.answer()

    pull.resume("default|R2|profiles")

    assert [how[1] for how in during_a_run.told] == ["R1", "R3"]
    assert [about.request for _, about in during_a_run.asked] == ["R2"]


@pytest.mark.parametrize(("asked", "over"), [(timedelta(minutes=-1), True), (timedelta(minutes=1), False)])
def test_a_run_that_ended_answers_only_what_was_requested_before_it_began(pulling, asked, over):
    pulling.start_run("profiles")
    began = pulling.now
    pulling.answer()
    pulling.told.clear()
    pulling.requests["R2"] = SyncRequest(
        "R2", "default", "changes", None, (began + asked).timestamp(), {"profiles": "running"}
    )

    pull.resume("default|R2|profiles")

    assert bool(pulling.told) == over
    assert bool(pulling.asked) != over
