"""Calls that travel together: each of them is answered, and carried out, as it would be alone."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.app import create_app
from sandbox.config import Config
from tasks.together import MAX_IDS, REQUEST_OVERHEAD_BYTES, ROWS, sharing_of
from tests.tasks.action_samples import smallest_call
from worker.action import ACTIONS
from worker.api.declaration import MAX_BODY_BYTES
from worker.api.jsonapi import Envelope, interpret
from worker.errors import BadRequest
from worker.governor import ALONE
from worker.tiers import is_together
from worker.together.dividing import divided
from worker.together.sharing import Share, traveling

HEADERS = {"Authorization": "Klaviyo-API-Key pk_sandbox_default", "revision": "2026-07-15"}
CONSENT = {"email": {"marketing": {"consent": "SUBSCRIBED"}}}
NO_CONSENT = {"email": {"marketing": {"consent": "UNSUBSCRIBED"}}}
READS = sorted(name for name in ROWS if name.startswith("get_"))


class Klaviyo:
    """A sandbox of this test's own."""

    def __init__(self) -> None:
        app = create_app(Config(seed=7))
        self._loop = asyncio.new_event_loop()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox")
        self._sent("POST", "/_sandbox/limits", content=json.dumps({"off": True}).encode())

    def __call__(self, name: str, params: dict[str, Any]) -> Envelope:
        """The envelope of a request with these parameters."""
        declaration = ACTIONS[name].declaration
        request = declaration.request(params)
        headers = {**HEADERS, "Content-Type": request.content_type, **request.headers}
        answer = self._sent(request.method, request.path, params=request.query, content=request.body, headers=headers)
        told = answer.status_code, answer.headers, answer.content
        return interpret(name, "default", *told, reads=declaration.reads)

    def each(self, name: str, calls: list[dict[str, Any]]) -> list[Envelope]:
        return [self(name, call) for call in calls]

    def all(self, name: str, calls: list[dict[str, Any]]) -> list[Envelope | None]:
        """What each is told where all travel in one request."""
        sharing = sharing_of(name)
        answer = self(sharing.carrier.name, sharing.join(calls))
        return [part.envelope for part in divided(sharing, [(call, "") for call in calls], answer, "request")]

    def state(self) -> Any:
        return self._sent("GET", "/_sandbox/state").json()["default"]

    def rows(self, type: str) -> list[dict[str, Any]]:
        answer = self._sent("GET", "/_sandbox/rows", params={"account": "default", "type": type})
        return [json.loads(line) for line in answer.text.splitlines()]

    def _sent(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._loop.run_until_complete(self._client.request(method, path, **more))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()


@pytest.fixture
def klaviyos() -> Iterator[tuple[Klaviyo, Klaviyo]]:
    """Two that are alike."""
    made = Klaviyo(), Klaviyo()
    yield made
    for each in made:
        each.close()


def bound(name: str, /, **params: Any) -> dict[str, Any]:
    return ACTIONS[name].declaration.bind(params, "key")


def events(number: int) -> list[dict[str, Any]]:
    return [
        bound(
            "create_event", metric=f"M{each % 2}", profile={"email": f"p{each % 3}@example.com"}, unique_id=f"u{each}",
            value=each, properties={"n": each}, time="2026-07-01T00:00:00+00:00",
        )
        for each in range(number)
    ]  # fmt: skip


def share(name: str, /, **params: Any) -> Share:
    found = sharing_of(name).share(bound(name, **params))
    assert found is not None
    return found


def test_events_are_recorded_as_they_are_alone(klaviyos):
    alone, together = klaviyos
    calls = events(7)

    assert together.all("create_event", calls) == alone.each("create_event", calls)

    def told(klaviyo: Klaviyo) -> list[Any]:
        found = [row["attributes"]["event_properties"] for row in klaviyo.rows("event")]
        return sorted(found, key=lambda each: each["n"])

    assert told(together) == told(alone)
    assert len(together.rows("profile")) == len(alone.rows("profile"))


#: What makes a record of this kind, where the smallest call does not.
CREATE = {"get_profile": "create_profile", "get_list": "create_list", "get_image": "upload_image_from_file"}
OTHER: dict[str, dict[str, Any]] = {
    "get_profile": {"email": "ada@example.com"},
    "get_image": {"file": {"filename": "dot.gif", "content": "R0lGODlh"}},
    "get_catalog_variant": {"item_id": "$custom:::$default:::I"},
}


@pytest.mark.parametrize("name", READS)
def test_a_record_that_is_read_with_others_is_what_it_is_alone(klaviyos, name):
    klaviyo, _ = klaviyos
    create = CREATE.get(name, name.replace("get_", "create_"))
    if name == "get_catalog_variant":
        klaviyo(
            "create_catalog_item",
            bound("create_catalog_item", **smallest_call("create_catalog_item") | {"external_id": "I"}),
        )
    if create in ACTIONS and not klaviyo(sharing_of(name).carrier.name, {})["data"]:
        klaviyo(create, bound(create, **smallest_call(create) | OTHER.get(name, {})))
    ids = [each["id"] for each in klaviyo(sharing_of(name).carrier.name, {})["data"]][:3]
    assert ids
    calls = [bound(name, id=each) for each in ids]

    assert klaviyo.all(name, calls) == klaviyo.each(name, calls)


def test_of_a_record_that_is_not_there_the_others_answer_tells_nothing(klaviyos):
    klaviyo, _ = klaviyos
    made = klaviyo("create_profile", bound("create_profile", email="ada@example.com"))["data"]["id"]

    found = klaviyo.all("get_profile", [{"id": made}, {"id": "01NOBODY"}])

    assert found[0] is not None
    assert found[0]["data"]["attributes"]["email"] == "ada@example.com"
    assert found[1] is None


def test_members_join_and_leave_a_list_as_they_do_alone(klaviyos):
    found = []
    for klaviyo in klaviyos:
        people = [klaviyo("create_profile", bound("create_profile", email=f"m{n}@example.com")) for n in range(4)]
        ids = [each["data"]["id"] for each in people]
        vip = klaviyo("create_list", bound("create_list", name="VIP"))["data"]["id"]
        how = Klaviyo.each if klaviyo is klaviyos[0] else Klaviyo.all
        added = how(klaviyo, "add_profiles_to_list", [bound("add_profiles_to_list", list_id=vip, profile_ids=[each])
                                                     for each in ids])  # fmt: skip
        gone = how(klaviyo, "remove_profiles_from_list", [bound("remove_profiles_from_list", list_id=vip,
                                                               profile_ids=[each]) for each in ids[:2]])  # fmt: skip
        members = klaviyo("get_profile_ids_for_list", {"id": vip})["data"]
        found.append((added, gone, [ids.index(each["id"]) for each in members]))

    assert found[0] == found[1]
    assert sorted(found[0][2]) == [2, 3]


def test_an_order_of_two_events_and_one_refuses_only_that_one(klaviyos):
    klaviyo, _ = klaviyos
    calls = events(5)
    calls[3] = {**calls[3], "metric": ""}
    sharing = sharing_of("create_event")
    shares = [(call, f"share of {number}") for number, call in enumerate(calls)]

    with pytest.raises(BadRequest) as refused:
        klaviyo.all("create_event", calls)
    parts = divided(sharing, shares, refused.value, "request")

    assert [part.share for part in parts] == ["share of 0", "share of 1", "share of 2", "", "share of 4"]


def test_an_id_that_occurs_twice_in_one_request_would_refuse_all_of_it(klaviyos):
    klaviyo, _ = klaviyos
    [call] = events(1)

    with pytest.raises(BadRequest):
        klaviyo.all("create_event", [call, call])

    marks = share("create_event", metric="M", profile={"email": "a@example.com"}, unique_id="u").marks
    assert [said for _, said in marks] == [""]


def test_who_a_call_only_names_is_no_reason_to_keep_it_from_others():
    named = share("create_event", metric="M", profile={"email": "a@example.com"}, unique_id="u")
    told = share("create_event", metric="M", profile={"email": "A@example.com", "title": "Dr"}, unique_id="v")
    other = share("create_event", metric="M", profile={"email": "a@example.com", "title": "Prof"}, unique_id="w")

    assert len(named.marks) == 1
    assert told.marks[1][0] == other.marks[1][0]
    assert told.marks[1][1] != other.marks[1][1]


def test_two_calls_about_one_person_share_no_request_of_consent():
    one = share("bulk_subscribe_profiles", profiles=[{"email": "a@example.com", "subscriptions": CONSENT}])
    two = share("bulk_subscribe_profiles", profiles=[{"email": "A@example.com", "subscriptions": CONSENT}])

    assert one.marks == two.marks
    assert one.marks[0][1] == ""


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("add_profiles_to_list", {"list_id": "A", "profile_ids": ["P"]}, {"list_id": "B", "profile_ids": ["P"]}),
        ("get_profile", {"id": "P"}, {"id": "P", "fields_profile": ["email"]}),
        ("tag_lists", {"id": "A", "list_ids": ["L"]}, {"id": "B", "list_ids": ["L"]}),
        (
            "bulk_unsubscribe_profiles",
            {"profiles": [{"email": "a@example.com", "subscriptions": NO_CONSENT}]},
            {"profiles": [{"email": "b@example.com", "subscriptions": NO_CONSENT}], "list_id": "A"},
        ),
    ],
)
def test_calls_that_say_different_things_of_the_whole_share_no_request(name, one, other):
    assert share(name, **one).key != share(name, **other).key


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("add_profiles_to_list", {"list_id": "A", "emails": ["a@example.com"]}),
        ("get_profile", {"id": "P", "include": ["lists"]}),
        ("get_list", {"id": "L", "additional_fields_list": ["profile_count"]}),
        ("get_profile", {"id": 'P"'}),
        ("bulk_suppress_profiles", {"list_id": "A"}),
    ],
)
def test_what_a_shared_request_cannot_say_goes_alone(clean_settings, name, params):
    declaration = ACTIONS[name].declaration

    assert traveling(declaration, "default", declaration.bind(params), False) == ALONE


