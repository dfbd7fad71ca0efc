"""The side door: faults, the request log, windows, resets, accounts; and OAuth."""

import asyncio
import base64

import httpx
import pytest

from tests.sandbox.in_process import Sandbox, profile

BASIC = {"Authorization": "Basic " + base64.b64encode(b"sandbox-app:sandbox-secret").decode()}


def fault(sandbox: Sandbox, kind: str, **more: object) -> None:
    answer = sandbox.post("/_sandbox/faults", {"fault": kind, **more})
    assert answer.status_code == 200, answer.text


def token(sandbox: Sandbox, headers: dict[str, str] = BASIC, **form: str) -> httpx.Response:
    return sandbox.request("POST", "/oauth/token", data=form, headers=headers)


@pytest.mark.parametrize("status", [400, 413, 500, 503])
def test_a_status_is_a_json_api_error(free: Sandbox, status: int) -> None:
    fault(free, "status", status=status, retry_after=3)
    answer = free.get("/api/lists")
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "3")
    assert answer.json()["errors"][0]["status"] == status
    assert free.get("/api/lists").status_code == 200


def test_a_gateway_answers_in_html(free: Sandbox) -> None:
    fault(free, "status", status=502)
    answer = free.get("/api/lists")
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html; charset=UTF-8")


def test_a_challenge_is_no_permission_error(free: Sandbox) -> None:
    fault(free, "challenge")
    answer = free.get("/api/lists")
    assert (answer.status_code, answer.headers["cf-mitigated"]) == (403, "challenge")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_a_broken_body_is_no_json_and_what_was_asked_is_done(free: Sandbox) -> None:
    fault(free, "malformed")
    answer = free.post("/api/profiles", profile(email="ada@example.com"))
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Unterminated"):
        answer.json()
    assert free.get("/_sandbox/state").json()["default"]["profile"] == 1


@pytest.mark.parametrize(("kind", "done"), [("reset", 0), ("cut_after_commit", 1)])
def test_a_cut_comes_before_or_after_what_was_asked(free: Sandbox, kind: str, done: int) -> None:
    fault(free, kind)
    with pytest.raises(ConnectionResetError):
        free.post("/api/profiles", profile(email="ada@example.com"))
    assert free.get("/_sandbox/state").json()["default"].get("profile", 0) == done
    assert free.get("/_sandbox/requests/counts").json()["by_status"]["0"] == 1


def test_a_5xx_may_come_after_what_was_asked_is_done(free: Sandbox) -> None:
    fault(free, "status", status=500, after_commit=True)
    assert free.post("/api/profiles", profile(email="ada@example.com")).status_code == 500
    assert free.post("/api/profiles", profile(email="ada@example.com")).status_code == 409


@pytest.mark.parametrize("kind", ["throttle", "status"])
@pytest.mark.parametrize("seconds", [9, None])
def test_a_throttle_says_how_long_or_does_not_and_draws_on_no_window(
    sandbox: Sandbox, kind: str, seconds: int | None
) -> None:
    fault(sandbox, kind, status=429, retry_after=seconds)
    answer = sandbox.get("/api/lists")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, seconds and str(seconds))
    assert sandbox.get("/api/lists").headers["RateLimit-Remaining"] == "749"


def test_a_fault_strikes_its_operation_and_account_as_often_as_configured(free: Sandbox) -> None:
    fault(free, "gone", operation="get_lists", account="default", times=2)
    assert free.get("/api/segments").status_code == 200
    assert [free.get("/api/lists").status_code for _ in range(3)] == [410, 410, 200]
    fault(free, "gone", times=None, probability=0.0)
    assert free.get("/api/lists").status_code == 200
    free.delete("/_sandbox/faults")
    assert free.get("/_sandbox/faults").json() == []


def test_a_fault_that_is_not_known_is_refused(free: Sandbox) -> None:
    assert free.post("/_sandbox/faults", {"fault": "earthquake"}).status_code == 400
    assert free.post("/_sandbox/faults", {"fault": "gone", "colour": "red"}).status_code == 400


