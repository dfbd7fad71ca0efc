"""What becomes of a call, whatever Celery hands on with it: nothing crashes, and nothing leads it astray."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery, chain, chord, group
from celery._state import _task_stack
from celery.app.routes import prepare
from celery.canvas import Signature

from tasks.collect import collect
from tasks.events import create_event
from tasks.imports import import_profiles
from tasks.jobs import run_job
from tasks.lists import create_list, get_list
from tasks.profiles import bulk_import_profiles, create_profile, get_profiles, update_profile
from worker import canvas, successors  # noqa: F401  canvas has the tasks of map and chunks
from worker.account_and_lane import Place, placed
from worker.action import ACTIONS
from worker.app import app
from worker.errors import InputError, SettingsError
from worker.tiers import is_line

ADA = {"email": "ada@example.com"}


class Broker:
    """What was published, as workers would receive it."""

    def __init__(self):
        self.messages = []

    def publish(self, body, **how):
        self.messages.append((body, how))

    @property
    def one(self):
        [message] = self.messages
        return message

    def headers(self, number=0):
        return self.messages[number][1]["headers"]

    def wait(self, number=0):
        return self.headers(number)["klaviyo"]

    def followers(self, number=0):
        return json.loads(json.dumps(self.messages[number][0][2]))


@pytest.fixture
def broker(settings, monkeypatch):
    settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
    settings.setenv("KLAVIYO_ACCOUNTS__US__API_KEY", "pk_us")
    made = Broker()
    # What goes straight into its waiting list is the same (tests/live/test_publishing.py).
    monkeypatch.setattr("worker.checked_task.is_plain", lambda *_: False)
    monkeypatch.setattr("kombu.Producer.publish", lambda _, body, **how: made.publish(body, **how))
    # Celery subscribes to every result of a group.
    monkeypatch.setattr("worker.results.Backend.add_pending_result", lambda *_, **__: None)
    return made


OPTIONS = {
    "queue": "celery", "exchange": "theirs", "exchange_type": "topic", "routing_key": "theirs.#", "argsrepr": "(1,)",
    "kwargsrepr": "{'email': 'ada@example.com'}", "serializer": "yaml", "priority": 3, "expires": 60,
    "ignore_result": True, "task_id": "mine", "shadow": "another name", "reply_to": "there", "retries": 2,
    "time_limit": 10, "soft_time_limit": 5, "retry": False, "retry_policy": {"max_retries": 1}, "compression": "zlib",
    "delivery_mode": 1, "headers": {"x": "y"}, "link": create_list.si(name="l"), "root_id": "r", "parent_id": "p",
    "link_error": [create_list.si(name="l")], "group_id": "g", "group_index": 1, "chord": create_list.si(name="l"),
    "chain": [create_list.si(name="l")], "eta": datetime.now(UTC) + timedelta(hours=1), "countdown": 5,
    "stamped_headers": ["order"], "declare": [], "add_to_parent": False, "replaced_task_nesting": 1, "origin": "me",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(OPTIONS))
@pytest.mark.parametrize("where", ["apply_async", "set", "task"])
def test_every_option_of_celerys_is_taken_and_the_call_goes_to_its_own_waiting_list(broker, name, where):
    given = {name: OPTIONS[name], **({"order": "4711"} if name == "stamped_headers" else {})}

    match where:
        case "apply_async":
            create_profile.apply_async(kwargs=ADA, **given)
        case "set":
            create_profile.si(**ADA).set(**given).apply_async()
        case "task":
            app.signature("klaviyo.create_profile", kwargs=ADA, options=given).delay()

    body, how = broker.one
    assert (how["exchange"], how["routing_key"], how["serializer"]) == ("", "klaviyo.l", "json")
    assert how["headers"]["klaviyo"]["line"] == "default:create_profile"
    assert "ada@example.com" not in str(how)
    assert body[1] == ADA


def test_stamps_travel_with_the_message(broker):
    stamped = create_profile.si(**ADA)
    stamped.stamp(order="4711")

    stamped.delay()

    assert broker.headers()["stamps"] == {"order": "4711"}


def test_routes_of_the_application_do_not_lead_an_action_astray(broker, monkeypatch):
    theirs = {"klaviyo.*": {"exchange": "theirs", "routing_key": "theirs.key"}}
    monkeypatch.setattr(app.amqp.router, "routes", prepare(theirs))

    create_profile.delay(**ADA)
    collect.delay("get_profiles")
    run_job(bulk_import_profiles).delay(profiles=[ADA])

    assert [(how["exchange"], how["routing_key"]) for _, how in broker.messages] == [
        ("", "klaviyo.l"), ("", "klaviyo"), ("", "klaviyo"),
    ]  # fmt: skip


def test_a_group_of_another_application_does_not_carry_ours_to_its_broker(broker):
    with Celery("shop", broker="memory://", set_as_current=False) as shop, shop.producer_or_acquire() as producer:
        create_profile.apply_async(kwargs=ADA, producer=producer, connection=producer.connection)

    assert broker.one[1]["headers"]["klaviyo"]["account"] == "default"


def test_times_may_be_written_in_every_way(broker):
    hour = datetime.now(UTC) + timedelta(hours=1)
    for when in ({"countdown": 3600}, {"eta": hour}, {"eta": hour.isoformat()}, {"eta": hour.replace(tzinfo=None)}):
        create_profile.apply_async(kwargs=ADA, **when)
    create_profile.apply_async(kwargs=ADA, eta=hour - timedelta(hours=2))

    delays = [how["headers"]["klaviyo"]["delay"] for _, how in broker.messages]
    assert [round(each / 60) for each in delays] == [60, 60, 60, 60, 0]
    for wrong in ({"countdown": "soon"}, {"eta": "tomorrow"}, {"countdown": float("inf")}):
        with pytest.raises(InputError, match="countdown is a number"):
            create_profile.apply_async(kwargs=ADA, **wrong)


@pytest.mark.parametrize("call", [create_profile, run_job(bulk_import_profiles), get_profiles])
@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"countdown": -4}, "countdown is a number of seconds from now, 0 or more"),
        ({"countdown": float("nan")}, "countdown is a number of seconds"),
        ({"countdown": 9, "expires": 3}, "it would expire in 3 seconds, before its countdown of 9 seconds is over"),
        ({"countdown": 9, "expires": timedelta(seconds=3)}, "it would expire in 3 seconds"),
        ({"countdown": 3600, "expires": datetime(2026, 1, 1, tzinfo=UTC)}, "before its countdown of 3,600 seconds"),
    ],
)
def test_a_time_at_which_nothing_could_be_sent_is_refused(call, times, said):
    with pytest.raises(InputError, match=said):
        call.on(**times)


@pytest.mark.parametrize("times", [{"countdown": 9, "expires": 9}, {"expires": 0}, {"countdown": 3600}])
def test_a_time_at_which_something_can_be_sent_is_taken(times):
    create_profile.on(**times)


@pytest.mark.parametrize(("priority", "lane"), [(None, "now"), (0, "now"), (4, "now"), (5, "bulk"), (9, "bulk")])
def test_a_priority_comes_to_a_lane(broker, priority, lane):
    create_profile.apply_async(kwargs=ADA, priority=priority)
    create_profile.on(lane="now").apply_async(kwargs=ADA, priority=priority)

    assert [broker.wait(0)["lane"], broker.wait(1)["lane"]] == [lane, "now"]


# Where a call belongs.


def test_an_account_in_a_signature_holds_against_that_of_its_group(broker):
    work = group(create_profile.on("us", lane="bulk").si(**ADA), create_profile.si(**ADA))

    work.apply_async(headers={"klaviyo_account": "eu"})

    assert [(broker.wait(n)["account"], broker.wait(n)["lane"]) for n in (0, 1)] == [("us", "bulk"), ("eu", "now")]


def test_what_follows_carries_the_account_of_what_is_before_it_where_it_has_none(broker):
    body = create_list.si(name="body")
    follow = chain(create_list.si(name="a"), create_list.on("us").si(name="b"), chord([create_list.si(name="c")], body))

    chain(create_profile.on("eu", lane="bulk").si(**ADA), app.signature("shop.task"), follow).delay()

    later = broker.followers()["chain"]
    told = {part["kwargs"].get("name", part["task"]): part["options"].get("klaviyo_account") for part in later}
    assert told == {"celery.chord": None, "b": "us", "a": "eu", "shop.task": None}
    [chorded] = [part for part in later if part["subtask_type"] == "chord"]
    assert chorded["kwargs"]["body"]["options"]["klaviyo_account"] == "eu"
    header = chorded["kwargs"]["header"]["kwargs"]["tasks"]
    assert [part["options"]["klaviyo_account"] for part in header] == ["eu"]


def test_a_signature_is_not_changed_by_being_placed():
    link = create_list.si(name="x")
    before = json.dumps(link)

    placed(create_profile.si(**ADA).set(link=link), Place("eu", "bulk"))

    assert json.dumps(link) == before


@pytest.fixture
def inside():
    """As if a worker carried out a task on the account eu, in the lane bulk."""
    task = app.tasks["klaviyo.collect"]
    task.push_request(id="t", klaviyo_account="eu", klaviyo_lane="bulk", called_directly=False)
    _task_stack.push(task)
    yield
    _task_stack.pop()
    task.pop_request()


def test_a_call_inside_a_task_has_the_tasks_account_and_lane_unless_it_says_another(broker, inside):
    create_profile.delay(**ADA)
    create_profile.on("us").delay(**ADA)
    run_job(bulk_import_profiles).delay(profiles=[ADA])
    app.send_task("shop.task")

    assert [(broker.wait(n)["account"], broker.wait(n)["lane"]) for n in (0, 1)] == [("eu", "bulk"), ("us", "bulk")]
    for number in (2, 3):
        assert broker.headers(number)["klaviyo_account"] == "eu"
        assert broker.headers(number)["klaviyo_lane"] == "bulk"


# What is refused at the call.


@pytest.mark.parametrize(
    "call",
    [
        lambda lane: create_profile.on(lane=lane),
        lambda lane: create_profile.apply_async(kwargs=ADA, headers={"klaviyo_lane": lane}),
        lambda lane: create_profile.apply_async(kwargs=ADA, klaviyo_lane=lane),
        lambda lane: create_profile.si(**ADA).set(klaviyo_lane=lane).delay(),
        lambda lane: get_profiles.on(lane=lane),
        lambda lane: collect.apply_async(("get_profiles",), headers={"klaviyo_lane": lane}),
        lambda lane: run_job(bulk_import_profiles).on(lane=lane),
        lambda lane: run_job(bulk_import_profiles).si(profiles=[ADA]).set(klaviyo_lane=lane).delay(),
        lambda lane: import_profiles([ADA], lane=lane),
    ],
)
def test_a_lane_that_is_none_is_refused_at_the_call(broker, fake_redis, call):
    with pytest.raises(InputError, match=r"there is no lane 'Bulk': did you mean 'bulk'\?"):
        call("Bulk")
    with pytest.raises(InputError, match="it is 'now' or 'bulk'"):
        call("zzz\n")

    assert not broker.messages


@pytest.mark.parametrize("id", ["a\nb", "a b", "^a", "a|b", "x" * 1_001, "a\x00"])
def test_an_id_that_redis_could_not_keep_apart_is_refused_at_the_call(broker, id):
    for call in (
        lambda: create_profile.apply_async(kwargs=ADA, task_id=id),
        lambda: collect.apply_async(("get_profiles",), task_id=id),
        lambda: run_job(bulk_import_profiles).apply_async({"profiles": [ADA]}, task_id=id),
    ):
        with pytest.raises(InputError, match="an id has up to 1,000 characters"):
            call()
    assert not broker.messages


@pytest.mark.parametrize(
    "wait",
    ["x", {}, {"lane": "Bulk", "line": "default:a", "spec": "klaviyo.l;default:a=1:60000"},
     {"lane": "now", "line": "a\nb", "spec": "klaviyo.l;default:a=1:60000"},
     {"lane": "now", "line": "default:a", "spec": "klaviyo.nowhere;default:a=1:60000"},
     {"lane": "now", "line": "default:a", "spec": "rubbish"}],
)  # fmt: skip
def test_a_header_of_ours_that_somebody_made_up_does_not_travel(broker, wait):
    app.send_task("klaviyo.create_profile", kwargs=ADA, headers={"klaviyo": wait})

    assert "klaviyo" not in broker.headers()


def test_a_task_whose_header_is_dropped_keeps_its_account(broker):
    app.send_task("klaviyo.job_read", headers={"klaviyo": {"lane": "now", "account": "eu"}})

    assert broker.headers()["klaviyo_account"] == "eu"


def test_every_line_that_is_declared_is_known_as_one():
    for action in ACTIONS.values():
        extras = action.declaration.extras
        for params in ({}, {extra.parameter: [each.value for each in extras] for extra in extras}):
            line = action.declaration.line("eu-store", params)
            assert is_line(line.name, line.spec), line


# Celery's shapes.


def test_a_signature_is_checked_where_it_is_made_and_a_partial_one_where_it_is_published(broker):
    for make in (create_profile.s, create_profile.si):
        with pytest.raises(InputError, match="did you mean 'email'"):
            make(emial="x")
    assert create_profile.s(**ADA).immutable is False
    assert isinstance(update_profile.signature(kwargs={"first_name": "Ada"}), Signature)
    with pytest.raises(InputError, match="'id' is missing"):
        update_profile.signature(kwargs={"first_name": "Ada"}).delay()


def test_the_id_of_the_record_before_is_taken_where_one_is_lacking_and_nothing_else(broker):
    before = {"data": {"type": "list", "id": "L1"}, "error": None, "successful": True}

    get_list.signature().delay(before)
    get_list.s(id="L2").delay(before)
    create_profile.s(**ADA).delay(before)

    assert [body[1] for body, _ in broker.messages] == [{"id": "L1"}, {"id": "L2"}, ADA]
    for given in (("L1",), (before, before), ({"id": "L1"},)):
        with pytest.raises(InputError, match="keyword arguments only"):
            get_list.signature().apply_async(given)


def test_map_and_starmap_are_groups_of_calls_and_chunks_a_task_for_each_part(broker):
    calls = [{"email": f"p{n}@example.com"} for n in range(5)]

    create_profile.on("eu").map(calls[:2]).delay()
    create_profile.starmap([[calls[2]], calls[3]]).delay()
    create_profile.chunks(iter(calls), 2).delay()

    assert [body[1] for body, _ in broker.messages[:4]] == calls[:4]
    assert broker.wait(0)["account"] == "eu"
    parts = [body[1]["it"] for body, _ in broker.messages[4:]]
    assert parts == [calls[:2], calls[2:4], calls[4:]]
    assert {how["headers"]["task"] for _, how in broker.messages[4:]} == {"celery.starmap"}
    assert "@example.com" not in str([how for _, how in broker.messages])
    for shape in (create_profile.map, create_profile.starmap):
        with pytest.raises(InputError, match="mapping of parameters"):
            shape(["ada@example.com"])
        with pytest.raises(InputError, match="emial"):
            shape([{"emial": "x"}])


@pytest.mark.parametrize("name", ["link", "retry", "priority", "rate_limit", "max_retries"])
def test_what_makes_no_sense_on_an_action_is_refused_in_words(name):
    with pytest.raises(AttributeError, match=f"klaviyo.create_event has no '{name}': "):
        getattr(create_event, name)


# What follows a success.


@pytest.fixture
def following():
    token = successors._over.set(True)
    yield
    successors._over.reset(token)


@pytest.mark.parametrize(
    "call",
    [
        lambda: app.signature("klaviyo.create_profile", kwargs={"emial": "x"}, task_id="t").delay(),
        lambda: create_profile.apply_async(kwargs=ADA, klaviyo_account="nowhere", task_id="t"),
        lambda: create_profile.apply_async(kwargs=ADA, klaviyo_lane="Bulk", task_id="t"),
        lambda: collect.apply_async(("get_nothing",), task_id="t"),
        lambda: app.signature("klaviyo.job", kwargs={"kind": "nothing", "params": {}}, task_id="t").delay(),
    ],
)
def test_a_part_that_is_wrong_is_published_to_fail_by_itself(broker, following, call):
    assert call().id == "t"

    headers = broker.headers()
    assert (headers["id"], headers.get("klaviyo")) == ("t", None)
    assert broker.one[1]["routing_key"].startswith("klaviyo")
    assert "@example.com" not in str(headers)


def test_outside_of_that_it_is_refused_at_the_call(broker):
    with pytest.raises(SettingsError):
        create_profile.apply_async(kwargs=ADA, klaviyo_account="nowhere")
    assert not broker.messages