def test_a_setting_lets_each_call_go_alone(clean_settings, monkeypatch):
    params = bound("create_event", metric="M", profile={"email": "a@example.com"})
    declaration = ACTIONS["create_event"].declaration
    assert is_together(traveling(declaration, "default", params, False))

    monkeypatch.setenv("KLAVIYO_TOGETHER", "off")
    from worker.settings import get_settings

    get_settings.cache_clear()

    assert traveling(declaration, "default", params, False) == ALONE


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_full_request_is_one_that_its_action_takes(name):
    sharing = sharing_of(name)

    assert sharing.most_bytes < MAX_BODY_BYTES
    assert sharing.most <= (MAX_IDS if name in READS else 1_000)
    if size := sharing.carrier.parameters.get("page_size"):
        assert f"le={sharing.most}" in str(size.annotation)


@pytest.mark.parametrize("name", sorted(set(ROWS) - set(READS)))
def test_what_travels_is_no_larger_than_what_its_size_says(name):
    sharing, params = sharing_of(name), bound(name, **smallest_call(name))
    if name == "bulk_create_events":
        order = {"metric": "Bestellung", "properties": {"größe": "✓" * 5}, "value": 9.5}
        params = bound(name, events=[{"profile": {"email": "ada@example.com"}, "events": [order] * 200}])
    calls = [params] * 20

    body = sharing.carrier.request(sharing.join(calls)).body

    assert len(body) <= REQUEST_OVERHEAD_BYTES + sum(sharing.share(each).size for each in calls)


