"""What validation refuses though it is well-formed: every operation says so, and points at each such item."""

from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox, event, pointers, profile
from tests.sandbox.test_catalog_jobs import of, start
from tests.sandbox.test_catalogs import category, item, variant
from tests.sandbox.test_coupons import code, codes
from tests.sandbox.test_jobs import JOBS, importing, status

BAD = "ada@refused.example"
GOOD = "bob@example.com"
PEOPLE = "/data/attributes/profiles/data"


def consenting(type: str, consent: str, *emails: str) -> dict[str, Any]:
    subscriptions = {"email": {"marketing": {"consent": consent}}}
    people = [profile(email=email, subscriptions=subscriptions)["data"] for email in emails]
    return {"data": {"type": type, "attributes": {"profiles": {"data": people}}}}


def events(*emails: str) -> dict[str, Any]:
    entries = [
        {
            "type": "event-bulk-create",
            "attributes": {
                "profile": profile(email=email),
                "events": {"data": [{"type": "event", **_without_profile(event())}]},
            },
        }
        for email in emails
    ]
    sent = {"events-bulk-create": {"data": entries}}
    return {"data": {"type": "event-bulk-create-job", "attributes": sent}}


def _without_profile(sent: dict[str, Any]) -> dict[str, Any]:
    attributes = {name: value for name, value in sent["data"]["attributes"].items() if name != "profile"}
    return {"attributes": attributes}


def test_an_import_points_at_every_refused_or_malformed_profile(free: Sandbox) -> None:
    people = (
        {"email": BAD},
        {"email": GOOD},
        {"email": "nope"},
        {"phone_number": "12"},
        {"email": "X@Refused.Example"},
    )
    refused = free.post(JOBS, importing(*people))

    assert refused.status_code == 400
    assert pointers(refused) == [
        f"{PEOPLE}/0/attributes/email",
        f"{PEOPLE}/2/attributes/email",
        f"{PEOPLE}/3/attributes/phone_number",
        f"{PEOPLE}/4/attributes/email",
    ]


@pytest.mark.parametrize(
    ("type", "consent"),
    [
        ("profile-subscription-bulk-create-job", "SUBSCRIBED"),
        ("profile-subscription-bulk-delete-job", "UNSUBSCRIBED"),
    ],
)
def test_subscriptions_point_at_every_bad_profile_and_change_none(free: Sandbox, type: str, consent: str) -> None:
    refused = free.post(f"/api/{type}s", consenting(type, consent, BAD, GOOD, "nope"))

    assert refused.status_code == 400
    assert pointers(refused) == [f"{PEOPLE}/0/attributes/email", f"{PEOPLE}/2/attributes/email"]
    assert "profile" not in free.get("/_sandbox/state").json()["default"]


@pytest.mark.parametrize("act", ["create", "delete"])
def test_suppressions_point_at_every_bad_email(free: Sandbox, act: str) -> None:
    type = f"profile-suppression-bulk-{act}-job"
    named = [profile(email=email)["data"] for email in (GOOD, BAD, "nope")]
    body = {"data": {"type": type, "attributes": {"profiles": {"data": named}}}}

    assert pointers(free.post(f"/api/{type}s", body)) == [f"{PEOPLE}/{n}/attributes/email" for n in (1, 2)]


def test_events_point_at_every_bad_profile_and_event_and_store_none(free: Sandbox) -> None:
    batch = events(GOOD, BAD, "nope")
    entries = batch["data"]["attributes"]["events-bulk-create"]["data"]
    entries[0]["attributes"]["events"]["data"][0]["attributes"]["time"] = "1990-01-01T00:00:00Z"
    refused = free.post("/api/event-bulk-create-jobs", batch)
    place = "/data/attributes/events-bulk-create/data"

    assert pointers(refused) == [
        f"{place}/0/attributes/events/data/0/attributes/time",
        f"{place}/1/attributes/profile/data/attributes/email",
        f"{place}/2/attributes/profile/data/attributes/email",
    ]
    assert "profile" not in free.get("/_sandbox/state").json()["default"]


def test_one_profile_or_event_with_a_refused_email_is_refused(free: Sandbox) -> None:
    id = free.profile(email=GOOD)
    answers = [
        free.post("/api/profiles", profile(email=BAD)),
        free.post("/api/profile-import", profile(email=BAD)),
        free.patch(f"/api/profiles/{id}", {"data": {"type": "profile", "id": id, "attributes": {"email": BAD}}}),
        free.post("/api/events", event(profile=profile(email=BAD))),
    ]

    assert [answer.status_code for answer in answers] == [400] * 4


@pytest.mark.parametrize(("kind", "make"), [("item", item), ("variant", variant), ("category", category)])
def test_catalog_jobs_point_at_every_refused_id(free: Sandbox, kind: str, make: Any) -> None:
    plural = {"item": "items", "variant": "variants", "category": "categories"}[kind]
    place = f"/data/attributes/{plural}/data"
    things = [make("refused-1"), make("A-1"), make("A-refused")]
    named = [of(thing) for thing in things]

    assert pointers(start(free, kind, "create", *things)) == [f"{place}/{n}/attributes/external_id" for n in (0, 2)]
    changed = [one | {"attributes": {}} for one in named]
    assert pointers(start(free, kind, "update", *changed)) == [f"{place}/{n}/id" for n in (0, 2)]
    assert pointers(start(free, kind, "delete", *named)) == [f"{place}/{n}/id" for n in (0, 2)]
    assert pointers(free.post(f"/api/catalog-{plural}", {"data": make("refused")})) == ["/data/attributes/external_id"]


def test_coupon_codes_are_pointed_at_one_by_one(free: Sandbox) -> None:
    bad = [code("refused-1"), code("OK-1"), code("refused-2")]
    place = "/data/attributes/coupon-codes/data"

    assert pointers(free.post("/api/coupon-code-bulk-create-jobs", codes(*bad))) == [
        f"{place}/0/attributes/unique_code",
        f"{place}/2/attributes/unique_code",
    ]
    soon = codes(code("OK-1"), code("OK-2", expires_at="soon"))
    assert pointers(free.post("/api/coupon-code-bulk-create-jobs", soon)) == [f"{place}/1/attributes/expires_at"]
    assert pointers(free.post("/api/coupon-codes", {"data": bad[0]})) == ["/data/attributes/unique_code"]


def test_of_two_profiles_in_an_import_with_one_identifier_the_later_wins(free: Sandbox) -> None:
    people = [{"email": "ada@example.com", "first_name": name} for name in ("Ada", "Augusta")]
    id = free.post(JOBS, importing(*people)).json()["data"]["id"]
    free.clock.advance(1)
    done = status(free, id)
    found = free.get("/api/profiles").json()["data"]

    assert (done["completed_count"], done["failed_count"]) == (2, 0)
    assert [one["attributes"]["first_name"] for one in found] == ["Augusta"]
