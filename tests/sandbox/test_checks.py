"""What every request passes before its operation is done: route, caller, revision, scopes, body, limits."""

import pytest

from tests.sandbox.in_process import START, Sandbox, pointers, profile

RETIRED = {"revision": "2024-07-15"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/api/nowhere", {}, 404),
        ("GET", "/api/profiles/1/nothing", {}, 404),
        ("PUT", "/api/profiles", {}, 405),
        ("GET", "/api/profiles", {"Authorization": None}, 401),
        ("GET", "/api/profiles", {"Authorization": "Klaviyo-API-Key pk_unknown"}, 401),
        ("GET", "/api/profiles", {"Authorization": "Bearer unknown"}, 401),
        ("GET", "/api/profiles", {"revision": None}, 400),
        ("GET", "/api/profiles", {"revision": "yesterday"}, 400),
        ("GET", "/api/profiles", RETIRED, 200),
        ("GET", "/api/profiles", RETIRED | {"X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1"}, 410),
        ("GET", "/api/profiles/", {}, 200),
        ("GET", "/api/profiles/missing", {}, 404),
    ],
)
def test_the_first_check_that_fails_decides_the_answer(
    sandbox: Sandbox, method: str, path: str, headers: dict[str, str | None], status: int
) -> None:
    answer = sandbox.request(method, path, headers=headers)
    assert answer.status_code == status
    if status >= 400:
        first = answer.json()["errors"][0]
        assert first["status"] == status
        assert {"id", "code", "title", "detail", "source"} <= first.keys()


def test_a_read_only_key_may_read_and_not_write(sandbox: Sandbox) -> None:
    sandbox.key = "pk_sandbox_readonly"
    assert sandbox.get("/api/lists").status_code == 200
    refused = sandbox.post("/api/profiles", profile(email="ada@example.com"))
    assert refused.status_code == 403
    assert "profiles:write" in refused.json()["errors"][0]["detail"]


def test_a_key_with_scopes_of_its_own_has_no_others(sandbox: Sandbox) -> None:
    sandbox.post("/_sandbox/keys", {"account": "a", "key": "pk_lists", "scopes": ["lists:read"]})
    sandbox.key = "pk_lists"
    assert sandbox.get("/api/lists").status_code == 200
    assert sandbox.get("/api/profiles").status_code == 403


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{}", "text/plain", 415),
        (b'{"data": ', "application/json", 400),
        (b"[]", "application/json", 400),
        (b" " * (5 * 1024 * 1024 + 1), "application/json", 413),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused(
    sandbox: Sandbox, content: bytes, content_type: str, status: int
) -> None:
    answer = sandbox.request("POST", "/api/profiles", content=content, headers={"Content-Type": content_type})
    assert answer.status_code == status


def test_every_missing_field_is_pointed_at(sandbox: Sandbox) -> None:
    answer = sandbox.post("/api/events", {"data": {"type": "event", "attributes": {"properties": {}}}})
    assert pointers(answer) == [
        "/data/attributes/metric/data/attributes/name",
        "/data/attributes/profile/data/attributes",
    ]


def test_an_unknown_attribute_a_wrong_type_and_another_id_are_refused(free: Sandbox) -> None:
    id = free.profile(email="ada@example.com")
    assert pointers(free.post("/api/profiles", profile(nickname="Ada"))) == ["/data/attributes/nickname"]
    assert pointers(free.post("/api/profiles", {"data": {"type": "list", "attributes": {}}})) == ["/data/type"]
    stray = profile(email="ada@example.com")["data"] | {"relationships": {"lists": {"data": []}}}
    assert pointers(free.post("/api/profiles", {"data": stray})) == ["/data/relationships/lists"]
    other = {"data": {"type": "profile", "id": "other", "attributes": {}}}
    assert pointers(free.patch(f"/api/profiles/{id}", other)) == ["/data/id"]


def test_answers_tell_the_state_of_the_steady_window(sandbox: Sandbox) -> None:
    first, second = sandbox.get("/api/lists"), sandbox.get("/api/lists", sort="nonsense")
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("750", "749")
    assert second.status_code == 400
    assert second.headers["RateLimit-Remaining"] == "748"
    assert 0 < int(second.headers["RateLimit-Reset"]) <= 60


def test_a_429_says_when_to_come_again_and_nothing_of_the_window(sandbox: Sandbox) -> None:
    assert sandbox.get("/api/accounts").status_code == 200
    throttled = sandbox.get("/api/accounts")
    assert throttled.status_code == 429
    seconds = int(throttled.headers["Retry-After"])
    assert throttled.json()["errors"][0]["code"] == "throttled"
    assert f"Expected available in {seconds} second" in throttled.json()["errors"][0]["detail"]
    assert not any(name.startswith("ratelimit") for name in throttled.headers)
    sandbox.clock.advance(seconds)
    assert sandbox.get("/api/accounts").status_code == 200


def test_the_keys_of_an_account_share_its_windows_and_accounts_do_not(sandbox: Sandbox) -> None:
    assert sandbox.get("/api/accounts").status_code == 200
    sandbox.key = "pk_sandbox_readonly"
    assert sandbox.get("/api/accounts").status_code == 429
    sandbox.key = "pk_sandbox_a"
    assert sandbox.get("/api/accounts").status_code == 200


def test_a_costly_parameter_draws_on_one_bucket_for_all_endpoints(sandbox: Sandbox) -> None:
    costly = {"additional-fields[profile]": "predictive_analytics"}
    list_id = sandbox.list()
    for _ in range(10):
        assert sandbox.get("/api/profiles", **costly).status_code == 200
    assert sandbox.get(f"/api/lists/{list_id}/profiles", **costly).status_code == 429
    assert sandbox.get(f"/api/lists/{list_id}/profiles").status_code == 200


def test_the_limits_can_be_made_wrong_and_the_headers_follow(sandbox: Sandbox) -> None:
    sandbox.post("/_sandbox/limits", {"operation": "get_lists", "steady": 2})
    assert sandbox.get("/api/lists").headers["RateLimit-Limit"] == "2"
    assert sandbox.get("/api/lists").status_code == 200
    assert sandbox.get("/api/lists").status_code == 429
    assert sandbox.get("/api/segments").headers["RateLimit-Limit"] == "750"


def test_without_limits_there_are_no_headers(free: Sandbox) -> None:
    answers = [free.get("/api/accounts") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert "RateLimit-Limit" not in answers[0].headers


def test_the_client_operations_take_a_company_and_no_key(sandbox: Sandbox) -> None:
    def send(query: str) -> int:
        body = profile(email="web@example.com")
        headers = {"Authorization": None}
        return sandbox.request("POST", f"/client/profiles{query}", body, headers=headers).status_code

    assert [send("?company_id=SBX00A"), send("?company_id=NOBODY"), send("")] == [202, 400, 400]
    assert sandbox.get("/_sandbox/state").json()["a"]["profile"] == 1


def test_the_clock_is_the_one_that_was_handed_in(free: Sandbox) -> None:
    assert free.get("/_sandbox/health").json() == {"ok": True}
    assert free.world.config.clock() == START