def test_a_request_of_calls_in_many_bytes_is_as_large_as_klaviyo_takes():
    calls = [bound("create_event", metric="M", profile={"email": "ö@example.com"}, properties={"a": "✓" * 3_000})] * 500
    sharing, chosen, size = sharing_of("create_event"), [], 0
    for each in calls:
        if (size := size + sharing.share(each).size) > sharing.most_bytes:
            break
        chosen.append(each)

    assert 0.9 * MAX_BODY_BYTES < len(sharing.carrier.request(sharing.join(chosen)).body) <= MAX_BODY_BYTES


def test_the_page_names_every_action_that_travels_once():
    page = Path(__file__).parents[2] / "docs" / "together.md"
    rows = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| `")]
    named = {name: row for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}

    assert sorted(named) == sorted(ROWS)
    assert all(f" {sharing_of(name).most:,} " in row for name, row in named.items())


BY_JOB = sorted(name for name in ROWS if sharing_of(name).by_job)


@pytest.mark.parametrize("name", BY_JOB)
def test_what_travels_in_a_job_is_a_record_that_the_job_takes(name):
    sharing, params = sharing_of(name), bound(name, **smallest_call(name))
    if name == "update_profile":
        params["email"] = "ada@example.com"

    assert sharing.share(params) is not None
    request = sharing.join([params])

    assert sharing.carrier.bind(request) == request


@pytest.mark.parametrize("name", BY_JOB)
def test_a_call_travels_in_a_job_only_where_that_is_asked_for(clean_settings, name):
    declaration, params = ACTIONS[name].declaration, bound(name, **smallest_call(name))

    assert [is_together(traveling(declaration, "default", params, False, asked)) for asked in (None, False, True)] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("update_profile", {"id": "P", "first_name": None}),
        ("update_profile", {"id": "P", "patch_properties": {"append": {"colors": "red"}}}),
        ("create_profile", {"email": "ada@example.com", "fields_profile": ["email"]}),
    ],
)
def test_what_no_job_can_say_goes_alone(name, params):
    assert sharing_of(name).share(bound(name, **params)) is None


def test_two_records_of_one_person_never_share_a_job():
    first, second = (share("create_profile", email="Ada@example.com", first_name=name).marks for name in ("A", "B"))

    assert [what for what, _ in first] == [share("create_profile", email="ada@example.com").marks[0][0]]
    assert first[0][1] == second[0][1] == ""
