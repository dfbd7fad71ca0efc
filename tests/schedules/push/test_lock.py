"""One run of a push at a time."""

import pytest

from schedules.push import lock as push_lock
from schedules.push.lock import AlreadyRunning, hold_lock


@pytest.fixture(autouse=True)
def server(client, monkeypatch):
    monkeypatch.setattr(push_lock, "get_redis", lambda: client)


def test_a_push_is_locked_by_one_run_and_a_second_attempt_learns_whether_it_has_the_same_token():
    with hold_lock("default", "events", "mine"):
        for token, own in (("mine", True), ("another's", False)):
            with pytest.raises(AlreadyRunning) as refused, hold_lock("default", "events", token):
                pass
            assert refused.value.own is own


def test_another_push_another_account_and_the_next_run_are_not_blocked():
    with hold_lock("default", "events", "a"), hold_lock("default", "profiles", "b"), hold_lock("eu", "events", "c"):
        pass
    with hold_lock("default", "events", "d"):
        pass


def test_a_run_that_was_suspended_for_too_long_learns_that_it_has_lost_the_lock(client, monkeypatch):
    monkeypatch.setattr(push_lock, "LOCK_TTL_S", 0.1)

    with hold_lock("default", "events", "slow") as lost:
        client.set("klaviyo:push:default:events", "another's")
        assert lost.wait(60)
