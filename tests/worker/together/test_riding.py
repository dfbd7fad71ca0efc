"""Calls that wait travel in one request, and each of them ends as if it had gone alone."""

import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
from celery.worker import state

from tests.worker.together.travelers import REVOKED, Killed, Travelers
from worker import carrying_out, execution
from worker.api.jsonapi import Envelope
from worker.errors import BadRequest, NotFound, OutcomeUnknown, SettingsError, Unavailable
from worker.governor import forecasts, under_way
from worker.one_per_process import forget
from worker.redis.connection import NotReplicated
from worker.together import riding

GOOD = {"data": None, "error": None, "successful": True}


@pytest.fixture
def travelers(settings, client, monkeypatch):
    settings.setenv("KLAVIYO_MAX_ATTEMPTS", "3")
    settings.setenv("KLAVIYO_BACKOFF_MAX_SECONDS", "2")
    forget()
    return Travelers(client, monkeypatch)


def event(travelers, number, person=None, **options):
    travelers.call(
        "create_event", f"e{number}", metric="Placed Order",
        profile={"email": f"p{number}@example.com", **(person or {})}, unique_id=f"u{number}", **options,
    )  # fmt: skip


def edit(travelers, number):
    """A call that must not be repeated."""
    event(travelers, number, person={"patch_properties": {"append": {"tags": "x"}}})


def backlog(travelers, number, publish=event, **options):
    """Calls that wait, since no worker has room for any."""
    travelers.governor.beat("worker", 0, [], 1)
    for each in range(number):
        publish(travelers, each, **options)
    travelers.governor.beat("worker", 8, ["klaviyo.xl", "klaviyo.l", "klaviyo.m"], 10**6)


def test_a_call_that_can_go_at_once_goes_alone(travelers):
    event(travelers, 1)

    travelers.work()

    assert travelers.klaviyo.requests == [("create_event", 1)]


def test_calls_that_wait_go_in_one_request(travelers):
    backlog(travelers, 30)

    travelers.work()

    assert travelers.klaviyo.sizes("bulk_create_events") == [30]
    assert not travelers.left()
    assert [travelers.outcome(f"e{each}") for each in range(30)] == [GOOD] * 30
    assert travelers.klaviyo.events.total() == 30


def test_a_request_carries_no_more_than_klaviyo_takes(travelers):
    backlog(travelers, 2_300)

    travelers.work_all()

    sizes = travelers.klaviyo.sizes("bulk_create_events")
    assert max(sizes) == 1_000
    assert travelers.klaviyo.events == {f"u{each}": 1 for each in range(2_300)}


def test_a_request_holds_no_more_bytes_than_klaviyo_takes(travelers):
    backlog(travelers, 30, properties={"note": "x" * 90_000})  # type: ignore[arg-type]
    for each in range(60):
        event(travelers, 100 + each, properties={"note": "x" * 90_000})

    travelers.work_all()

    assert max(travelers.klaviyo.sizes("bulk_create_events")) <= 54


def test_an_id_that_occurs_twice_never_stands_twice_in_one_request(travelers):
    def publish(travelers, number):
        travelers.call("create_event", f"e{number}", metric="M", profile={"email": "x@example.com"},
                       unique_id=f"u{number % 12}")  # fmt: skip

    backlog(travelers, 13, publish)

    travelers.work_all()

    assert travelers.klaviyo.requests == [("bulk_create_events", 12), ("create_event", 1)]
    assert travelers.klaviyo.events["u0"] == 2  # each was sent, and the second adds nothing at Klaviyo
    assert travelers.outcome("e0") == travelers.outcome("e12") == GOOD


def test_the_lane_now_travels_before_the_lane_bulk(travelers):
    backlog(travelers, 1_100, lane="bulk")
    for each in range(2_000, 2_005):
        event(travelers, each)

    travelers.work(most=1)

    first = travelers.klaviyo.events
    assert all(first[f"u{each}"] for each in range(2_000, 2_005))


def test_calls_of_different_objects_share_no_request(travelers):
    def add(travelers, number):
        travelers.call("add_profiles_to_list", f"a{number}", list_id=f"L{number % 2}", profile_ids=[f"p{number}"])

    backlog(travelers, 40, add)

    travelers.work_all()

    assert sorted(travelers.klaviyo.sizes("add_profiles_to_list")) == [20, 20]
    assert travelers.outcome("a7") == GOOD


