"""Lists by e-mail addresses: the ids are looked up first, by ordinary requests with leases of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from celery.exceptions import Retry

from tasks.lists import add_profiles_to_list, resolve_addresses
from tests.tasks.action_samples import declaration
from worker import carrying_out, execution
from worker.errors import BadRequest
from worker.governor import Claim, Settlement
from worker.http_client import Response
from worker.settings import get_settings

KNOWN = {
    "ada@example.com": "P1",
    "Grace@example.com": "P2",
    **{f"n{number}@example.com": f"N{number}" for number in range(250)},
}


def klaviyo(asked: list[dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Answers look-ups, and notes them."""

    def ask(action: Any, /, **params: Any) -> dict[str, Any]:
        asked.append(action.declaration.bind(params))
        wanted = {email.casefold() for email in json.loads(params["filter"].removeprefix("any(email,")[:-1])}
        people = [(email, each) for email, each in KNOWN.items() if email.casefold() in wanted]
        return {"data": [{"type": "profile", "id": each, "attributes": {"email": email}} for email, each in people]}

    return ask


def test_addresses_become_ids_and_those_that_nobody_has_are_told():
    params = {"list_id": "L1", "emails": ["ada@example.com", "nobody@example.com", "GRACE@example.com"]}

    resolved = resolve_addresses(params, klaviyo([]))

    assert resolved.params == {"list_id": "L1", "profile_ids": ["P1", "P2"]}
    assert resolved.extras == {"not_found": ["nobody@example.com"]}


def test_addresses_are_looked_up_a_hundred_at_a_time():
    asked: list[dict[str, Any]] = []

    resolved = resolve_addresses(
        {"list_id": "L1", "emails": [f"n{number}@example.com" for number in range(250)]}, klaviyo(asked)
    )

    assert len(asked) == 3
    assert all(each["page_size"] == 100 for each in asked)
    assert resolved.params is not None
    assert len(resolved.params["profile_ids"]) == 250


def test_an_id_that_was_given_and_found_is_added_once():
    resolved = resolve_addresses({"list_id": "L1", "profile_ids": ["P1"], "emails": ["ada@example.com"]}, klaviyo([]))

    assert resolved.params == {"list_id": "L1", "profile_ids": ["P1"]}


def test_nothing_is_asked_for_where_no_address_is_known():
    assert resolve_addresses({"list_id": "L1", "emails": ["nobody@example.com"]}, klaviyo([])).params is None


def test_nothing_is_looked_up_where_ids_are_given():
    asked: list[dict[str, Any]] = []

    resolved = resolve_addresses({"list_id": "L1", "profile_ids": ["P1"]}, klaviyo(asked))

    assert asked == []
    assert resolved.extras == {}


class StubGovernor:
    """Gives every lease at once, or after ``busy`` refusals, and notes how they end."""

    def __init__(self) -> None:
        self.busy = 0.0
        self.settled: dict[str, Settlement] = {}
        self.parked: list[float] = []
        self.leases: list[int] = []

    def claim(self, task_id: str, lease_ms: int, *_: Any) -> Claim:
        self.leases.append(lease_ms)
        return Claim("ok", 0)

    def reserve(self, *_: Any) -> float:
        return self.busy

    def settle(self, task_id: str, end: Settlement, holder: str = "") -> None:
        assert task_id not in self.settled
        self.settled[task_id] = end

    def park(self, *arguments: Any, **_: Any) -> int:
        self.parked.append(arguments[4])
        return 0

    def done(self, *_: Any) -> None:
        pass


@pytest.fixture
def governor(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubGovernor]:
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_test")
    monkeypatch.setenv("KLAVIYO_READ_TIMEOUT", "0.1")
    get_settings.cache_clear()
    stub = StubGovernor()
    for module in (carrying_out, execution):
        monkeypatch.setattr(module, "get_governor", lambda: stub)
    monkeypatch.setattr(execution, "get_client", lambda: None)
    yield stub
    get_settings.cache_clear()


Answer = tuple[int, dict[str, Any] | None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Answer]]:
    """What Klaviyo answers, in order, each with the method that it expects."""
    queue: list[tuple[str, Answer]] = []

    def send(_client: Any, _account: Any, _name: str, request: Any) -> Response:
        method, (status, body) = queue.pop(0)
        assert request.method == method
        if method == "POST":
            assert json.loads(request.body) == {"data": [{"type": "profile", "id": "P1"}]}
        return Response(status, httpx.Headers(), json.dumps(body).encode() if body else b"")

    monkeypatch.setattr(execution, "send", send)
    return queue


