"""How the worker waits between attempts."""

from types import SimpleNamespace

import pytest

from tasks.events import create_event
from worker.api.repeat import SAFE, never
from worker.backoff import backoff
from worker.carrying_out import ends_without_follower, together_with
from worker.execution import Call
from worker.governor import ALONE
from worker.message_headers import HEADER
from worker.process import ending
from worker.settings import Settings


def test_the_backoff_doubles_up_to_its_longest_with_full_jitter():
    settings = Settings(backoff_seconds=1, backoff_max_seconds=60)

    def longest(low, high):
        return high

    assert [backoff(attempts, settings, longest) for attempts in (0, 1, 2, 5, 6, 100)] == [1, 2, 4, 32, 60, 60]
    assert backoff(3, settings, lambda low, high: low) == 0


@pytest.fixture
def in_a_pool(monkeypatch):
    """A thread of the worker's pool, which somebody sees to the ends of."""
    monkeypatch.setattr(ending._here, "may", True)


def request(**followed):
    return SimpleNamespace(**{"callbacks": None, "chain": None, "chord": None, **followed})


@pytest.mark.parametrize("follower", ["callbacks", "chain", "chord"])
def test_a_task_that_others_follow_ends_by_itself(in_a_pool, follower):
    call = SimpleNamespace(repeat=SAFE)

    assert ends_without_follower(call, request())
    assert not ends_without_follower(call, request(**{follower: [{"task": "x"}]}))


def test_what_must_not_be_repeated_ends_by_itself(in_a_pool):
    assert not ends_without_follower(SimpleNamespace(repeat=never("look")), request())


def test_a_task_outside_a_pool_ends_by_itself():
    assert not ends_without_follower(SimpleNamespace(repeat=SAFE), request())


def delivered(told, task="klaviyo.create_event"):
    """A delivery, as it is asked for its headers."""
    headers = {"task": task, **told}
    return SimpleNamespace(get=headers.get, headers={}, delivery_info={})


EVENT = {"metric": "Bought", "profile": {"email": "ada@example.com"}}


def test_what_another_application_sent_may_travel_with_others_unless_it_says_no(clean_settings):
    call = Call(create_event.declaration, "default", create_event.declaration.bind(EVENT), "id")

    share, carrier = together_with(call, delivered({}))

    assert share.split()[0] == "1"
    assert "default:bulk_create_events" in carrier
    assert together_with(call, delivered({"klaviyo_together": False})) == ALONE
    assert together_with(call, delivered({HEADER: {}})) == ALONE


def test_a_step_of_a_job_travels_with_nothing(clean_settings):
    call = Call(create_event.declaration, "default", create_event.declaration.bind(EVENT), "id")

    assert together_with(call, delivered({}, task="klaviyo.job_spawn")) == ALONE