def test_each_read_is_given_its_own_record_and_a_missing_one_is_not_found(travelers):
    travelers.klaviyo.profiles = {f"p{each}" for each in range(150) if each != 7}

    def get(travelers, number):
        travelers.call("get_profile", f"g{number}", id=f"p{number}")

    backlog(travelers, 150, get)

    travelers.work_all()

    assert travelers.klaviyo.sizes("get_profiles")[0] == 100
    assert travelers.outcome("g8")["data"]["id"] == "p8"
    assert isinstance(travelers.outcome("g7"), NotFound)


def test_what_something_follows_ends_by_itself_with_what_it_was_answered(travelers):
    backlog(travelers, 15)
    event(travelers, 15, follows={"callbacks": [{"task": "x", "args": [], "kwargs": {}, "options": {}}]})

    travelers.work_all()

    assert travelers.klaviyo.sizes("bulk_create_events") == [16]
    assert travelers.ends == {"e15": [Envelope(GOOD)]}


@pytest.mark.parametrize("points", [True, False])
def test_what_one_call_did_wrong_fails_that_one(travelers, points):
    backlog(travelers, 40)
    travelers.klaviyo.bad, travelers.klaviyo.points = {"u3", "u33"}, points

    travelers.work_all()

    wrong = {name: end for name, [end] in travelers.ends.items() if isinstance(end, BadRequest)}
    assert set(wrong) == {"e3", "e33"}
    assert all(error.action == "create_event" for error in wrong.values())
    assert travelers.klaviyo.events == {f"u{each}": 1 for each in range(40) if each not in (3, 33)}
    assert len(travelers.klaviyo.requests) <= (4 if points else 40)


def test_a_429_uses_no_attempt_and_blocks_the_request_that_carries(travelers):
    backlog(travelers, 20)
    travelers.klaviyo.script = [429]

    travelers.work()
    assert travelers.state("e0") == "RETRY"
    assert not travelers.client.exists("klaviyo:attempts")

    travelers.work_all()
    assert travelers.klaviyo.events.total() == 20


def test_calls_that_were_tried_too_often_fail_with_the_number(travelers):
    backlog(travelers, 20)
    travelers.klaviyo.script = [503] * 100

    travelers.work_all()

    ends = [travelers.outcome(f"e{each}") for each in range(20)]
    assert all(isinstance(each, Unavailable) and each.attempts == 3 for each in ends)
    assert {each.action for each in ends} == {"create_event"}


def test_a_call_that_klaviyo_cannot_take_fails_and_none_of_those_it_went_with(travelers, settings):
    settings.setenv("KLAVIYO_MAX_ATTEMPTS", "10")
    forget()
    backlog(travelers, 1_000)
    travelers.klaviyo.poison = {"u500"}

    travelers.work_all()

    assert {name for name, [end] in travelers.ends.items() if isinstance(end, Unavailable)} == {"e500"}
    assert travelers.klaviyo.events == {f"u{each}": 1 for each in range(1_000) if each != 500}


def test_the_last_attempt_of_a_call_is_not_shared(travelers):
    backlog(travelers, 100)
    travelers.klaviyo.poison = {"u50"}

    travelers.work_all()

    assert {name for name, [end] in travelers.ends.items() if isinstance(end, Unavailable)} == {"e50"}
    assert travelers.klaviyo.events == {f"u{each}": 1 for each in range(100) if each != 50}


@pytest.mark.parametrize("seed", range(3))
def test_none_fails_for_what_others_of_its_request_are_however_many_join_them(travelers, settings, seed):
    settings.setenv("KLAVIYO_MAX_ATTEMPTS", "4")
    forget()
    rng = random.Random(seed)
    travelers.klaviyo.poison = {"u7"}
    for number in range(0, 400, 40):
        travelers.governor.beat("worker", 0, [], 1)
        for each in range(number, number + 40):
            event(travelers, each)
        travelers.governor.beat("worker", 8, ["klaviyo.xl", "klaviyo.m"], 10**6)
        travelers.work(rng.choice([0.1, 1, 3]))

    travelers.work_all()

    assert {name for name, [end] in travelers.ends.items() if isinstance(end, Unavailable)} == {"e7"}
    assert travelers.outcome("e7").attempts == 4
    assert travelers.klaviyo.events == {f"u{each}": 1 for each in range(400) if each != 7}


