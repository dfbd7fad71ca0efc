"""One run of an entry at a time, and each due time once; on a real server."""

from datetime import UTC, datetime, timedelta

import pytest

from schedules.entry_runs import begin_run, due_of, end_run, load_records, plan_entry, renew_run, run_id

ENTRY = "catalog.default"
KEY = f"klaviyo:schedule:{ENTRY}"
FIRST = datetime(2026, 11, 24, 3, 17, tzinfo=UTC)
RUN, NEXT = run_id(ENTRY, FIRST), run_id(ENTRY, FIRST + timedelta(days=1))


@pytest.fixture(autouse=True)
def server(client, monkeypatch):
    monkeypatch.setattr("schedules.entry_runs.get_redis", lambda: client)
    return client


def record():
    return load_records([ENTRY])[0]


def time_runs_out(server):
    server.hset(KEY, "until", 0)


def test_a_runs_identity_is_its_entry_and_its_due_time():
    assert RUN == "catalog.default@2026-11-24T03:17:00Z"
    assert run_id(ENTRY, FIRST.astimezone()) == RUN
    assert due_of(RUN) == FIRST


def test_a_run_that_was_published_twice_starts_once():
    assert begin_run(RUN, "one", 60)
    assert not begin_run(RUN, "another", 60)

    end_run(RUN, True, "")

    assert not begin_run(RUN, "another", 60)


def test_a_message_that_comes_back_because_its_worker_died_continues_the_run():
    assert begin_run(RUN, "one", 60)
    assert begin_run(RUN, "one", 60)


def test_a_message_that_comes_back_when_its_run_has_ended_is_dropped():
    begin_run(RUN, "one", 60)
    end_run(RUN, True, "")

    assert not begin_run(RUN, "one", 60)


def test_an_entry_whose_run_is_still_running_is_not_started_again():
    begin_run(RUN, "one", 60)

    assert not begin_run(NEXT, "two", 60)

    assert record().run == RUN
    assert record().skipped == NEXT


def test_a_run_that_is_renewed_keeps_its_lock(server):
    begin_run(RUN, "one", 60)
    time_runs_out(server)

    assert renew_run(RUN, 60)

    assert not begin_run(NEXT, "two", 60)


def test_a_run_that_is_no_longer_heard_from_makes_way_and_has_to_stop(server):
    begin_run(RUN, "one", 60)
    time_runs_out(server)

    assert begin_run(NEXT, "two", 60)

    assert not renew_run(RUN, 60)
    assert not end_run(RUN, True, "late")
    assert record().state == "running"
    assert record().run == NEXT


def test_an_older_run_never_follows_a_newer_one():
    begin_run(NEXT, "two", 60)
    end_run(NEXT, True, "")

    assert not begin_run(RUN, "one", 60)


def test_a_success_is_kept_when_the_next_run_fails():
    begin_run(RUN, "one", 60)
    end_run(RUN, True, "12 rows")
    good = record()
    begin_run(NEXT, "two", 60)
    end_run(NEXT, False, "Klaviyo could not answer.")

    bad = record()

    assert (good.state, good.message) == ("ok", "12 rows")
    assert (bad.state, bad.message) == ("failed", "Klaviyo could not answer.")
    assert bad.succeeded == good.succeeded == good.ended
    assert good.started <= good.ended <= bad.started <= bad.ended


def test_an_ended_run_can_be_neither_renewed_nor_ended_again():
    begin_run(RUN, "one", 60)
    end_run(RUN, True, "")

    assert not renew_run(RUN, 60)
    assert not end_run(RUN, False, "no")
    assert record().state == "ok"


def test_scheduling_an_entry_again_keeps_the_record_of_its_runs():
    begin_run(RUN, "one", 60)
    plan_entry(ENTRY, "7 1 * * * UTC")

    found = record()

    assert (found.when, found.run, found.state) == ("7 1 * * * UTC", RUN, "running")
    assert found.since is not None


def test_an_entry_that_never_ran_has_an_empty_record():
    assert record().state == ""
    assert record().started is None


def test_a_run_starts_and_ends_even_if_redis_is_full(server):
    server.config_set("maxmemory", 1)
    try:
        assert begin_run(RUN, "one", 60)
        assert renew_run(RUN, 60)
        assert end_run(RUN, True, "")
    finally:
        server.config_set("maxmemory", 0)

    assert record().state == "ok"
