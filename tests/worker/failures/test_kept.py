"""Tasks that have failed for good: kept in the step that ends them, and repeated once each."""

from __future__ import annotations

import json
import secrets
from types import SimpleNamespace

import pytest
import redis
from celery.app.task import Context

from tasks.events import create_event
from tasks.lists import create_list
from tasks.profiles import create_profile
from tests.failing import ADA, LOST, fail, refused, waiting
from worker.app import app
from worker.carrying_out import make_call
from worker.errors import Forbidden, InputError, Unavailable
from worker.failures import kept
from worker.failures.groups import group_of
from worker.failures.replay import OutcomeMatters, repeated, repeated_id, replay
from worker.governor import Delivery, get_governor
from worker.message_headers import DELIVERY, HEADER
from worker.one_per_process import forget
from worker.process.left_behind import LeftBehind
from worker.process.state import acknowledged_by_redis, closing, left_behind, working
from worker.redis.connection import get_redis
from worker.results import Backend
from worker.transport import UNACKED, UNACKED_INDEX

AWAY = Unavailable("create_profile", "default", "Klaviyo answered 503: try again", True, 10)


@pytest.fixture
def server(settings, real_redis):
    """A real server, and two accounts. No worker runs: what is published waits."""
    settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
    forget()
    acknowledged_by_redis.clear()
    return real_redis


def stored_state(task_id):
    """The state that the server holds, whichever server the application's result backend has connected to before."""
    stored = get_redis().get(f"celery-task-meta-{task_id}")
    return json.loads(stored)["status"] if stored else None


def groups():
    return {each.group.action: each for each in kept.failure_groups()}


# What is alike.


def test_failures_of_one_action_for_one_reason_are_alike_whatever_each_was_about():
    one = group_of("create_profile", refused(detail="'ada@' is not an email address"))
    other = group_of("create_profile", refused(detail="'grace@' is not an email address"))

    assert one == other
    assert one.reason == "Klaviyo answered 400: Invalid input [/data/attributes/email]"
    assert len({one.id, group_of("update_profile", refused()).id, group_of("create_profile", AWAY).id}) == 3


def test_a_place_in_a_list_or_a_number_of_bytes_makes_no_other_group():
    assert group_of("a", refused("/data/3/id")).id == group_of("a", refused("/data/14/id")).id
    sizes = [InputError("a", [f"the request is {size} bytes"]) for size in ("5,000,001", "6,123,456")]
    assert len({group_of("a", each).id for each in sizes}) == 1


def test_a_group_tells_nothing_of_a_person_nor_of_what_a_program_stumbled_over():
    assert "example" not in str(group_of("a", refused("/data/ada@example.com")))
    assert "Ada" not in str(group_of("a", KeyError("Ada Lovelace")))
    assert "KeyError" in group_of("a", KeyError("Ada Lovelace")).reason


# What is kept.


def test_a_failure_is_kept_and_its_delivery_acknowledged_in_the_step_that_stores_its_result(server):
    task_id = fail(create_profile, ADA, refused(), account="eu", lane="bulk")

    [count] = kept.failure_groups()
    [failure] = kept.failures_of(count.group.id)
    assert (count.group.action, count.failures, count.first) == ("create_profile", 1, failure.at)
    assert (failure.id, failure.account, failure.lane) == (task_id, "eu", "bulk")
    assert failure.opened["kwargs"] == ADA
    assert stored_state(task_id) == "FAILURE"
    assert server.hlen(UNACKED) == 0
    assert acknowledged_by_redis == {f"tag of {task_id}"}


def test_a_delivery_that_somebody_has_to_be_told_of_stays_on_record_until_they_are(server):
    fail(create_profile, ADA, refused(), errbacks=[create_list.si(name="Failed")])

    assert server.hlen(UNACKED) == 1
    assert not acknowledged_by_redis
    assert len(kept.failure_groups()) == 1


