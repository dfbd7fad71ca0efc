"""A call made in this process ends as a task would, whatever Klaviyo answers."""

from functools import partial

import httpx
import pytest

from tasks.lists import create_list
from tasks.tags import get_tags
from tests.cli.typed import klaviyo
from worker import backoff, errors, execution
from worker.execution import send_in_process
from worker.governor import Governor

SAFE, ONCE = (get_tags, {}), (create_list, {"name": "Members"})


@pytest.fixture
def answers(settings, fake_redis, monkeypatch):
    """What Klaviyo answers, one after the other and the last for ever; and the requests that came."""
    settings.setenv("KLAVIYO_MAX_ATTEMPTS", "3")
    settings.setenv("KLAVIYO_BACKOFF_SECONDS", "0.001")
    execution.get_settings.cache_clear()
    given, came = [], []

    def answer(request):
        came.append(request)
        this = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(this, Exception):
            raise this
        return this

    monkeypatch.setattr("worker.execution.get_client", klaviyo(answer))
    return given, came


def made(call):
    action, params = call
    declaration = action.declaration
    return send_in_process(declaration, "default", declaration.bind(params))


NOT_JSON = httpx.Response(200, content=b"<html>")
CHALLENGE = httpx.Response(403, content=b"<html>", headers={"content-type": "text/html"})
NOT_REACHED, NO_ANSWER, CUT = httpx.ConnectError("no"), httpx.ReadTimeout("no"), httpx.RemoteProtocolError("cut")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.BadRequest), (401, errors.Unauthorized), (403, errors.Forbidden), (404, errors.NotFound),
        (409, errors.Conflict), (410, errors.Gone), (413, errors.TooLarge),
    ],
)  # fmt: skip
@pytest.mark.parametrize("call", [SAFE, ONCE], ids=["safe", "once"])
def test_a_refusal_is_raised_after_one_request(answers, call, status, error):
    given, came = answers
    given.append(httpx.Response(status, json={}))

    with pytest.raises(error):
        made(call)
    assert len(came) == 1


@pytest.mark.parametrize("end", [NOT_JSON, httpx.Response(503), NO_ANSWER, CUT], ids=str)
def test_what_may_have_been_carried_out_is_repeated_only_where_that_does_no_harm(answers, end):
    given, came = answers
    given.append(end)

    with pytest.raises(errors.Unavailable, match="after 3 attempts"):
        made(SAFE)
    assert len(came) == 3
    with pytest.raises(errors.OutcomeUnknown):
        made(ONCE)
    assert len(came) == 4


@pytest.mark.parametrize("end", [CHALLENGE, NOT_REACHED], ids=str)
@pytest.mark.parametrize("call", [SAFE, ONCE], ids=["safe", "once"])
def test_what_was_not_carried_out_is_tried_again(answers, call, end):
    given, came = answers
    given += [end, httpx.Response(200, json={"data": None})]

    assert made(call)["successful"]
    assert len(came) == 2


def test_the_first_wait_is_one_step_of_the_backoff_at_most(answers, monkeypatch):
    monkeypatch.setattr(execution, "backoff", partial(backoff.backoff, pick=lambda least, most: most))
    given, _ = answers
    given.append(NOT_REACHED)
    waits = []
    declaration = get_tags.declaration

    with pytest.raises(errors.Unavailable):
        send_in_process(declaration, "default", declaration.bind({}), waits.append)
    assert waits == [0.001, 0.002]


def test_a_long_wait_for_the_next_attempt_is_told_with_its_cause(answers, monkeypatch, caplog):
    waits = iter([0.5, 8.0])
    monkeypatch.setattr(execution, "backoff", lambda preceding, settings: next(waits))
    given, _ = answers
    given.append(NOT_REACHED)
    declaration = get_tags.declaration

    with pytest.raises(errors.Unavailable) as ended:
        send_in_process(declaration, "default", declaration.bind({}), lambda seconds: None)

    cause = str(ended.value).partition(" after ")[0]
    assert [each.getMessage() for each in caplog.records if each.name == "worker.now"] == [
        f"{cause}. Attempt 3 of 3 follows in 8 s."
    ]


@pytest.mark.parametrize("told", ["0", "soon", None])
def test_a_429_is_waited_out_and_uses_no_attempt(answers, monkeypatch, told):
    monkeypatch.setattr(backoff, "DEFAULT_RETRY_AFTER_S", 0.01)
    given, came = answers
    given += [httpx.Response(429, json={}, headers={"retry-after": told} if told else {})] * 4
    given.append(httpx.Response(200, json={"data": []}))

    assert made(SAFE)["successful"]
    assert len(came) == 5


def test_a_long_wait_is_told_once(answers, caplog):
    given, _ = answers
    given.append(httpx.Response(429, json={}, headers={"retry-after": "3600"}))

    class Enough(Exception):
        pass

    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            raise Enough

    declaration = get_tags.declaration
    with pytest.raises(Enough):
        send_in_process(declaration, "default", declaration.bind({}), sleep)

    assert slept == [execution.BUDGET_POLL_S] * 3
    assert [each.getMessage() for each in caplog.records if each.name == "worker.now"] == [
        "Waiting for budget of get_tags on account default: 3600 s at present."
    ]


def test_a_paused_account_is_told_at_once(answers, fake_redis):
    given, came = answers
    given.append(httpx.Response(200, json={"data": []}))
    Governor(fake_redis).pause("account:default", "somebody", "an incident", since=0)

    with pytest.raises(errors.Paused, match="an incident"):
        made(SAFE)
    assert came == []
