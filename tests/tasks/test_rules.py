"""The limits of events, what every event carries, and when a repeat does harm."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tasks import rules
from tests.tasks.action_samples import NOW, declaration

EVENT = {"metric": "Placed Order", "profile": {"id": "P1"}}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"deeper": value}
    return {"properties": value}


@pytest.mark.parametrize(
    "event",
    [
        {"properties": {str(number): number for number in range(400)}},
        {"properties": {"items": list(range(4_000))}},
        {"properties": {"text": "x" * 100_000}},
        nested(11),
        {"properties": None},
        {"time": "2000-01-01T00:00:00+00:00"},
        {"time": (NOW + timedelta(days=365)).isoformat()},
    ],
)
def test_an_event_at_the_limit_passes(event: dict[str, Any]):
    assert rules.event(event) is None


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"properties": {str(number): number for number in range(401)}}, "has 401 properties"),
        ({"properties": {"items": list(range(4_001))}}, "has an array of 4,001 items"),
        ({"properties": {"orders": [{"items": list(range(4_001))}]}}, "has an array of 4,001 items"),
        ({"properties": {"text": "x" * 100_001}}, "has a text of over 100,000 bytes"),
        ({"properties": {"text": "ü" * 50_001}}, "has a text of over 100,000 bytes"),
        (nested(12), "is nested deeper than 10 levels"),
    ],
)
def test_an_event_over_a_limit_is_named(event: dict[str, Any], told: str):
    assert told in str(rules.event(event))


def test_a_time_travels_as_text_with_an_offset():
    east = timezone(timedelta(hours=2))

    assert rules.moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=east)) == "2026-01-02T03:04:05+02:00"
    assert rules.moment("2026-01-02T03:04:05Z") == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize("offset", ["+14:00", "-12:00"])
def test_a_time_may_be_in_the_easternmost_and_the_westernmost_zone(offset: str):
    assert rules.moment(f"2026-01-02T03:04:05{offset}") == f"2026-01-02T03:04:05{offset}"


@pytest.mark.parametrize("offset", ["+14:01", "-12:01", "+23:59"])
def test_a_time_in_a_zone_that_is_nowhere_is_refused(offset: str):
    with pytest.raises(ValueError, match="no time zone has this offset"):
        rules.moment(f"2026-01-02T03:04:05{offset}")
    with pytest.raises(ValueError, match="no time zone has this offset"):
        rules.moment(datetime.fromisoformat(f"2026-01-02T03:04:05{offset}"))


def test_a_day_travels_as_text():
    assert rules.day(date(1815, 12, 10)) == rules.day("1815-12-10") == "1815-12-10"


@pytest.mark.parametrize("value", ["10.12.1815", 1815, datetime(1815, 12, 10, tzinfo=UTC)])
def test_what_is_not_a_day_is_refused(value: Any):
    with pytest.raises(ValueError, match="this is not a day"):
        rules.day(value)


@pytest.mark.parametrize("value", ["yesterday", 1767322800])
def test_what_is_not_a_time_is_refused(value: Any):
    with pytest.raises(ValueError, match="this is not"):
        rules.moment(value)


@pytest.mark.usefixtures("_counted_ids")
def test_an_event_without_id_and_time_is_given_both():
    bound = declaration("create_event").bind(EVENT)

    assert (bound["unique_id"], bound["time"], bound["properties"]) == ("id-1", NOW.isoformat(), {})


def test_an_event_keeps_its_own_id_and_time():
    own = {"unique_id": "order-1", "time": "2026-01-02T03:04:05+00:00", "properties": {"sku": "1"}}

    bound = declaration("create_event").bind({**EVENT, **own})

    assert {key: bound[key] for key in own} == own


@pytest.mark.usefixtures("_counted_ids")
def test_every_event_of_a_bulk_request_is_given_an_id_of_its_own():
    some = [{"profile": {"id": f"P{number}"}, "events": [{"metric": "M"}, {"metric": "M"}]} for number in range(2)]

    bound = declaration("bulk_create_events").bind({"events": some})

    ids = [event["unique_id"] for each in bound["events"] for event in each["events"]]
    assert ids == ["id-1", "id-2", "id-3", "id-4"]
    assert all(event["time"] == NOW.isoformat() for each in bound["events"] for event in each["events"])


@pytest.mark.parametrize("name", ["create_event", "create_client_event"])
def test_a_task_gives_its_event_the_same_id_each_time_it_is_carried_out(name: str):
    first, second = (declaration(name).bind(EVENT, "task-1") for _ in range(2))

    assert first["unique_id"] == second["unique_id"] == "task-1"


def test_a_task_gives_each_of_its_events_the_same_id_each_time():
    given = {"profile": {"id": "P1"}, "events": [{"metric": "M"}, {"metric": "M"}]}

    bound = declaration("bulk_create_client_events").bind(given, "task-1")

    assert [event["unique_id"] for event in bound["events"]] == ["task-1-0", "task-1-1"]


def test_a_pattern_for_calls_is_checked_but_has_no_id():
    assert "unique_id" not in declaration("create_event").bind(EVENT, stamped=False)


@pytest.mark.parametrize(
    ("name", "given", "harmless"),
    [
        ("update_profile", {"id": "P1", "title": "x"}, True),
        ("update_profile", {"id": "P1", "patch_properties": {"unset": "plan"}}, True),
        ("update_profile", {"id": "P1", "patch_properties": {"append": {"skus": "1"}}}, False),
        ("create_or_update_profile", {"id": "P1", "patch_identifiers": {"unappend": {"email": "x"}}}, False),
        ("create_event", {**EVENT, "profile": {"id": "P1", "patch_properties": {"append": {"skus": "1"}}}}, False),
        ("create_event", EVENT, True),
        ("bulk_import_profiles", {"profiles": [{"email": "a"}]}, True),
        ("bulk_import_profiles", {"profiles": [{"email": "a", "patch_properties": {"append": {"s": 1}}}]}, False),
        (
            "bulk_create_events",
            {"events": [{"profile": {"id": "1", "patch_properties": {"unappend": {"s": 1}}}, "events": []}]},
            False,
        ),
        ("bulk_suppress_profiles", {"profiles": [{"email": "a"}]}, True),
        ("bulk_suppress_profiles", {"list_id": "L1"}, False),
        ("request_profile_deletion", {"profile_id": "P1"}, True),
        ("request_profile_deletion", {"email": "ada@example.com"}, False),
        ("create_list", {"name": "VIP"}, False),
        ("add_profiles_to_list", {"list_id": "L1", "profile_ids": ["P1"]}, True),
    ],
)
def test_whether_a_repeat_is_harmless_depends_on_what_is_asked(name: str, given: dict[str, Any], harmless: bool):
    found = declaration(name)

    repeat = found.repeat_of(found.bind(given))

    assert repeat.blindly == harmless
    assert harmless or repeat.note


@pytest.mark.parametrize("hidden", [" ", "\x00", "\xa0", "\u200b", "\ufeff", "\x7f"])
def test_an_address_holds_nothing_that_cannot_be_seen(hidden: str):
    with pytest.raises(ValueError, match="this is not an email address"):
        rules.email(f"ada{hidden}@example.com")