def test_a_failure_is_kept_though_nobody_wants_its_result(server):
    task_id = create_profile.delay(**ADA).id
    server.hset(UNACKED, "tag", "as it was taken")
    request = Context(id=task_id, task=create_profile.name, kwargs=ADA, args=[], delivery_info={})
    setattr(request, DELIVERY, (UNACKED, UNACKED_INDEX, "tag"))

    app.backend.mark_as_failure(task_id, refused(), request=request, store_result=False)

    assert len(kept.failure_groups()) == 1
    assert stored_state(task_id) is None


def test_what_was_said_before_the_connection_broke_is_not_kept_again(server):
    fail(create_profile, ADA, refused(), task_id="one")
    [count] = kept.failure_groups()
    assert replay(count.group).tasks == 1
    request = Context(id="one", task=create_profile.name, kwargs=ADA, args=[], delivery_info={})
    setattr(request, DELIVERY, (UNACKED, UNACKED_INDEX, "tag of one"))

    app.backend.mark_as_failure("one", refused(), request=request)

    assert kept.failure_groups() == []


def test_a_task_that_goes_on_after_its_worker_died_is_no_failure(server):
    fail(create_profile, ADA, refused(), errbacks=[create_list.si(name="Failed")], task_id="one")
    line = create_profile.declaration.line("default", ADA)
    delivery = Delivery(UNACKED, UNACKED_INDEX, "tag of one")
    assert get_governor().restore(delivery, line.queue, (line.name, line.spec), "now", "one", "message")

    assert kept.failure_groups() == []


def test_steps_of_jobs_are_not_kept_here(server):
    request = Context(id="one", task="klaviyo.job_watch", kwargs={}, args=[], delivery_info={})
    setattr(request, DELIVERY, (UNACKED, UNACKED_INDEX, "tag"))

    app.backend.mark_as_failure("one", refused(), request=request)

    assert kept.failure_groups() == []


def test_a_failure_that_cannot_be_kept_is_a_failure_all_the_same(server, monkeypatch):
    monkeypatch.setattr("worker.results.failed_call", lambda *_: 1 / 0)

    assert stored_state(fail(create_profile, ADA, refused())) == "FAILURE"


@pytest.mark.parametrize("most", [3, 0])
def test_no_more_are_kept_than_is_set_and_the_oldest_goes_first(server, settings, most):
    settings.setenv("KLAVIYO_FAILURES_KEPT", str(most))
    forget()
    ids = [fail(create_profile, ADA, refused(), task_id=f"task-{n}") for n in range(5)]

    found = [each.id for count in kept.failure_groups() for each in kept.failures_of(count.group.id)]

    assert found == ids[5 - most :]


def test_failures_take_no_more_bytes_than_they_may(server, monkeypatch):
    monkeypatch.setattr(kept, "MAX_BYTES", 3_000)
    for n in range(8):
        fail(create_profile, {**ADA, "properties": {"note": "x" * 800}}, refused(), task_id=f"task-{n}")

    assert 1 <= server.hlen("klaviyo:failures") <= 3
    assert int(server.get("klaviyo:failure_bytes")) == sum(map(len, server.hvals("klaviyo:failures"))) <= 3_000


def test_what_is_too_old_goes_though_nothing_fails_any_more(server, settings):
    fail(create_profile, ADA, refused())
    settings.setenv("KLAVIYO_FAILURES_DAYS", "0.000000001")
    forget()

    kept.prune()

    assert kept.failure_groups() == []
    assert [key for key in server.keys("klaviyo:fail*") if key != b"klaviyo:failure_bytes"] == []


# What is encrypted.


def test_with_a_key_nothing_of_a_call_can_be_read_in_redis_and_with_a_newer_one_it_still_can_here(server, settings):
    old, new = (secrets.token_urlsafe(32) for _ in range(2))
    settings.setenv("KLAVIYO_SECRET_KEY", old)
    forget()
    fail(create_profile, ADA, refused())

    assert b"ada@example" not in b"".join(server.hvals("klaviyo:failures"))
    settings.setenv("KLAVIYO_SECRET_KEY", f"{new}, {old}")
    forget()
    [count] = kept.failure_groups()
    assert [each.opened["kwargs"] for each in kept.failures_of(count.group.id)] == [ADA]


