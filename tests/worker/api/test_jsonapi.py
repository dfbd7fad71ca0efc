"""What an answer of Klaviyo's means."""

import json

import pytest
from celery import Celery

from worker.api.jsonapi import Envelope, Quota, interpret, outcome, quota
from worker.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    Refused,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from worker.telemetry.masking import mask_text


def answer(status, document=None, content_type="application/vnd.api+json", content=None, reads=False, **headers):
    body = content if content is not None else b"" if document is None else json.dumps(document).encode()
    given = {"content-type": content_type, **headers}
    return interpret("create_profile", "default", status, given, body, reads=reads)


def refused(detail="No.", **more):
    return {"errors": [{"id": "e-1", "code": "invalid", "title": "Invalid", "detail": detail, **more}]}


def test_data_included_links_and_meta_come_in_the_envelope():
    document = {
        "data": {"type": "profile", "id": "1"},
        "included": [{"type": "list", "id": "L"}],
        "links": {"next": None},
        "meta": {"agent_hints": {"hints": []}},
    }

    assert answer(200, document) == {**document, "error": None, "successful": True}


def test_an_empty_answer_is_an_envelope_without_data():
    assert answer(204) == {"data": None, "error": None, "successful": True}


def test_a_job_comes_with_its_id():
    document = {"data": {"type": "profile-bulk-import-job", "id": "job-1"}}

    assert answer(202, document)["job_id"] == "job-1"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest), (401, Unauthorized), (403, Forbidden), (404, NotFound), (409, Conflict), (410, Gone),
        (413, TooLarge), (415, UnsupportedMediaType), (418, Refused),
    ],
)  # fmt: skip
def test_a_status_has_its_error(status, kind):
    with pytest.raises(kind) as caught:
        answer(status, refused())

    assert type(caught.value) is kind


def test_a_refusal_says_what_where_and_with_which_id():
    with pytest.raises(BadRequest) as caught:
        answer(400, refused("Too long.", source={"pointer": "/data/attributes/first_name"}))

    assert str(caught.value) == (
        "create_profile on account default: Klaviyo answered 400: Too long [/data/attributes/first_name]. "
        "Klaviyo's error id: e-1."
    )
    assert caught.value.pointers == ["/data/attributes/first_name"]


def test_a_conflict_names_the_profile_that_is_in_the_way():
    with pytest.raises(Conflict) as caught:
        answer(409, refused(meta={"duplicate_profile_id": "01ABC", "email": "ada@example.com"}))

    assert caught.value.existing_id == "01ABC"
    assert str(caught.value).endswith("Klaviyo's error id: e-1. What exists already has the id 01ABC.")
    assert "ada@example.com" not in repr(caught.value.args)


@pytest.mark.parametrize(
    "text", ["ada@example.com is taken", "call +1 (555) 010-9999 first", "ada+x@mail.example.co.uk"]
)
def test_a_persons_address_is_masked(text):
    assert "***" in mask_text(text)
    assert "example" not in mask_text(text)
    assert "555" not in mask_text(text)


def test_an_id_some_of_whose_digits_would_pass_for_a_phone_number_stays_whole():
    text = "Klaviyo's error id: 569c1234-5678-4012-9055-92f3fb29ccbe."

    assert mask_text(text) == text
    assert mask_text(f"{text} +44 555 000 1234") == f"{text} ***"


@pytest.mark.parametrize("where", ["title", "detail"])
def test_what_klaviyo_says_of_an_error_names_no_person(where):
    with pytest.raises(BadRequest) as caught:
        answer(400, refused(**{where: "ada@example.com is not valid"}))

    assert "*** is not valid" in str(caught.value.errors)
    assert "example" not in f"{caught.value} {caught.value.args}"


def test_a_429_tells_how_long_by_its_header():
    with pytest.raises(Throttled) as caught:
        answer(429, refused(), **{"retry-after": "17"})

    assert caught.value.retry_after == 17


def test_a_429_without_the_header_tells_how_long_in_its_text():
    with pytest.raises(Throttled) as caught:
        answer(429, refused("Request was throttled. Expected available in 3 second(s)."))

    assert caught.value.retry_after == 3


def test_a_429_may_not_tell_how_long():
    with pytest.raises(Throttled) as caught:
        answer(429, content=b"slow down")

    assert caught.value.retry_after is None


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520, 524])
def test_a_server_error_may_have_been_carried_out(status):
    with pytest.raises(Unavailable) as caught:
        answer(status, content=b"<html>")

    assert caught.value.sent


def test_a_cloudflare_challenge_is_no_permission_error():
    with pytest.raises(Unavailable) as caught:
        answer(403, content_type="text/html; charset=UTF-8", content=b"<html>")

    assert not caught.value.sent


@pytest.mark.parametrize("content", [b'{"data": ', b'"text"', b"[1]"])
def test_a_body_that_is_not_json_api_leaves_the_outcome_open(content):
    with pytest.raises(Unavailable) as caught:
        answer(200, content=content, reads=True)

    assert caught.value.sent


def test_the_quota_is_read_from_the_headers():
    headers = {"ratelimit-limit": "750", "ratelimit-remaining": "12", "ratelimit-reset": "31"}

    assert quota(headers) == Quota(750, 12, 31)


@pytest.mark.parametrize(
    "headers",
    [{}, {"ratelimit-limit": "750"}, {"ratelimit-limit": "x", "ratelimit-remaining": "1", "ratelimit-reset": "1"}],
)
def test_an_incomplete_quota_is_none(headers):
    assert quota(headers) is None


def test_an_outcome_is_the_envelope_for_either_end():
    error = NotFound("get_profile", "default", 404, [])

    assert outcome(Envelope(data=1, error=None, successful=True)) == {"data": 1, "error": None, "successful": True}
    assert outcome(error) == {"data": None, "error": str(error), "successful": False}


@pytest.fixture
def stored():
    """Stores how a task stands; the result is as `.delay()` gives it."""
    shop = Celery("shop", backend="cache+memory://", set_as_current=False)

    def one(value, state):
        task_id = f"is-{state.lower()}"  # Celery's memory outlives the application
        shop.backend.store_result(task_id, value, state)
        return shop.AsyncResult(task_id)

    return one


REFUSED = NotFound("get_profile", "default", 404, [])


@pytest.mark.parametrize(("value", "state"), [({"data": 1, "successful": True}, "SUCCESS"), (REFUSED, "FAILURE")])
def test_an_outcome_is_read_from_what_delay_returned(stored, value, state):
    assert outcome(stored(value, state)) == outcome(value)


@pytest.mark.parametrize(("value", "state"), [(None, "PENDING"), (REFUSED, "RETRY")])
def test_a_task_that_has_not_ended_has_no_outcome_yet(stored, value, state):
    with pytest.raises(ValueError, match=r"Task is-.* has not finished"):
        outcome(stored(value, state))