def subscribe(travelers, number):
    """A call that must not be repeated blindly."""
    consent = {"email": {"marketing": {"consent": "SUBSCRIBED"}}}
    travelers.call(
        "bulk_subscribe_profiles", f"s{number}", list_id="L",
        profiles=[{"email": f"p{number}@example.com", "subscriptions": consent}],
    )  # fmt: skip


def test_what_was_left_behind_was_not_sent_and_ends_as_it_would_have_alone(travelers):
    backlog(travelers, 10, subscribe)
    stored = travelers.client.hget("klaviyo:waiting", "s4")
    travelers.client.hset("klaviyo:waiting", "s4", stored.replace(b'"account":"default"', b'"account":"nobody"'))
    travelers.klaviyo.script = [503]
    state.revoked.add("s7")
    try:
        travelers.work_all()
    finally:
        state.revoked.discard("s7")

    ends = {number: travelers.outcome(f"s{number}") for number in range(10)}
    assert isinstance(ends.pop(4), SettingsError)
    assert ends.pop(7)["successful"]
    assert all(isinstance(each, OutcomeUnknown) for each in ends.values())


@pytest.mark.parametrize("at", ["join", "distribute"])
def test_what_goes_wrong_with_a_shared_request_leaves_each_call_to_itself(travelers, monkeypatch, at):
    def odd(*_):
        raise KeyError("profile")

    known = riding.sharing_of
    monkeypatch.setattr(riding, "sharing_of", lambda declaration: replace(known(declaration), **{at: odd}))
    backlog(travelers, 10, subscribe)

    travelers.work_all()

    ends = [travelers.outcome(f"s{number}") for number in range(10)]
    if at == "join":
        assert all(each["successful"] for each in ends)
    else:
        assert all(isinstance(each, OutcomeUnknown) for each in ends)
    assert set(travelers.klaviyo.members.values()) == {1}


def test_an_answer_that_is_lost_leaves_unknown_what_must_not_be_repeated(travelers):
    backlog(travelers, 20, subscribe)
    travelers.klaviyo.script = ["cut"]

    travelers.work_all()

    assert travelers.klaviyo.sizes("bulk_subscribe_profiles") == [20]
    assert all(isinstance(travelers.outcome(f"s{each}"), OutcomeUnknown) for each in range(20))


def test_what_nobody_wants_any_more_is_left_out(travelers):
    backlog(travelers, 10)
    event(travelers, 10, expires=5)
    travelers.tick()
    [carrier] = travelers.client.hkeys("klaviyo:riding")
    travelers.governor.revoke("e4", "revoked")
    travelers.clock.wait(6)

    travelers.work_all()

    assert carrier
    assert travelers.klaviyo.events == {f"u{each}": 1 for each in range(10) if each != 4}
    assert (travelers.outcome("e4"), travelers.outcome("e10")) == (REVOKED, REVOKED)


def test_what_is_paused_after_it_was_put_together_waits_again(travelers):
    backlog(travelers, 10)
    travelers.tick()
    travelers.governor.pause("action:create_event", "me", "why", since=0.0)

    travelers.work(1)
    assert travelers.klaviyo.requests == []
    assert travelers.governor.count() == 10

    travelers.governor.resume("action:create_event")
    travelers.work_all()
    assert travelers.klaviyo.events.total() == 10


def test_a_request_that_no_worker_takes_gives_its_calls_back(travelers):
    backlog(travelers, 10)
    travelers.tick()
    travelers.client.delete("klaviyo.m")

    travelers.clock.wait(16)
    travelers.tick()
    travelers.work_all()

    assert travelers.klaviyo.events == {f"u{each}": 1 for each in range(10)}


def test_where_a_worker_says_so_nothing_travels_together(travelers):
    backlog(travelers, 10)
    travelers.governor.beat("worker", 8, ["klaviyo.xl", "klaviyo.m"], 10**6, alone=True)

    travelers.work_all()

    assert travelers.klaviyo.sizes("create_event") == [1] * 10