def test_what_was_encrypted_with_a_key_that_is_gone_stays_and_says_so(server, settings):
    settings.setenv("KLAVIYO_SECRET_KEY", secrets.token_urlsafe(32))
    forget()
    fail(create_profile, ADA, refused())
    settings.delenv("KLAVIYO_SECRET_KEY")
    forget()
    [count] = kept.failure_groups()

    done = replay(count.group)

    assert (done.tasks, list(done.impossible.values())) == (0, [1])
    assert "KLAVIYO_SECRET_KEY" in next(iter(done.impossible))
    assert groups()["create_profile"].failures == 1


# What is repeated.


def test_a_replay_keeps_the_account_the_lane_and_the_parameters(server):
    task_id = fail(create_profile, ADA, refused(), account="eu", lane="bulk")

    done = replay(groups()["create_profile"].group)

    headers, (args, kwargs, _) = waiting(repeated_id(task_id))
    assert done.tasks == 1
    assert (headers[HEADER]["line"], headers[HEADER]["lane"], headers[HEADER]["account"]) == (
        "eu:create_profile", "bulk", "eu",
    )  # fmt: skip
    assert (args, kwargs) == ([], ADA)
    assert ADA["email"] not in str(headers)


def test_each_failure_is_replayed_once_by_however_many_and_what_was_replayed_is_gone(server):
    ids = [fail(create_profile, ADA, refused(), task_id=f"task-{n}") for n in range(3)]
    group = groups()["create_profile"].group

    assert [replay(group).tasks, replay(group).tasks] == [3, 0]

    assert {id.decode() for id in server.hkeys("klaviyo:waiting")} == {repeated_id(id) for id in ids}
    assert kept.failure_groups() == []


def test_a_failure_is_replayed_by_one_of_two_that_have_read_it(server):
    fail(create_profile, ADA, refused(), task_id="one")
    [failure] = kept.failures_of(groups()["create_profile"].group.id)
    call = repeated(failure)
    again = (call.failed_id, call.line, call.lane, call.task_id, call.message)

    assert [get_governor().replay(*again), get_governor().withdraw(call.task_id, "elsewhere", "{}", 1)] == [True, True]
    assert not get_governor().replay(*again)

    assert server.hlen("klaviyo:waiting") == 0


def test_a_replay_that_was_interrupted_goes_on_with_those_that_are_left(server, monkeypatch):
    for n in range(3):
        fail(create_profile, ADA, refused(), task_id=f"task-{n}")
    group, governor = groups()["create_profile"].group, get_governor()
    replayed = governor.replay

    def killed(failed_id, *how):
        if failed_id == "task-1":
            raise KeyboardInterrupt
        return replayed(failed_id, *how)

    with monkeypatch.context() as patch:
        patch.setattr("worker.failures.replay.get_governor", lambda: SimpleNamespace(replay=killed))
        with pytest.raises(KeyboardInterrupt):
            replay(group)

    assert groups()["create_profile"].failures == 2
    assert replay(group).tasks == 2
    assert server.hlen("klaviyo:waiting") == 3


def test_a_rehearsal_repeats_nothing(server):
    fail(create_profile, ADA, refused())

    assert replay(groups()["create_profile"].group, rehearse=True).tasks == 1

    assert server.hlen("klaviyo:waiting") == 0
    assert groups()["create_profile"].failures == 1


def test_what_may_have_been_carried_out_is_not_repeated_unless_somebody_has_looked(server):
    fail(create_list, {"name": "News"}, LOST)
    group = groups()["create_list"].group

    with pytest.raises(OutcomeMatters, match="Look at the lists of this name first"):
        replay(group)
    assert server.hlen("klaviyo:waiting") == 0

    assert replay(group, yes_again=True).tasks == 1


def test_klaviyo_knows_a_repeated_event_by_the_id_of_the_first(server):
    event = {"metric": "Placed Order", "profile": ADA}
    task_id = fail(create_event, event, AWAY)
    [failure] = kept.failures_of(groups()["create_event"].group.id)

    replay(groups()["create_event"].group)

    _, (_, kwargs, _) = waiting(repeated_id(task_id))
    assert kwargs["unique_id"] == failure.opened["kwargs"]["unique_id"]