FOUND: Answer = (200, {"data": [{"type": "profile", "id": "P1", "attributes": {"email": "ada@example.com"}}]})
ADDED: Answer = (204, None)
GIVEN = {"list_id": "L1", "emails": ["ada@example.com", "nobody@example.com"]}


def delivery() -> Any:
    values = {"klaviyo": {"account": "default", "lane": "now"}}
    return SimpleNamespace(
        id="task-1", klaviyo_delivery=("unacked", "index", "tag"), get=values.get, headers={}, delivery_info={}
    )


def carry_out() -> Any:
    return carrying_out.run(declaration("add_profiles_to_list"), delivery(), (), GIVEN)


def test_a_task_looks_up_and_adds_each_with_a_lease_of_its_own(governor: StubGovernor, answers: list[Any]):
    answers += [("GET", FOUND), ("POST", ADDED)]

    envelope = carry_out()

    assert envelope == {"data": None, "error": None, "successful": True, "not_found": ["nobody@example.com"]}
    assert [end.used for end in governor.settled.values()] == [True, True]
    assert len(governor.settled) == 2
    assert "task-1" in governor.settled


def test_a_task_that_looks_something_up_first_holds_its_lease_for_longer(governor: StubGovernor, answers: list[Any]):
    answers += [("GET", FOUND), ("POST", ADDED)]

    carry_out()

    # One for what it looks up, one for its own request, one for whatever waits in between.
    assert governor.leases == [3 * get_settings().lease_ms]


def test_a_call_in_this_process_does_the_same(governor: StubGovernor, answers: list[Any]):
    answers += [("GET", FOUND), ("POST", ADDED)]

    envelope = add_profiles_to_list(**GIVEN)

    assert envelope["not_found"] == ["nobody@example.com"]
    assert len(governor.settled) == 2


def test_a_task_without_anybody_to_add_gives_its_lease_back(governor: StubGovernor, answers: list[Any]):
    answers += [("GET", (200, {"data": []}))]

    envelope = carry_out()

    assert envelope["successful"]
    assert envelope["not_found"] == GIVEN["emails"]
    assert not governor.settled["task-1"].used


def test_a_task_whose_look_up_is_refused_fails_with_its_lease_given_back(governor: StubGovernor, answers: list[Any]):
    answers += [("GET", (400, {"errors": [{"detail": "ada@example.com is not good", "title": "Invalid"}]}))]

    with pytest.raises(BadRequest) as caught:
        carry_out()

    assert "ada@example.com" not in str(caught.value)
    assert not governor.settled["task-1"].used


def test_a_task_whose_look_up_has_no_budget_waits_again(
    governor: StubGovernor, monkeypatch: pytest.MonkeyPatch, answers: list[Any]
):
    governor.busy = 7.0
    moments = iter(range(0, 10_000, 6))
    monkeypatch.setattr(execution, "time", SimpleNamespace(monotonic=lambda: float(next(moments))))
    monkeypatch.setattr(execution.closing, "wait", lambda seconds: False)

    with pytest.raises(Retry, match="get_profiles"):
        carry_out()

    assert governor.parked == [7.0]
    assert not governor.settled["task-1"].used


def test_a_task_whose_look_up_is_throttled_waits_as_long_as_klaviyo_says(governor: StubGovernor, answers: list[Any]):
    throttled = {"errors": [{"detail": "Request was throttled. Expected available in 9 seconds."}]}
    answers += [("GET", (429, throttled))]

    with pytest.raises(Retry, match="get_profiles"):
        carry_out()

    assert governor.parked == [9.0]
    assert not governor.settled["task-1"].used


def test_a_look_up_is_repeated_at_once_after_a_429_that_says_so(
    governor: StubGovernor, monkeypatch: pytest.MonkeyPatch
):
    answer = Response(429, httpx.Headers({"retry-after": "0"}), b"{}")
    monkeypatch.setattr(execution, "send", lambda *_: answer)

    with pytest.raises(Retry, match="get_profiles"):
        carry_out()

    assert governor.parked == [0.0]
