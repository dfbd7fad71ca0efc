"""What the governor does with tasks that nobody wants any more, and with what somebody has paused."""

import json

import pytest
import redis

from tests.worker.governing import LEASE_MS, line, nobody_works, publish, released
from worker.errors import AlreadyRevoked, Paused
from worker.governor import ANY_KEY, Claim, Delivery, Expiry, Settlement
from worker.tiers import Bucket, Limits, Line

RESULT = "celery-task-meta-one"


def wait(governor, name, each=None, **how):
    each = each or line()
    governor.wait((each.name, each.spec), how.pop("lane", "now"), name, f"message of {name}", **how)


def waits(governor):
    return sorted(raw.decode().removeprefix("message of ") for raw in governor.waiting())


@pytest.mark.parametrize("seconds", [1, 130])
def test_who_publishes_a_revoked_id_anew_is_told_why_not(client, governor, clock, seconds):
    wait(governor, "one", delay=600)
    governor.revoke("one", "dropped by an operator")
    governor.withdraw("one", RESULT, "told", 60)
    clock.wait(seconds)
    client.delete("klaviyo:once:one") if seconds > 120 else None  # it goes by the server's own clock

    with pytest.raises(AlreadyRevoked, match=r"one has ended as REVOKED \(dropped by an operator\)"):
        wait(governor, "one")
    with pytest.raises(AlreadyRevoked):
        governor.put("klaviyo", "klaviyo", "one", "message of one", urgent=False)

    assert waits(governor) == []
    assert client.llen("klaviyo") == 0


def test_a_worker_publishes_what_follows_though_it_is_revoked_and_it_ends_so(client, governor):
    governor.revoke("one", "revoked")

    wait(governor, "one", urgent=True)

    assert released(client) == ["one"]
    assert governor.claim("one", LEASE_MS, False, "delivery").state == "revoked"


def test_a_revocation_lasts_as_long_as_a_chain_may_wait_and_a_day_for_what_is_gone(client, governor):
    wait(governor, "waits", delay=600)
    for name in ("waits", "last of a chain"):
        governor.revoke(name, "revoked")
        governor.withdraw(name, RESULT, "told", 60)

    days = [round(client.ttl(f"klaviyo:revoked:{name}") / 86_400) for name in ("waits", "last of a chain")]
    assert days == [1, 30]


def test_a_revocation_that_every_worker_repeats_is_remembered_for_a_day_where_the_task_is_gone(client, governor):
    wait(governor, "waits", delay=600)
    governor.revoke("waits", "revoked")
    governor.withdraw("waits", RESULT, "told", 60)

    for _ in range(3):
        governor.revoke("waits", "heard by a worker")

    assert client.ttl("klaviyo:revoked:waits") <= 86_400
    assert governor.revoked("waits") == "revoked"


@pytest.mark.parametrize("how", [{"delay": 60}, {"delay": 60, "lane": "bulk"}])
def test_a_task_that_waits_is_found_by_its_id_and_taken_out(client, governor, how):
    wait(governor, "one", **how)
    wait(governor, "two", **how)

    assert governor.revoke("one", "revoked") == "message of one"
    assert governor.withdraw("one", RESULT, "told", 60)

    assert waits(governor) == ["two"]
    assert client.get(RESULT) == b"told"


def test_a_task_in_a_lane_is_taken_out_of_it(client, governor, clock):
    governor.pause("account:a", "somebody", "", since=0)
    for name in ("one", "two", "three"):
        wait(governor, name)

    assert governor.withdraw("two", "key", "told", 60)
    governor.resume("account:a")
    governor.tick()

    assert released(client) == ["one", "three"]


@pytest.mark.parametrize(
    "how", [{"delay": 3600}, {"delay": 3600, "lane": "bulk"}, {"delay": 3600, "expires": Expiry(1)}]
)
def test_what_comes_after_a_later_task_that_is_gone_goes_at_once(client, governor, clock, how):
    wait(governor, "later", **how)
    clock.wait(2)
    governor.tick()
    if "expires" not in how:
        governor.revoke("later", "revoked")
        governor.withdraw("later", RESULT, "told", 60)
    released(client)
    governor.tick()

    wait(governor, "next")
    governor.tick()

    assert released(client) == ["next"]