def test_klaviyo_knows_a_repeated_event_of_a_stock_client_by_the_id_of_the_first_task(server):
    event = {"metric": "Placed Order", "profile": ADA}
    request = Context(id="sent", task=create_event.name, kwargs=event, args=[], delivery_info={})
    setattr(request, DELIVERY, (UNACKED, UNACKED_INDEX, "tag"))
    server.hset(UNACKED, "tag", "as it was taken")
    first = make_call(create_event.declaration, request, [], event)
    app.backend.mark_as_failure("sent", AWAY, request=request)

    replay(groups()["create_event"].group)

    _, (_, kwargs, _) = waiting(repeated_id("sent"))
    assert kwargs["unique_id"] == first.params["unique_id"]


def test_callbacks_errbacks_and_the_rest_of_a_chain_follow_a_replay_too(server):
    then, rest, failed = ([create_list.si(name=name)] for name in ("Then", "Rest", "Failed"))
    task_id = fail(create_profile, ADA, refused(), callbacks=then, chain=rest, errbacks=failed)

    replay(groups()["create_profile"].group)

    _, (_, _, followers) = waiting(repeated_id(task_id))
    assert [each["kwargs"]["name"] for each in followers["callbacks"]] == ["Then"]
    assert [each["kwargs"]["name"] for each in followers["chain"]] == ["Rest"]
    assert [each["kwargs"]["name"] for each in followers["errbacks"]] == ["Failed"]
    assert followers["chord"] is None


def test_a_task_of_an_account_that_is_gone_stays_and_says_so(server, settings):
    fail(create_profile, ADA, Forbidden("create_profile", "eu", 403, []), account="eu")
    fail(create_profile, ADA, Forbidden("create_profile", "default", 403, []))
    settings.delenv("KLAVIYO_ACCOUNTS__EU__API_KEY")
    forget()

    done = replay(groups()["create_profile"].group)

    assert (done.tasks, sum(done.impossible.values())) == (1, 1)
    assert groups()["create_profile"].failures == 1


def test_a_group_that_was_dropped_is_gone(server):
    for n in range(3):
        fail(create_profile, ADA, refused(), task_id=f"task-{n}")

    assert kept.drop(groups()["create_profile"].group.id) == 3

    assert kept.failure_groups() == []
    assert not server.exists("klaviyo:failures", "klaviyo:failed", "klaviyo:failure_groups")


def test_a_full_redis_keeps_a_failure_and_takes_its_replay(server):
    task_id = create_profile.delay(**ADA).id
    request = Context(id=task_id, task=create_profile.name, kwargs=ADA, args=[], delivery_info={})
    get_governor().withdraw(task_id, "elsewhere", "{}", 1)
    server.hset(UNACKED, "tag", "as it was taken")
    setattr(request, DELIVERY, (UNACKED, UNACKED_INDEX, "tag"))
    server.config_set("maxmemory", 1)
    try:
        app.backend.mark_as_failure(task_id, refused(), request=request)
        assert replay(groups()["create_profile"].group).tasks == 1
    finally:
        server.config_set("maxmemory", 0)

    assert server.hlen("klaviyo:waiting") == 1


def test_a_worker_that_stops_while_redis_is_away_leaves_its_failed_task_to_the_next(server, monkeypatch):
    def away(*_):
        raise redis.ConnectionError("away")

    request = Context(id="one", task=create_profile.name, kwargs=ADA, args=[], delivery_info={})
    setattr(request, DELIVERY, (UNACKED, UNACKED_INDEX, "tag"))
    monkeypatch.setattr(get_governor(), "fail", away)
    monkeypatch.setattr(Backend, "_get_task_meta_for", lambda *_: {"status": "PENDING"})
    working.set()
    closing.set()
    try:
        with pytest.raises(LeftBehind):
            app.backend.mark_as_failure("one", refused(), request=request)
        assert left_behind == {"tag"}
    finally:
        working.clear()
        closing.clear()
        left_behind.clear()
