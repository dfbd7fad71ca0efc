"""Every way in which Klaviyo fails, through a real worker: what becomes of the task, and how often it was sent."""

from __future__ import annotations

import itertools

import pytest

from tasks.events import create_event
from tasks.lists import create_list
from tasks.profiles import create_profile, get_profiles
from tests.live.system import until
from tests.live.whereabouts import whereabouts
from worker import errors

ATTEMPTS = 3

#: It gives up a request that hangs soon, and every other not even on a busy machine.
WORKER = {"READ_TIMEOUT": 1, "MAX_ATTEMPTS": ATTEMPTS}

REFUSALS = [
    ({"kind": "status", "status": 400}, errors.BadRequest),
    ({"kind": "status", "status": 403}, errors.Forbidden),
    ({"kind": "status", "status": 404}, errors.NotFound),
    ({"kind": "status", "status": 405}, errors.MethodNotAllowed),
    ({"kind": "status", "status": 409}, errors.Conflict),
    ({"kind": "gone"}, errors.Gone),
    ({"kind": "status", "status": 413}, errors.TooLarge),
    ({"kind": "status", "status": 415}, errors.UnsupportedMediaType),
    ({"kind": "status", "status": 422}, errors.Refused),
]

#: Klaviyo may have carried the request out.
UNSURE = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 500, "after_commit": True},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 504},
    {"kind": "status", "status": 524},
    {"kind": "hang"},
    {"kind": "reset"},
    {"kind": "cut_after_commit"},
]

#: It has, and what it says of that cannot be read.
UNREAD = {"kind": "malformed"}


def named(fault):
    return "-".join(str(value) for value in fault.values()) if isinstance(fault, dict) else fault.__name__


@pytest.mark.parametrize(("fault", "error"), REFUSALS, ids=named)
@pytest.mark.parametrize(
    "call",
    [lambda: create_profile.delay(email="ada@example.com"), lambda: create_list.delay(name="Members")],
    ids=["keyed", "unrepeatable"],
)
def test_a_refusal_fails_the_task_at_the_first_request(idle, call, fault, error):
    idle.sandbox.fault(**fault, times=None)

    end = idle.end_of(call().id)

    assert end.error == error.__name__
    assert len(idle.sandbox.ledger()) == 1


@pytest.mark.parametrize(
    ("action", "params"),
    [(create_profile, {"email": "ada@example.com"}), (create_list, {"name": "Members"})],
    ids=["keyed", "unrepeatable"],
)
def test_a_key_that_is_refused_for_once_costs_no_task(idle, action, params):
    idle.sandbox.fault("status", operation=action.declaration.name, status=401)

    task = action.delay(**params)
    idle.reached(task.id, "RETRY", seconds=10)

    assert idle.end_of(task.id, 30).status == "SUCCESS"
    assert idle.sandbox.statuses() == [401, 201]
    assert not idle.redis.exists("klaviyo:paused")


@pytest.mark.parametrize("fault", [*UNSURE, UNREAD, {"kind": "challenge"}], ids=named)
def test_a_read_is_repeated_after_any_failure(idle, fault):
    idle.sandbox.fault(**fault, operation="get_profiles")

    end = idle.end_of(get_profiles.delay().id)

    assert end.status == "SUCCESS"
    assert [row["status"] for row in idle.sandbox.ledger()][1:] == [200]


@pytest.mark.parametrize("fault", UNSURE, ids=named)
def test_an_event_is_repeated_with_its_key_and_is_there_once(idle, fault):
    idle.sandbox.fault(**fault, operation="create_event")

    end = idle.end_of(create_event.delay(metric="Bought", profile={"email": "ada@example.com"}).id)

    assert end.status == "SUCCESS"
    assert len(idle.sandbox.ledger()) == 2
    assert (idle.sandbox.state()["event"], idle.sandbox.state()["doubled_events"]) == (1, 0)


@pytest.mark.parametrize("fault", UNSURE, ids=named)
def test_what_must_not_be_repeated_ends_as_outcome_unknown_after_one_request(idle, fault):
    idle.sandbox.fault(**fault, times=None)

    end = idle.end_of(create_list.delay(name="Members").id)

    assert end.error == "OutcomeUnknown"
    assert len(idle.sandbox.ledger()) == 1
    assert idle.sandbox.state().get("list", 0) <= 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: create_list.delay(name="Members"),
        lambda: create_event.delay(metric="Bought", profile={"email": "ada@example.com"}),
    ],
    ids=["unrepeatable", "keyed"],
)
def test_a_write_whose_confirmation_cannot_be_read_is_a_success_after_one_request(idle, call):
    idle.sandbox.fault(**UNREAD, times=None)

    end = idle.end_of(call().id)

    assert end.status == "SUCCESS"
    assert end.result["unread"]
    assert len(idle.sandbox.ledger()) == 1
    assert idle.sandbox.state().get("list", 0) + idle.sandbox.state().get("event", 0) == 1