def test_a_call_that_asks_for_it_has_a_request_of_its_own(travelers):
    backlog(travelers, 10, together=False)

    travelers.work_all()

    assert travelers.klaviyo.sizes("create_event") == [1] * 10


def test_what_a_stock_client_has_revoked_goes_by_itself_to_its_end(travelers):
    backlog(travelers, 10)
    state.revoked.add("e4")
    try:
        travelers.work_all()
    finally:
        state.revoked.discard("e4")

    assert travelers.klaviyo.sizes("bulk_create_events") == [9]
    assert travelers.klaviyo.sizes("create_event") == [1]


def test_a_call_that_cannot_be_made_is_told_so_by_itself(travelers):
    backlog(travelers, 10)
    stored = travelers.client.hget("klaviyo:waiting", "e4")
    travelers.client.hset("klaviyo:waiting", "e4", stored.replace(b'"account":"default"', b'"account":"nobody"'))

    travelers.work_all()

    assert isinstance(travelers.outcome("e4"), SettingsError)
    assert travelers.klaviyo.sizes("bulk_create_events") == [9]


def test_a_call_of_another_account_never_travels_along(travelers, settings):
    settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
    forget()
    backlog(travelers, 10)
    stored = travelers.client.hget("klaviyo:waiting", "e4")
    travelers.client.hset("klaviyo:waiting", "e4", stored.replace(b'"account":"default"', b'"account":"eu"'))

    travelers.work_all()

    assert travelers.klaviyo.sizes("bulk_create_events") == [9]
    assert travelers.klaviyo.sizes("create_event") == [1]


def test_a_purge_takes_along_what_was_put_together(travelers):
    backlog(travelers, 10)
    travelers.tick()

    travelers.client.delete("klaviyo.m")
    assert travelers.governor.purge("klaviyo.m") == 0
    assert travelers.governor.purge("klaviyo.xl") == 10
    assert not travelers.left()


def test_flower_is_told_of_each(travelers):
    backlog(travelers, 12)

    travelers.work()

    told = [kind for kind, task in travelers.told if task == "e2"]
    assert told == ["task-received", "task-started", "task-succeeded"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(1, 4))
def test_a_worker_that_dies_at_any_step_loses_and_doubles_nothing(travelers, step, when):
    backlog(travelers, 12)
    travelers.mortal.dies = (step, when)
    try:
        travelers.work()
    except Killed:
        travelers.mortal.dies = None
        travelers.restore()

    travelers.work_all()

    assert [travelers.outcome(f"e{each}") for each in range(12)] == [GOOD] * 12
    assert set(travelers.klaviyo.events) == {f"u{each}" for each in range(12)}


def test_a_worker_that_dies_with_the_request_under_way_leaves_unknown_what_must_not_be_repeated(travelers):
    backlog(travelers, 12, edit)
    travelers.klaviyo.script = ["killed"]
    with pytest.raises(Killed):
        travelers.work()
    travelers.restore()

    travelers.work_all()

    assert travelers.klaviyo.events == {f"u{each}": 1 for each in range(12)}
    assert all(isinstance(travelers.outcome(f"e{each}"), OutcomeUnknown) for each in range(12))


def test_what_must_not_be_repeated_travels_once_replicas_know_of_its_request(travelers, settings, monkeypatch):
    settings.setenv("KLAVIYO_REDIS_REPLICAS", "1")
    forget()
    asked = []

    def confirm():
        asked.append(len(travelers.klaviyo.requests))
        if len(asked) == 1:
            raise NotReplicated(0, 1, 1.0)

    monkeypatch.setattr(travelers.governor, "confirm", confirm)
    monkeypatch.setattr(travelers.governor, "_call_safely", travelers.governor._call)
    backlog(travelers, 12, edit)
    travelers.work_all()

    # Once in vain, and then before each request.
    assert asked == [0, *range(len(travelers.klaviyo.requests))]
    assert travelers.klaviyo.events == {f"u{each}": 1 for each in range(12)}
    assert [travelers.outcome(f"e{each}") for each in range(12)] == [GOOD] * 12

    before = len(asked)
    backlog(travelers, 12)
    travelers.work_all()

    assert len(asked) == before, "what may be repeated waits for no replica"


