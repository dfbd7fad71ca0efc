"""One run of a push at a time."""

import pytest

from schedules.push import lock as push_lock
from schedules.push.lock import Held, held


@pytest.fixture(autouse=True)
def server(client, monkeypatch):
    monkeypatch.setattr(push_lock, "get_redis", lambda: client)


def test_a_push_is_held_by_one_run_and_whoever_asks_again_is_told_whether_it_was_he():
    with held("default", "events", "mine"):
        for token, own in (("mine", True), ("another's", False)):
            with pytest.raises(Held) as refused, held("default", "events", token):
                pass
            assert refused.value.own is own


def test_another_push_another_account_and_the_next_run_are_not_held_up():
    with held("default", "events", "a"), held("default", "profiles", "b"), held("eu", "events", "c"):
        pass
    with held("default", "events", "d"):
        pass


def test_a_run_that_was_stopped_for_too_long_is_told_that_it_no_longer_holds_the_push(client, monkeypatch):
    monkeypatch.setattr(push_lock, "HOLDS", 0.1)

    with held("default", "events", "slow") as lost:
        client.set("klaviyo:push:default:events", "another's")
        assert lost.wait(10)