def test_a_revoked_or_expired_task_that_may_have_been_sent_ends_as_unknown(client, governor, clock):
    each = line()
    wait(governor, "one", expires=Expiry(3))
    governor.claim("one", LEASE_MS, True, "dies")
    released(client)
    clock.wait(LEASE_MS / 1000 + 1)
    governor.tick()
    client.hset("unacked", "tag", "as it was popped")
    delivery = Delivery("unacked", "unacked_index", "tag")
    governor.restore(delivery, each.queue, (each.name, each.spec), "now", "one", "message of one")
    governor.revoke("one", "revoked")
    assert not governor.withdraw("one", RESULT, "told", 60)
    governor.tick()

    assert client.get(RESULT) is None
    assert released(client) == ["one"]
    assert governor.claim("one", LEASE_MS, True, "delivery").state == "unknown"


@pytest.mark.parametrize("end", ["SUCCESS", "FAILURE", "REVOKED"])
def test_a_state_that_is_no_end_is_not_stored_over_one(client, governor, end):
    governor.store("result", json.dumps({"status": end}), 60)

    governor.store("result", json.dumps({"status": "RETRY"}), 60, early=True)

    assert json.loads(client.get("result")) == {"status": end}


def test_another_applications_task_is_left_to_its_own_workers(client, governor):
    governor.revoke("theirs", "revoked")

    assert not governor.withdraw("theirs", "key", "told", 60, ours=False)
    assert client.get("key") is None


def test_what_was_handed_to_a_worker_is_not_claimed_once_it_is_revoked(client, governor):
    wait(governor, "one")
    assert governor.revoke("one", "because") is None
    assert not governor.withdraw("one", RESULT, "told", 60)

    assert governor.claim("one", LEASE_MS, False, "delivery") == Claim("revoked", 0, "because")
    assert client.get(RESULT) == b"told"
    assert client.hgetall("klaviyo:lease") == {}
    governor.done("one")
    # Its message may be delivered once more: the worker may have died before it acknowledged it.
    assert governor.claim("one", LEASE_MS, False, "another").state == "revoked"


def test_what_is_under_way_tells_how_it_ended_itself(client, governor):
    wait(governor, "one")
    governor.claim("one", LEASE_MS, False, "delivery")

    governor.revoke("one", "revoked")
    assert not governor.withdraw("one", RESULT, "told", 60)

    assert client.get(RESULT) is None
    assert governor.claim("one", LEASE_MS, False, "delivery").state == "ok"


def test_what_may_have_been_carried_out_is_told_so_though_it_was_revoked(client, governor, clock):
    wait(governor, "one")
    governor.claim("one", LEASE_MS, True, "dies")
    governor.revoke("one", "revoked")
    released(client)
    each = line()
    client.hset("unacked", "tag", "as it was popped")
    governor.restore(
        Delivery("unacked", "unacked_index", "tag"), each.queue, (each.name, each.spec), "now", "one", "message of one"
    )
    clock.wait(LEASE_MS / 1000 + 1)
    governor.tick()

    assert governor.claim("one", LEASE_MS, True, "delivery").state == "unknown"


@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE", "PROCESSING"])
def test_a_revocation_hides_no_end_and_no_state_of_a_job(client, governor, state):
    told = json.dumps({"status": state})
    client.set(RESULT, told)

    governor.revoke("one", "revoked")
    governor.withdraw("one", RESULT, "told", 60)

    assert client.get(RESULT).decode() == told


def test_a_second_publication_of_a_waiting_task_is_none(client, governor):
    wait(governor, "one", delay=600)
    client.delete("klaviyo:once:one")
    wait(governor, "one", delay=600)

    assert waits(governor) == ["one"]
    assert client.zcard("klaviyo:later:a:operation") == 1