def test_another_primary_is_told_of_each_call_on_the_way_that_must_not_be_repeated(travelers, monkeypatch):
    told = []

    def send(*request):
        told.extend(under_way.known())
        return travelers.klaviyo(*request)

    monkeypatch.setattr(execution, "send", send)
    backlog(travelers, 12, edit)
    travelers.work()

    [carrier] = [each for each in told if each[2]]
    assert carrier[0].startswith("together-")
    assert {f"e{each}" for each in range(12)} <= {each[0] for each in told if each[5] == 1}


def test_how_fast_a_line_drains_counts_each_call_that_travels(travelers):
    backlog(travelers, 2_500)

    travelers.work(most=1)
    travelers.clock.wait(5)

    [look] = [each for each in travelers.governor.look() if each.line == "default:create_event"]
    gone = 2_500 - look.now
    assert gone >= 1_000
    assert look.together_per_minute == pytest.approx(gone * 60 / 5, rel=1.2)
    foretold = forecasts([replace(look, now=3_000)])[look.line]
    assert foretold.per_minute == look.together_per_minute
    assert foretold.empty == pytest.approx(3_000 / look.together_per_minute * 60)


def test_the_attempts_of_each_are_counted_when_it_has_ended(travelers, monkeypatch):
    counted = []
    told = SimpleNamespace(throttled=lambda *_: None, attempts=lambda action, count: counted.append((action, count)))
    monkeypatch.setattr(carrying_out, "meters", [told])
    backlog(travelers, 10)
    travelers.klaviyo.script = [503]

    travelers.work_all()

    assert counted == [("create_event", 2)] * 10


def test_a_few_calls_for_which_there_is_room_go_one_by_one(travelers):
    backlog(travelers, 4)

    travelers.work()

    assert travelers.klaviyo.sizes("create_event") == [1] * 4


def test_what_cannot_travel_is_not_overtaken_by_what_says_more_of_the_same_person(travelers):
    def publish(travelers, number):
        who = {"email": f"p{number}@example.com"}
        if number >= 10:
            # The third says the same as the first, after the second.
            who = {"email": "ada@example.com", "first_name": "Ada" if number == 11 else "Augusta"}
        travelers.call("create_event", f"e{number}", metric="M", profile=who, unique_id=f"u{number}")

    backlog(travelers, 13, publish)
    travelers.tick()

    [carrier] = travelers.client.hkeys("klaviyo:riding")
    riders = [each.partition(b"\n")[0] for each in travelers.client.lrange(b"klaviyo:riders:" + carrier, 0, -1)]
    assert riders == [f"e{each}".encode() for each in range(11)]


def test_what_is_said_of_a_person_waits_until_what_was_said_before_has_arrived(travelers):
    def publish(travelers, number, name="Augusta"):
        who = {"email": "ada@example.com", "first_name": name} if number >= 10 else {"email": f"p{number}@example.com"}
        travelers.call("create_event", f"e{number}", metric="M", profile=who, unique_id=f"u{number}")

    backlog(travelers, 11, publish)
    travelers.tick()
    [(tag, message)] = travelers.take()
    publish(travelers, 11, "Ada")
    event(travelers, 9_999)
    travelers.tick()
    assert [message["headers"]["id"] for _, message in travelers.take()] == ["e9999"]

    travelers.carry_out(tag, message)
    travelers.tick()

    assert travelers.klaviyo.sizes("bulk_create_events") == [11]
    assert [message["headers"]["id"] for _, message in travelers.take()] == ["e11"]
    assert not travelers.client.exists("klaviyo:aboard")


def test_a_worker_that_dies_while_it_ends_a_call_leaves_its_outcome_to_the_next(travelers):
    backlog(travelers, 11)
    event(travelers, 11, follows={"callbacks": [{"task": "x", "args": [], "kwargs": {}, "options": {}}]})
    travelers.tick()
    [(tag, message)] = travelers.take()
    travelers.carry_out(tag, message)
    [(_, message)] = travelers.take()
    assert message["headers"]["id"] == "e11"

    travelers.restore()
    travelers.work_all()

    assert travelers.outcome("e11") == GOOD
    assert travelers.klaviyo.requests == [("bulk_create_events", 12)]
