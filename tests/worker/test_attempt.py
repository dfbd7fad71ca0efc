"""What a request leaves behind in the windows, however it ends."""

from __future__ import annotations

from types import SimpleNamespace

import httpx
import pytest
import redis

from tasks.client import create_client_profile
from tasks.lists import create_list, get_lists
from worker import execution
from worker.api.jsonapi import Quota
from worker.backoff import DEFAULT_RETRY_AFTER_S
from worker.errors import BadRequest, OutcomeUnknown, SettingsError, Throttled, Unavailable
from worker.execution import Call, attempt
from worker.http_client import Response
from worker.redis.connection import NotReplicated
from worker.settings import Settings

WINDOW = {"ratelimit-limit": "150", "ratelimit-remaining": "149", "ratelimit-reset": "59"}


@pytest.fixture
def closed(monkeypatch):
    """Makes a request end in some way, and tells how its lease was closed and what was raised."""

    def make(end, action=get_lists, **params):
        def send(*_):
            if isinstance(end, Exception):
                raise end
            status, headers = end
            return Response(status, httpx.Headers(headers), b'{"data": []}')

        monkeypatch.setattr(execution, "send", send)
        monkeypatch.setattr(execution, "get_client", lambda: None)
        told = []
        governor = SimpleNamespace(close_lease=lambda id, end, holder: told.append(end))
        call = Call(action.declaration, "default", action.declaration.bind(params), "id", "holder")
        raised = None
        try:
            attempt(call, governor, Settings(_env_file=None, api_key="pk_a"))
        except Exception as error:
            raised = error
        [one] = told
        return one, type(raised)

    return make


def test_an_answer_counts_and_corrects_our_view(closed):
    end, raised = closed((200, WINDOW))

    assert (end.used, end.quota, end.block) == (True, Quota(150, 149, 59), 0.0)
    assert raised is type(None)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("17", 17),
        ("0", 0),
        ("-5", 0),
        ("soon", DEFAULT_RETRY_AFTER_S),
        ("", DEFAULT_RETRY_AFTER_S),
        ("1e9", 86_400),
        ("nan", DEFAULT_RETRY_AFTER_S),
    ],
)
def test_a_429_is_counted_in_no_window_and_blocks_for_as_long_as_it_says(closed, told, seconds):
    end, raised = closed((429, {"retry-after": told}), create_list, name="News")

    assert (end.used, end.forget, raised) == (False, True, Throttled)
    assert end.block == pytest.approx(seconds + 0.05)
    assert end.block_reason == ""


def test_a_refusal_counts_and_was_certainly_not_carried_out(closed):
    end, raised = closed((400, WINDOW), create_list, name="News")

    assert (end.used, end.forget, end.quota, raised) == (True, True, Quota(150, 149, 59), BadRequest)


def test_a_server_error_counts_and_may_have_been_carried_out(closed):
    assert (closed((503, {}))[0].forget, closed((503, {}))[1]) == (False, Unavailable)
    end, raised = closed((503, {}), create_list, name="News")

    assert (end.used, end.forget, raised) == (True, False, OutcomeUnknown)


def test_what_has_not_left_this_machine_counts_nowhere_and_may_be_sent_again(closed):
    gone = Unavailable("create_list", "default", "no connection", False)

    end, raised = closed(gone, create_list, name="News")

    assert (end.used, end.forget, raised) == (False, True, Unavailable)


def test_what_cannot_be_sent_counts_nowhere(closed):
    end, raised = closed(SettingsError("no key."))

    assert (end.used, end.forget, raised) == (False, True, SettingsError)


def test_what_goes_wrong_once_it_may_have_been_sent_counts(closed):
    end, raised = closed(RuntimeError("a fault of ours"), create_list, name="News")

    assert (end.used, end.forget, raised) == (True, False, RuntimeError)


@pytest.mark.parametrize(
    ("status", "action", "params", "proves"),
    [
        (200, get_lists, {}, True),
        (404, get_lists, {}, True),
        (401, get_lists, {}, False),
        (403, get_lists, {}, False),
        (429, get_lists, {}, False),
        (503, get_lists, {}, False),
        (202, create_client_profile, {"email": "ada@example.com"}, False),
    ],
)
def test_only_what_klaviyo_takes_proves_that_a_key_is_right(closed, status, action, params, proves):
    end, _ = closed((status, {}), action, **params)

    assert bool(end.accepted_key) is proves


@pytest.mark.parametrize(
    "away", [NotReplicated(0, 1, 1.0), redis.ConnectionError("another server has become the primary")]
)
def test_what_must_not_be_repeated_waits_until_a_replica_knows_that_it_is_about_to_be_sent(monkeypatch, away):
    def confirm():
        raise away

    monkeypatch.setattr(execution, "send", lambda *_: pytest.fail("it was sent"))
    monkeypatch.setattr(execution, "meters", [None])  # no 429 to count
    told = []
    governor = SimpleNamespace(close_lease=lambda id, end, holder: told.append(end), confirm=confirm)
    call = Call(create_list.declaration, "default", create_list.declaration.bind({"name": "News"}), "id", "holder")

    with pytest.raises(Throttled, match="waiting for replicas of Redis"):
        attempt(call, governor, Settings(_env_file=None, api_key="pk_a", redis_replicas=1))

    assert [(end.used, end.forget) for end in told] == [(False, True)]
    assert told[0].block_reason == "replicas of Redis have not confirmed the request yet"