def test_the_request_log_counts_every_request_and_keeps_marks(sandbox: Sandbox) -> None:
    for mark in ("one", "two"):
        sandbox.request("GET", "/api/accounts", headers={"X-Sandbox-Mark": mark})
    counted = sandbox.get("/_sandbox/requests/counts").json()
    assert (counted["requests"], counted["throttled"], counted["not_throttled"]) == (2, 1, 1)
    assert counted["by_operation"] == {"default": {"get_accounts": {"200": 1, "429": 1}}}
    rows = sandbox.get("/_sandbox/requests", operation="get_accounts", after="1").json()
    assert [(row["n"], row["unique"], row["status"]) for row in rows] == [(2, "two", 429)]


def test_the_windows_tell_what_was_admitted_in_each_full_minute(sandbox: Sandbox) -> None:
    for _ in range(3):
        sandbox.get("/api/lists")
        sandbox.clock.advance(60)
    bucket = sandbox.get("/_sandbox/windows").json()["default"]["get_lists"]
    assert [limits[:2] for limits in bucket["limits"]] == [[75, 1], [750, 60]]
    assert [count for _, count in bucket["full_windows"]["60"]] == [1, 1]


def test_a_reset_forgets_everything_and_keeps_windows_on_request(sandbox: Sandbox) -> None:
    sandbox.profile(email="ada@example.com")
    assert sandbox.get("/api/accounts").status_code == 200
    sandbox.post("/_sandbox/reset", {"keep_windows": True})
    assert "profile" not in sandbox.get("/_sandbox/state").json()["default"]
    assert sandbox.get("/api/accounts").status_code == 429
    sandbox.post("/_sandbox/reset", {"seed": 5})
    assert sandbox.get("/api/accounts").status_code == 200


def test_a_hidden_client_eats_from_the_same_windows(sandbox: Sandbox) -> None:
    sandbox.post("/_sandbox/drain", {"operation": "get_lists", "per_second": 1000})
    sandbox.loop.run_until_complete(asyncio.sleep(0.02))
    assert int(sandbox.get("/api/lists").headers["RateLimit-Remaining"]) < 748
    sandbox.post("/_sandbox/drain", {"operation": "get_lists", "per_second": 0})
    assert sandbox.get("/_sandbox/drain").json() == []


def test_more_accounts_can_be_had(sandbox: Sandbox) -> None:
    sandbox.post("/_sandbox/accounts", {"alias": "eu", "key": "pk_eu", "company_id": "EUR001"})
    sandbox.key = "pk_eu"
    assert sandbox.get("/api/accounts").json()["data"][0]["id"] == "EUR001"


def test_an_access_token_lives_an_hour_and_is_refreshed(free: Sandbox) -> None:
    granted = token(free, grant_type="refresh_token", refresh_token="rt_sandbox_default").json()
    bearer = {"Authorization": f"Bearer {granted['access_token']}"}
    assert free.request("GET", "/api/lists", headers=bearer).status_code == 200
    free.clock.advance(granted["expires_in"])
    assert free.request("GET", "/api/lists", headers=bearer).status_code == 401
    assert token(free, grant_type="refresh_token", refresh_token=granted["refresh_token"]).status_code == 200


def test_an_app_has_windows_of_its_own(sandbox: Sandbox) -> None:
    granted = token(sandbox, grant_type="refresh_token", refresh_token="rt_sandbox_default").json()
    assert sandbox.get("/api/accounts").status_code == 200
    bearer = {"Authorization": f"Bearer {granted['access_token']}"}
    assert sandbox.request("GET", "/api/accounts", headers=bearer).status_code == 200


def test_what_the_token_endpoint_refuses_it_refuses_in_oauths_words(free: Sandbox) -> None:
    dead = {"grant_type": "refresh_token", "refresh_token": "dead"}
    assert token(free, **dead).json() == {"error": "invalid_grant"}
    assert token(free, headers={}, **dead).json() == {"error": "invalid_client"}
    free.post("/_sandbox/tokens", {"account": "default", "drop": "refresh"})
    refused = token(free, grant_type="refresh_token", refresh_token="rt_sandbox_default")
    assert (refused.status_code, refused.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize("sent", [[], "reset", 1])
@pytest.mark.parametrize("path", ["reset", "limits", "faults", "seed"])
def test_what_is_no_object_is_refused_in_a_sentence(free: Sandbox, path: str, sent: object) -> None:
    answer = free.post(f"/_sandbox/{path}", sent)

    assert (answer.status_code, answer.json()["error"]) == (400, "ValueError: the body has to be a JSON object")