def test_what_must_not_be_repeated_is_sent_again_after_a_challenge(idle):
    idle.sandbox.fault("challenge", operation="create_list")

    end = idle.end_of(create_list.delay(name="Members").id)

    assert end.status == "SUCCESS"
    assert idle.sandbox.statuses() == [403, 201]


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 503}, {"kind": "reset"}, {"kind": "challenge"}], ids=named
)
def test_a_failure_that_lasts_uses_up_the_attempts(idle, fault):
    idle.sandbox.fault(**fault, times=None)
    task_id = create_profile.delay(email="ada@example.com").id

    end = idle.end_of(task_id)

    assert end.error == "Unavailable"
    assert end.arguments[-1] == ATTEMPTS
    assert len(idle.sandbox.ledger()) == ATTEMPTS
    until(lambda: not whereabouts(idle.redis, [task_id]).unacked, 5, "the acknowledgement")
    assert not idle.redis.hexists("klaviyo:attempts", task_id)


def test_what_is_revoked_while_its_request_fails_is_not_sent_again(idle):
    idle.sandbox.fault("hang", operation="get_profiles", times=1)
    task = get_profiles.delay()
    until(lambda: idle.sandbox.arrived() == 1, 5, "the request")

    task.revoke()

    idle.reached(task.id, "REVOKED", seconds=10)
    assert len(idle.sandbox.ledger("get_profiles")) <= 1


def test_what_is_revoked_while_its_request_succeeds_tells_the_truth(idle):
    idle.sandbox.fault("latency", seconds=0.3, operation="create_list", times=1)
    task = create_list.delay(name="Members")
    until(lambda: idle.sandbox.arrived() == 1, 5, "the request")

    task.revoke()

    assert idle.end_of(task.id).status == "SUCCESS"


def test_a_conflict_names_the_profile_that_exists(idle):
    first = idle.end_of(create_profile.delay(email="ada@example.com").id)

    second = idle.end_of(create_profile.delay(email="ada@example.com").id)

    conflict = errors.Conflict(*second.arguments)
    assert second.error == "Conflict"
    assert conflict.existing_id == first.result["data"]["id"]


def test_a_bad_request_carries_klaviyos_pointers(idle):
    # The sandbox, as Klaviyo, refuses more addresses than can be known here.
    end = idle.end_of(create_profile.delay(email="ada@example").id)

    refusal = errors.BadRequest(*end.arguments)
    assert end.error == "BadRequest"
    assert refusal.pointers == ["/data/attributes/email"]


def test_a_429_waits_and_uses_no_attempt_and_stops_its_own_bucket_only(idle):
    idle.sandbox.fault("throttle", operation="get_profiles", retry_after=1, times=None)
    throttled = get_profiles.delay().id
    until(lambda: idle.sandbox.statuses("get_profiles"), 5, "the first 429")

    other = idle.end_of(create_profile.delay(email="ada@example.com").id)

    assert other.status == "SUCCESS"
    assert idle.status(throttled) != "SUCCESS"
    until(lambda: len(idle.sandbox.statuses("get_profiles")) > ATTEMPTS, 10, "more 429s than there are attempts")
    idle.sandbox.clear_faults()
    assert idle.end_of(throttled).status == "SUCCESS"
    rows = idle.sandbox.ledger("get_profiles")
    assert [row["status"] for row in rows] == [429] * (len(rows) - 1) + [200]
    pauses = [later["at"] - earlier["at"] for earlier, later in itertools.pairwise(rows)]
    assert min(pauses) >= 1, pauses


def test_a_429_that_does_not_say_how_long_is_waited_out(idle):
    idle.sandbox.fault("throttle", operation="get_profiles")

    end = idle.end_of(get_profiles.delay().id)

    first, second = idle.sandbox.ledger()
    assert end.status == "SUCCESS"
    assert (first["status"], second["status"]) == (429, 200)
    assert second["at"] - first["at"] >= 0.9


def test_a_429_for_eighteen_hours_leaves_the_task_in_redis(idle):
    idle.sandbox.fault("throttle", operation="get_profiles", retry_after=18 * 3600, times=1)
    blocked = [get_profiles.delay().id]
    idle.reached(blocked[0], "RETRY", seconds=5)

    blocked += [get_profiles.delay().id for _ in range(5)]
    other = idle.end_of(create_profile.delay(email="ada@example.com").id)

    assert other.status == "SUCCESS"
    places = idle.places_at_rest(blocked)
    assert places.waiting == set(blocked)
    assert idle.sandbox.statuses("get_profiles") == [429]
    hours = (int(idle.redis.hget("klaviyo:blocked", "default:get_profiles")) / 1000 - idle.redis.time()[0]) / 3600
    assert 17.9 < hours < 18.1
