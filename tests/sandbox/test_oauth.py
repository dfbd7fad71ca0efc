"""The OAuth endpoints: who gets a token, for how long, and what becomes of those that do not."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.sandbox.in_process import Sandbox

BASIC = {"Authorization": f"Basic {base64.b64encode(b'sandbox-app:sandbox-secret').decode()}", "Content-Type": None}
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASKED = {
    "client_id": "sandbox-app", "response_type": "code", "redirect_uri": "http://me/back", "state": "s",
    "scope": "lists:read", "code_challenge": CHALLENGE, "code_challenge_method": "S256", "account": "a",
}  # fmt: skip
REFRESH = {"grant_type": "refresh_token", "refresh_token": "rt_sandbox_a"}


def consent(sandbox: Sandbox, **asked: str) -> dict[str, str]:
    answer = sandbox.get("/oauth/authorize", **{**ASKED, **asked})
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def token(sandbox: Sandbox, **form: str) -> httpx.Response:
    return sandbox.request("POST", "/oauth/token", data=form, headers=BASIC)


def redeem(sandbox: Sandbox, **form: str) -> httpx.Response:
    given = {"grant_type": "authorization_code", "code_verifier": VERIFIER, "redirect_uri": ASKED["redirect_uri"]}
    return token(sandbox, **{**given, **form})


def fault(sandbox: Sandbox, kind: str, **more: object) -> None:
    sandbox.post("/_sandbox/faults", {"fault": kind, **more})


def bearer(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_a_code_is_redeemed_once_for_what_was_asked(free: Sandbox) -> None:
    given = consent(free)
    granted = redeem(free, code=given["code"])

    assert (given["state"], granted.json()["scope"]) == ("s", "lists:read")
    assert free.request("GET", "/api/lists", headers=bearer(granted)).status_code == 200
    assert free.request("GET", "/api/profiles", headers=bearer(granted)).status_code == 403
    assert redeem(free, code=given["code"]).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "lists:read everything:write"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_what_is_wrong_with_a_request_for_consent_comes_back_with_its_state(
    free: Sandbox, asked: dict[str, str], error: str
) -> None:
    assert consent(free, **asked) == {"error": error, "state": "s"}


def test_somebody_may_not_consent(free: Sandbox) -> None:
    fault(free, "status", operation="oauth_authorize")

    assert consent(free)["error"] == "access_denied"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"code_verifier": "w" * 43}, "Code challenge failed"),
        ({"code_verifier": "short"}, "invalid code_verifier"),
        ({"redirect_uri": "http://somebody.else/"}, "invalid_grant"),
    ],
)
def test_a_code_is_worth_nothing_to_anybody_else(free: Sandbox, form: dict[str, str], error: str) -> None:
    refused = redeem(free, code=consent(free)["code"], **form)

    assert (refused.status_code, refused.json()) == (400, {"error": error})


def test_codes_and_tokens_expire(free: Sandbox) -> None:
    late = consent(free)["code"]
    free.clock.advance(301)
    assert redeem(free, code=late).json() == {"error": "invalid_grant"}

    free.post("/_sandbox/tokens", {"life_s": 5})
    granted = redeem(free, code=consent(free)["code"])
    assert granted.json()["expires_in"] == 5
    free.clock.advance(5)
    assert free.request("GET", "/api/lists", headers=bearer(granted)).status_code == 401
    assert token(free, grant_type="refresh_token", refresh_token=granted.json()["refresh_token"]).status_code == 200


def test_each_install_has_ten_token_requests_a_minute(sandbox: Sandbox) -> None:
    statuses = [token(sandbox, **REFRESH).status_code for _ in range(11)]
    other = token(sandbox, grant_type="refresh_token", refresh_token="rt_sandbox_b")

    assert statuses == [200] * 10 + [429]
    assert other.status_code == 200


def test_an_answer_that_is_lost_has_issued_a_token_all_the_same(free: Sandbox) -> None:
    before = len(free.world.credentials.tokens)
    fault(free, "cut_after_commit", operation="oauth_token")

    with pytest.raises(ConnectionResetError):
        token(free, **REFRESH)

    assert len(free.world.credentials.tokens) == before + 1
    assert token(free, **REFRESH).status_code == 200


def test_a_revoked_grant_is_worth_nothing(free: Sandbox) -> None:
    granted = token(free, **REFRESH)

    free.request("POST", "/oauth/revoke", data={"token": "rt_sandbox_a"}, headers=BASIC)

    assert free.request("GET", "/api/lists", headers=bearer(granted)).status_code == 401
    assert token(free, **REFRESH).json() == {"error": "invalid_grant"}
