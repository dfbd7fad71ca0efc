"""A body that cannot be read, in an answer that says yes: what Klaviyo has confirmed has happened."""

from types import SimpleNamespace

import httpx
import pytest

from tasks.lists import create_list
from tasks.profiles import create_or_update_profile, create_profile, get_profiles, update_profile
from tasks.reporting import query_form_values
from tests.cli.typed import klaviyo
from worker import execution
from worker.errors import OutcomeUnknown, Unavailable
from worker.execution import send_in_process

ATTEMPTS = 3

ASKED = [
    (get_profiles, {}),
    (query_form_values, {"statistics": ["viewed_form"], "timeframe": {"key": "last_30_days"}}),
]
SAFE = (update_profile, {"id": "01A", "first_name": "Ada"})
KEYED = (create_profile, {"email": "ada@example.com"})
ONCE = (create_list, {"name": "Members"})

BLANK = [b"", b"  \n"]
UNREADABLE = [
    b'{"data": {"type": "list", "id": "L", "attributes": {"x": NaN}}}',
    b'{"data": {"type": "list", "id": "L", "attributes": {"x": 1e400}}}',
    b'{"data": {"type": "li',
    b"\xff",
    b'"text"',
    b'{"data": [1]}',
]
JSON = {"content-type": "application/vnd.api+json"}
#: What a proxy, a captive portal or an outage page says in Klaviyo's place.
SOMEBODY_ELSES = [{"content-type": "text/html"}, {}]


@pytest.fixture
def ended(settings, monkeypatch):
    """Makes a call that is answered in one way for ever; tells what it came to, and how many requests it made."""
    settings.setenv("KLAVIYO_MAX_ATTEMPTS", str(ATTEMPTS))
    settings.setenv("KLAVIYO_BACKOFF_SECONDS", "0.001")
    execution.get_settings.cache_clear()
    always = SimpleNamespace(reserve=lambda *_: 0.0, close_lease=lambda *_: None)
    monkeypatch.setattr(execution, "get_governor", lambda: always)

    def make(call, status, body, headers):
        came = []

        def answer(request):
            came.append(request)
            return httpx.Response(status, content=body, headers=headers)

        monkeypatch.setattr("worker.execution.get_client", klaviyo(answer))
        action, params = call
        try:
            return send_in_process(action.declaration, "default", action.declaration.bind(params)), len(came)
        except (Unavailable, OutcomeUnknown) as error:
            return error, len(came)

    return make


@pytest.mark.parametrize("body", [*BLANK, *UNREADABLE])
@pytest.mark.parametrize("headers", [JSON, *SOMEBODY_ELSES], ids=str)
@pytest.mark.parametrize("call", ASKED, ids=["get", "report"])
def test_what_only_asks_is_asked_again_until_it_is_answered(ended, call, body, headers):
    error, requests = ended(call, 200, body, headers)

    assert isinstance(error, Unavailable)
    assert requests == ATTEMPTS


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", BLANK)
@pytest.mark.parametrize("headers", [JSON, *SOMEBODY_ELSES], ids=str)
@pytest.mark.parametrize("call", [SAFE, KEYED, ONCE], ids=["safe", "keyed", "once"])
def test_a_write_needs_no_body_to_have_succeeded(ended, call, status, body, headers):
    assert ended(call, status, body, headers) == ({"data": None, "error": None, "successful": True}, 1)


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("body", UNREADABLE)
@pytest.mark.parametrize("call", [SAFE, KEYED, ONCE], ids=["safe", "keyed", "once"])
def test_a_write_that_klaviyo_has_confirmed_is_a_success_with_nothing_more_known(ended, caplog, call, status, body):
    envelope, requests = ended(call, status, body, JSON)

    assert (envelope["successful"], envelope["error"], envelope["data"], requests) == (True, None, None, 1)
    assert str(status) in envelope["unread"]
    [told] = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert told.startswith(f"{call[0].declaration.name} on account default was carried out")


@pytest.mark.parametrize("body", UNREADABLE)
@pytest.mark.parametrize("headers", SOMEBODY_ELSES, ids=str)
@pytest.mark.parametrize(
    ("call", "error", "requests"),
    [(SAFE, Unavailable, ATTEMPTS), (KEYED, Unavailable, ATTEMPTS), (ONCE, OutcomeUnknown, 1)],
    ids=["safe", "keyed", "once"],
)
def test_a_yes_that_is_not_klaviyos_leaves_open_whether_it_was_carried_out(ended, call, error, requests, body, headers):
    end, made = ended(call, 200, body, headers)

    assert (type(end), made) == (error, requests)


@pytest.mark.parametrize(("status", "created"), [(201, True), (200, False)])
@pytest.mark.parametrize("body", [b'{"data": {"type": "profile", "id": "01A"}}', b'{"data": {"ty', b""])
def test_creating_or_updating_tells_which_it_was_whatever_its_body(ended, status, created, body):
    envelope, _ = ended((create_or_update_profile, {"email": "ada@example.com"}), status, body, JSON)

    assert envelope["created"] is created
    assert "created" not in ended(KEYED, status, body, JSON)[0]