@pytest.mark.parametrize("expiry", [Expiry(-5), Expiry(0), Expiry(-5, absolute=True)])
def test_what_has_expired_at_its_publication_is_told_so(client, governor, expiry):
    wait(governor, "one", expires=expiry)
    governor.tick()

    assert released(client) == ["one"]
    assert governor.claim("one", LEASE_MS, False, "delivery").state == "expired"


@pytest.mark.parametrize("absolute", [False, True])
def test_an_expired_task_leaves_its_list_and_is_told_so_at_its_claim(client, governor, clock, absolute):
    when = clock.ms / 1000 + 10 if absolute else 10
    wait(governor, "one", delay=600, expires=Expiry(when, absolute))
    wait(governor, "two", delay=600)
    clock.wait(9)
    governor.tick()
    assert waits(governor) == ["one", "two"]

    clock.wait(2)
    governor.tick()

    assert waits(governor) == ["two"]
    assert released(client) == ["one"]
    assert client.zcard("klaviyo:later:a:operation") == 1
    assert governor.claim("one", LEASE_MS, False, "delivery").state == "expired"
    governor.done("one")
    assert not client.exists("klaviyo:expires", "klaviyo:expiring")


def test_a_task_that_waits_again_still_expires(client, governor, clock):
    each = line()
    wait(governor, "one", expires=Expiry(10))
    governor.claim("one", LEASE_MS, False, "delivery")
    client.hset("unacked", "tag", '[message of one,"","klaviyo.s"]')
    governor.settle("one", Settlement(used=False, forget=True), "delivery")
    delivery = Delivery("unacked", "unacked_index", "tag")
    released(client)
    governor.park(delivery, (each.name, each.spec), "now", "one", 600.0, at_head=True, attempt=True)

    clock.wait(11)
    governor.tick()

    assert released(client) == ["one"]


def test_an_expired_task_whose_worker_died_expires_again(client, governor, clock):
    each = line()
    wait(governor, "one", delay=600, expires=Expiry(1))
    clock.wait(2)
    governor.tick()
    released(client)
    client.hset("unacked", "tag", "as it was popped")
    governor.restore(
        Delivery("unacked", "unacked_index", "tag"), each.queue, (each.name, each.spec), "now", "one", "message of one"
    )

    governor.tick()

    assert released(client) == ["one"]
    assert governor.claim("one", LEASE_MS, False, "delivery").state == "expired"


def test_a_purge_drops_what_waits_for_a_queue_and_nothing_else(client, governor):
    wait(governor, "one", delay=600)
    wait(governor, "two", delay=600, lane="bulk", expires=Expiry(900))
    other = Line("a", (Bucket("fast", Limits.parse("350/s 3500/m")),))
    wait(governor, "other", other, delay=600)

    assert governor.purge(line().queue) == 2

    assert waits(governor) == ["other"]
    assert not client.exists("klaviyo:expires", "klaviyo:expiring")
    assert governor.count() == 1
    wait(governor, "one")
    assert released(client) == ["one"], "what was purged can be published again at once"


OTHER = Line("b", (Bucket("fast", Limits.parse("350/s 3500/m")),))


@pytest.mark.parametrize("what", ["account:a", "action:operation", "action:a:operation", f"tier:{line().queue}"])
def test_what_is_paused_waits_until_it_is_resumed(client, governor, what):
    assert governor.pause(what, "somebody", "an incident", since=7)
    wait(governor, "one")
    wait(governor, "other", OTHER)
    governor.tick()

    assert waits(governor) == ["one"]
    assert released(client, OTHER) == ["other"]
    [pause] = governor.paused()
    assert (pause.what, pause.by, pause.why, pause.since, pause.tried) == (what, "somebody", "an incident", 7, None)
    with pytest.raises(Paused, match="an incident"):
        governor.reserve((line().name, line().spec), "now", LEASE_MS)
    assert governor.resume(what)
    assert not governor.resume(what)
    governor.tick()
    assert released(client) == ["one"]


def test_what_was_released_before_a_pause_is_not_claimed_during_it(governor):
    wait(governor, "one")
    governor.pause("account:a", "somebody", "", since=0)

    assert governor.claim("one", LEASE_MS, False, "delivery").state == "none"


