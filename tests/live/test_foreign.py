"""Another Celery application, on the stock transport, sends our tasks by name."""

from __future__ import annotations

import time

from tasks.profiles import create_profile
from tests.celery_connections import application
from tests.live.system import failures, until
from tests.live.whereabouts import whereabouts
from worker import errors


def test_a_foreign_call_is_paced_and_done(idle, foreign):
    ids = [
        foreign.send_task("klaviyo.create_profile", kwargs={"email": f"p{n}@example.com"}, queue="klaviyo.l").id
        for n in range(160)
    ]

    ends = idle.ended(ids)

    assert failures(ends) == {}
    assert idle.sandbox.state()["profile"] == 160
    assert idle.sandbox.statuses() == [201] * 160
    rows = idle.sandbox.ledger()
    assert rows[-1]["at"] - rows[0]["at"] > 2  # 75 a second


def test_a_foreign_call_to_the_wrong_queue_is_paced_too(idle, foreign):
    task_id = foreign.send_task("klaviyo.create_profile", kwargs={"email": "ada@example.com"}, queue="klaviyo.xs").id

    assert idle.end_of(task_id).status == "SUCCESS"


def test_a_route_for_all_our_tasks_to_the_queue_klaviyo_serves_actions_of_every_tier(idle, live_server):
    routes = {"klaviyo.*": {"queue": "klaviyo"}}
    options = {"broker_transport_options": live_server.broker_options, "task_routes": routes}
    with application("shop", live_server.broker_url, changes=options) as shop:
        calls = {"create_profile": {"email": "ada@example.com"}, "get_accounts": {}, "create_tag_group": {"name": "x"}}
        ids = [shop.send_task(f"klaviyo.{name}", kwargs=kwargs).id for name, kwargs in calls.items()]
        hour = shop.send_task("klaviyo.create_profile", kwargs={"email": "bo@example.com"}, countdown=3600).id

    assert failures(idle.ended(ids)) == {}
    until(lambda: whereabouts(idle.redis, [hour]).later, 5, "the call of an hour from now to wait in Redis")
    assert {line.partition(":")[2] for line in idle.redis.hkeys("klaviyo:lines")} == set(calls)


def test_a_foreign_call_finds_an_action_by_its_name_of_2024(idle, foreign):
    seed_names = {
        "data__type": "profile-bulk-import-job",
        "data__attributes__profiles__data": [{"type": "profile", "attributes": {"email": "ada@example.com"}}],
    }

    task_id = foreign.send_task("klaviyo.spawn_bulk_profile_import_job", kwargs=seed_names, queue="klaviyo.m").id

    assert idle.end_of(task_id).status == "SUCCESS"
    assert [row["operation"] for row in idle.sandbox.ledger()] == ["bulk_import_profiles"]


def test_a_foreign_countdown_waits_in_redis(idle, foreign):
    call = {"kwargs": {"email": "ada@example.com"}, "queue": "klaviyo.l"}
    before = time.time()
    hour = foreign.send_task("klaviyo.create_profile", countdown=3600, **call).id
    second = foreign.send_task("klaviyo.create_profile", countdown=1.5, **call).id

    until(lambda: whereabouts(idle.redis, [hour]).later, 5, "the task to wait in Redis")
    end = idle.end_of(second)

    assert end.status == "SUCCESS"
    assert idle.places_at_rest([hour]).later == {hour}
    (line,) = idle.redis.hkeys("klaviyo:lines")
    ((_, due),) = idle.redis.zrange(f"klaviyo:later:{line}", 0, -1, withscores=True)
    # A worker has counted what is left of the hour, and Redis that from when it was told.
    assert before * 1000 - 2 <= due - 3_600_000 <= time.time() * 1000


def test_a_bad_foreign_call_fails_with_an_input_error_that_tells_no_value(idle, foreign):
    mistakes = {"emial": "ada@example.com", "first_name": 7, "email": ["grace@example.com"]}
    task_id = foreign.send_task("klaviyo.create_profile", kwargs=mistakes, queue="klaviyo.l").id

    end = idle.end_of(task_id)

    assert end.error == "InputError"
    assert "emial" in str(errors.InputError(*end.arguments))
    log = idle.workers[0].text()
    assert task_id in log
    for value in ("ada@example", "grace@example"):
        assert value not in log
        assert value not in str(end)
    assert not idle.sandbox.ledger()
    until(lambda: not whereabouts(idle.redis, [task_id]).unacked, 5, "the acknowledgement")


def test_a_foreign_call_for_an_unknown_account_fails_with_what_to_do(idle, foreign):
    task_id = foreign.send_task(
        "klaviyo.create_profile",
        kwargs={"email": "ada@example.com"},
        queue="klaviyo.l",
        headers={"klaviyo_account": "nowhere"},
    ).id

    end = idle.end_of(task_id)

    assert end.error == "SettingsError"
    assert "KLAVIYO_ACCOUNTS__NOWHERE" in str(end.arguments)


def test_our_own_call_beside_them_is_unharmed(idle, foreign):
    theirs = foreign.send_task("klaviyo.create_profile", kwargs={"email": "a@example.com"}, queue="klaviyo.l").id
    ours = create_profile.delay(email="b@example.com").id

    assert failures(idle.ended([theirs, ours])) == {}
