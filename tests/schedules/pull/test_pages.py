"""Pull runs without workers: requests are recorded, and answered by the test."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from schedules.pull import pages as pull
from schedules.pull.pages import PageRef
from schedules.pull.streams import STREAMS
from schedules.pull.watermark import CLOCK_MARGIN
from schedules.store import runs
from schedules.store.connection import reading, transaction
from schedules.store.tables import sync_windows
from tests.schedules.pull.pulling import NOON, filter_of
from worker.account_and_lane import checked_id
from worker.errors import BadRequest, Forbidden, NotFound


def campaign(id, archived=False):
    return {"type": "campaign", "id": id, "attributes": {"name": id, "archived": archived}, "relationships": {}}


def test_archived_campaigns_are_requested_when_the_others_have_been_read(pulling):
    pulling.start_run("campaigns", "full")
    turns = []
    while pulling.asked:
        assert len(pulling.asked) == 1
        turns.append(pulling.asked[0][1].partition)
        pulling.answer()

    assert len(turns) == 6
    for channel in ("email", "sms", "mobile_push"):
        live, archived = (turns.index(f"channel={channel},archived={which}") for which in (False, True))
        assert live < archived
    assert pulling.last("campaigns")["state"] == "done"


def test_a_resumed_run_of_campaigns_continues_with_the_partition_whose_turn_it_is(pulling):
    pulling.start_run("campaigns", "full")
    pulling.answer()
    [lost] = pulling.asked

    pulling.start_run("campaigns", "full")

    assert [about for _, about in pulling.asked] == [lost[1], lost[1]]


@pytest.mark.parametrize("name", ["10OFF", "a b", "a\nb", "a|b", "$custom:::$default:::SAMPLE ITEM 1", "é" * 100])
def test_a_page_has_an_id_that_redis_can_keep_whatever_the_record_is_called(monkeypatch, name):
    asked = []
    monkeypatch.setattr(pull.page, "ask", lambda *_, task_id, **__: asked.append(task_id))

    about = pull.PageRef("R1", "run", "coupon_codes", "full", f"coupon={name}", 0, 1)
    pull.page._ask_page("default", STREAMS["coupon_codes"], {}, about)

    assert checked_id("sync", asked[0])


# What a run promises: each promise has a test that fails if it is broken on purpose.


def profile(id, updated=NOON, **attributes):
    return {"type": "profile", "id": id, "attributes": {"updated": updated.isoformat(), **attributes}}


def event(id, at):
    return {"type": "event", "id": id, "attributes": {"datetime": at.isoformat()}, "relationships": {}}


def mark(name, partition=""):
    with reading() as connection:
        return runs.get_watermark(connection, "default", name, partition)


def stored(name, *columns):
    table = STREAMS[name].table
    with reading() as connection:
        found = connection.execute(select(*(table.c[each] for each in columns)).order_by(table.c[columns[0]]))
        return [tuple(row) for row in found]


def cursor(name):
    return f"https://a.klaviyo.com/api/x?page[cursor]={name}"


def test_a_watermark_is_the_moment_at_which_the_run_began_however_long_it_took(pulling):
    pulling.start_run("profiles")
    began = pulling.now
    pulling.answer(profile("P1"), following=cursor("b"))
    pulling.now += timedelta(hours=3)

    pulling.answer(profile("P2"))

    assert mark("profiles") == began - CLOCK_MARGIN
    assert pulling.last("profiles")["ended"] == pulling.now


def test_a_run_reads_up_to_just_before_it_began_and_the_next_one_from_well_before_that(pulling):
    pulling.start_run("profiles")
    began = pulling.now
    pulling.answer(profile("P1"))
    assert pulling.asked == []
    pulling.start_run("profiles")

    since = began - CLOCK_MARGIN - timedelta(minutes=5, seconds=1)
    until = pulling.now - CLOCK_MARGIN
    assert filter_of(pulling) == f"and(greater-than(updated,{since:%FT%T}Z),less-than(updated,{until:%FT%T}Z))"


def test_a_run_that_began_later_than_the_watermark_leaves_it_where_it_was(pulling):
    pulling.start_run("profiles")
    began = pulling.now
    pulling.answer()

    pulling.start_run("profiles", since=NOON + timedelta(days=1))
    assert "greater-than(updated,2026-11-25T11:59:59Z)" in filter_of(pulling)
    pulling.answer()

    assert mark("profiles") == began - CLOCK_MARGIN


def test_a_partition_that_a_run_did_not_have_gets_no_watermark(pulling):
    pulling.start_run("campaigns")
    added = "channel=mobile_push,archived=True"
    with transaction() as connection:  # as a version began the run that did not know this one
        connection.execute(delete(sync_windows).where(sync_windows.c.partition == added))
    while pulling.asked:
        pulling.answer()

    assert pulling.last("campaigns")["state"] == "done"
    assert mark("campaigns", "channel=email,archived=True") is not None
    assert mark("campaigns", added) is None


def test_a_run_that_failed_moves_no_watermark_and_says_why(pulling):
    pulling.start_run("profiles")
    _, about = pulling.asked.pop()

    pulling.refuse(Forbidden("get_profiles", "default", 403, []), about, {})

    assert mark("profiles") is None
    run = pulling.last("profiles")
    assert (run["state"], "403" in run["report"]["error"]) == ("failed", True)
    assert [how[3] is not None for how in pulling.told] == [True]


def test_a_run_whose_page_is_given_up_has_failed_and_shows_nobodys_data(pulling):
    pulling.start_run("profiles")
    _, about = pulling.asked.pop()

    pull.page.give_up(LookupError("ada@example.com"), "default", about)

    run = pulling.last("profiles")
    assert (run["state"], run["report"]) == ("failed", {"error": "LookupError"})
    assert [how[3] for how in pulling.told] == ["LookupError"]


def test_no_further_page_of_a_run_that_has_failed_is_read(pulling, monkeypatch):
    monkeypatch.setattr(pull, "has_spare_budget", lambda *_: True)
    pulling.start_run("events")
    pulling.answer(*(event(f"E{n}", NOON - timedelta(days=30, seconds=-n)) for n in range(3)), following=cursor("b"))
    (_, failing), (_, other) = pulling.asked
    assert pull.page.needed(other)

    pulling.refuse(Forbidden("get_events", "default", 403, []), failing, {})

    assert not pull.page.needed(other)


def test_a_full_scan_has_no_upper_bound_and_marks_what_it_has_not_seen_as_deleted(pulling):
    pulling.start_run("profiles", "full")
    assert filter_of(pulling) == ""
    pulling.answer(profile("P1"), profile("P2"))
    pulling.start_run("profiles", "full")
    pulling.answer(profile("P2"))

    assert [(id, deleted is not None) for id, deleted in stored("profiles", "id", "deleted_at")] == [
        ("P1", True),
        ("P2", False),
    ]


def test_a_run_of_changes_deletes_nothing_and_counts_for_no_scan(pulling):
    pulling.start_run("profiles")
    pulling.answer(profile("P1"))
    pulling.start_run("profiles")
    pulling.answer(profile("P2"))

    assert stored("profiles", "id", "deleted_at", "seen") == [("P1", None, None), ("P2", None, None)]


def test_jobs_that_klaviyo_has_forgotten_stay_in_the_store(pulling):
    job = {"type": "catalog-item-bulk-create-job", "id": "K1", "attributes": {"status": "complete"}}
    pulling.start_run("jobs:catalog-item-bulk-create")
    pulling.answer(job)
    pulling.start_run("jobs:catalog-item-bulk-create")
    pulling.answer()

    assert stored("jobs:catalog-item-bulk-create", "id", "deleted_at") == [("K1", None)]


def test_a_stream_without_a_time_is_read_whole_whatever_is_requested(pulling):
    pulling.start_run("tags")
    pulling.answer({"type": "tag", "id": "T1", "attributes": {"name": "a"}})
    pulling.start_run("tags")
    pulling.answer()

    assert pulling.last("tags")["mode"] == "full"
    assert [deleted is not None for _, deleted in stored("tags", "id", "deleted_at")] == [True]


def test_a_page_is_requested_only_until_it_has_been_read(pulling):
    pulling.start_run("profiles")
    _, first = pulling.asked[0]
    assert pull.page.needed(first)
    pulling.answer(profile("P1"), following=cursor("b"))
    _, second = pulling.asked[0]
    pulling.answer(profile("P2"), following=cursor("c"))

    assert not pull.page.needed(first)
    assert pull.page.needed(second)
    while pulling.asked:
        pulling.answer()
    assert not pull.page.needed(second)


def test_a_page_that_comes_late_asks_for_nothing_more(pulling):
    pulling.start_run("profiles")
    late = pulling.asked[0]
    pulling.answer(profile("P1"), following=cursor("b"))
    pulling.answer(profile("P2"), following=cursor("c"))
    waiting = list(pulling.asked)

    pulling.asked.insert(0, late)
    pulling.answer(profile("P1"), following=cursor("b"))

    assert pulling.asked == waiting


class Died(BaseException):
    """A worker has died; nothing catches that."""


def die(*_):
    raise Died


def test_a_run_ends_even_if_the_worker_that_wrote_its_last_page_died_before_ending_it(pulling, monkeypatch):
    pulling.start_run("profiles")
    _, last = pulling.asked[0]
    with monkeypatch.context() as patch:
        patch.setattr(pull, "finish_if_complete", die)
        with pytest.raises(Died):
            pulling.answer(profile("P1"))

    assert not pull.page.needed(last)
    pull.page.answered_before("default", last)
    pull.page.answered_before("default", last)

    assert pulling.last("profiles")["state"] == "done"
    assert len(pulling.told) == 1


def test_a_page_that_comes_again_after_the_end_of_its_run_records_the_end_in_redis(pulling):
    pulling.start_run("profiles")
    _, first = pulling.asked[0]
    pulling.answer(profile("P1"), following=cursor("b"))
    pull.page.answered_before("default", first)
    assert pulling.resumed == []

    pulling.answer(profile("P2"))
    pull.page.answered_before("default", first)

    assert pulling.resumed == [("default", "R1", "profiles")]


def test_a_window_that_a_page_has_split_off_is_read_even_if_its_worker_died_before_starting_it(pulling, monkeypatch):
    monkeypatch.setattr(pull, "has_spare_budget", lambda *_: True)
    pulling.start_run("events")
    page = pulling.asked[0]
    first = [event(f"E{n}", NOON - timedelta(days=30, seconds=-n)) for n in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(pull.page, "_go_on", die)
        with pytest.raises(Died):
            pulling.answer(*first, following=cursor("b"))
    with reading() as connection:
        assert runs.count_open_windows(connection, page[1].run) == 2

    pulling.asked.append(page)
    pulling.answer(*first, following=cursor("b"))

    assert [(about.page, about.slice == page[1].slice) for _, about in pulling.asked] == [(1, False), (2, True)]
    with reading() as connection:
        assert runs.count_open_windows(connection, page[1].run) == 2


def test_a_window_ends_once_its_rows_have_reached_its_end(pulling):
    pulling.start_run("lists")
    beyond = pulling.now + timedelta(hours=1)
    row = {"type": "list", "id": "L1", "attributes": {"updated": beyond.isoformat()}}

    pulling.answer(row, following=cursor("b"))

    assert pulling.asked == []
    assert pulling.last("lists")["state"] == "done"


@pytest.mark.parametrize(("stream", "again"), [("profiles", NOON + timedelta(hours=1)), ("campaigns", None)])
def test_a_window_whose_cursor_has_expired_restarts_where_its_order_allows(pulling, stream, again):
    pulling.start_run(stream)
    field = "updated" if stream == "profiles" else "updated_at"
    row = {"type": "x", "id": "X1", "attributes": {field: (NOON + timedelta(hours=1)).isoformat()}}
    pulling.now += timedelta(hours=2)
    about = replace(pulling.asked[0][1], until=None)
    pulling.asked[0] = (pulling.asked[0][0], about)
    with transaction() as connection:
        connection.execute(update(sync_windows).values(until=None))
    pulling.answer(row, following=cursor("b"))
    params, about = pulling.asked.pop(0)

    pull.page.failed(BadRequest("x", "default", 400, []), {**params, "page_cursor": "b"}, "default", about)

    params, anew = pulling.asked[0]
    assert (anew.restarts, "page_cursor" in params) == (1, False)
    assert anew.since == (again.isoformat() if again else about.since)


def test_a_window_does_not_restart_for_ever(pulling):
    pulling.start_run("profiles")
    params, about = pulling.asked.pop()

    often = replace(about, restarts=pull.MAX_RESTARTS)
    pulling.refuse(BadRequest("get_profiles", "default", 400, []), often, {**params, "page_cursor": "b"})

    assert pulling.last("profiles")["state"] == "failed"


def members_of(pulling, *lists):
    """Read the members of these lists, one each."""
    pulling.start_run("lists", "full")
    pulling.answer(*({"type": "list", "id": id, "attributes": {"updated": NOON.isoformat()}} for id in lists))
    pulling.start_run("list_members", "full")
    for _ in lists:
        pulling.answer({"type": "profile", "id": "P1", "attributes": {}})


def test_the_members_of_a_missing_list_stay_until_it_is_known_to_be_gone(pulling):
    members_of(pulling, "L1", "L2")
    pulling.start_run("list_members", "full")
    params, about = pulling.asked.pop(0)
    pull.page.failed(NotFound("x", "default", 404, []), params, "default", about)
    pulling.answer()

    assert pulling.last("list_members")["state"] == "done"
    assert [(list, deleted is not None) for list, deleted in stored("list_members", "list_id", "deleted_at")] == [
        ("L1", False),
        ("L2", True),
    ]


def test_a_missing_stream_fails(pulling):
    pulling.start_run("profiles")
    params, about = pulling.asked.pop()

    pulling.refuse(NotFound("x", "default", 404, []), about, params)

    assert pulling.last("profiles")["state"] == "failed"


def test_the_same_page_has_the_same_id_so_that_it_is_requested_once(pulling, monkeypatch):
    ids = []
    monkeypatch.undo()
    monkeypatch.setattr(pull.page, "ask", lambda *_, task_id, **__: ids.append(task_id))
    about = PageRef("R1", 7, "profiles", "full", "", 0)

    for each in (about, about, replace(about, page=2), replace(about, restarts=1)):
        pull.page._ask_page("default", STREAMS["profiles"], {}, each)

    assert ids == ["sync-7-all-0-1", "sync-7-all-0-1", "sync-7-all-0-2", "sync-7-all-0-1.1"]


def test_a_run_has_a_reminder_from_its_start_and_after_each_page(pulling, monkeypatch):
    reminded = []
    monkeypatch.setattr(pull, "renew_reminder", lambda *which: reminded.append(which))

    pulling.start_run("profiles")
    assert reminded == [("default", "R1", "profiles")]
    pulling.answer(profile("P1"), following=cursor("b"))
    assert len(reminded) == 2