def test_one_task_of_a_refused_account_is_tried_now_and_then_and_a_welcome_lets_all_go(client, governor, clock):
    assert governor.pause("account:a", "a worker", "401", since=0, probe=60, key="abc")
    assert not governor.pause("account:a", "a worker", "401", since=0, probe=60, key="abc")
    for name in ("one", "two", "three"):
        wait(governor, name)
    governor.tick()
    assert released(client) == []

    clock.wait(61)
    governor.tick()
    assert released(client) == ["one"]
    governor.tick()
    assert released(client) == []
    assert governor.claim("one", LEASE_MS, False, "delivery").state == "ok"

    governor.settle("one", Settlement(used=True, accepted_key=ANY_KEY), "delivery")
    governor.tick()
    assert released(client) == ["two", "three"]
    assert governor.paused() == []


def test_an_account_that_stays_refused_is_tried_ever_more_rarely_up_to_once_a_minute(client, governor, clock):
    governor.pause("account:a", "a worker", "401", since=0, probe=5)
    for n in range(6):
        wait(governor, str(n))
    tried = []
    for second in range(200):
        governor.tick()
        if released(client):
            tried.append(second)
            governor.pause("account:a", "a worker", "401", since=0, probe=5)
        clock.wait(1)

    assert tried == [5, 15, 35, 75, 135, 195]


@pytest.mark.parametrize(("key", "opened"), [("refused", True), ("another", False)])
def test_another_key_that_klaviyo_takes_proves_nothing_of_the_workers(governor, key, opened):
    governor.pause("account:a", "a worker", "401", since=0, probe=60, key="refused")
    each = line()
    assert governor.reserve((each.name, each.spec), "now", LEASE_MS) == 0

    governor.settle("now", Settlement(used=True, accepted_key=key))

    assert (governor.paused() == []) is opened


def test_a_publication_that_fails_half_way_is_not_taken_for_done(client, governor):
    each = line()
    with pytest.raises(redis.ResponseError):
        governor._call("wait", each.name, each.spec, "now", "one", "message of one", "no number", "", 0)

    wait(governor, "one")

    assert released(client) == ["one"]


def test_a_welcome_does_not_open_what_somebody_has_paused(governor):
    wait(governor, "one")
    governor.claim("one", LEASE_MS, False, "delivery")
    governor.pause("account:a", "somebody", "", since=0)
    governor.pause("account:a", "a worker", "401", since=0, probe=60)

    governor.settle("one", Settlement(used=True, accepted_key=ANY_KEY), "delivery")

    assert [pause.by for pause in governor.paused()] == ["somebody"]


def test_refusals_count_until_klaviyo_accepts_a_request_of_the_account(governor):
    assert [governor.count_forbidden("a"), governor.count_forbidden("a"), governor.count_forbidden("b")] == [1, 2, 1]
    wait(governor, "one")
    governor.claim("one", LEASE_MS, False, "delivery")

    governor.settle("one", Settlement(used=True, accepted_key=ANY_KEY), "delivery")

    assert [governor.count_forbidden("a"), governor.count_forbidden("b")] == [1, 2]


def test_a_delivery_that_is_held_is_not_abandoned(client, governor, clock):
    client.zadd("index", {"held": clock.ms / 1000, "lost": clock.ms / 1000})
    clock.wait(20)
    governor.hold("index", {"held": "", "unknown": ""}, LEASE_MS)

    assert governor.abandoned("index", 15, 10) == ["lost"]
    assert client.zcard("index") == 2


def test_the_tasks_of_every_line_are_counted_by_lane_without_a_look_at_its_windows(client, governor, monkeypatch):
    monkeypatch.setattr("worker.governor.looking.LINES_PER_COUNT", 2)
    nobody_works(governor)
    lines = [line(name=name) for name in ("one", "two", "three")]
    for number, each in enumerate(lines):
        publish(governor, each, *(f"{each.name}-{n}" for n in range(number)))
        publish(governor, each, f"{each.name} bulk", lane="bulk")
        publish(governor, each, f"{each.name} later", delay=60.0)

    assert governor.counts() == {each.name: (number, 1, 1) for number, each in enumerate(lines)}
