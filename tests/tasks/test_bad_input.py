"""Bad input is refused before anything is published, and the message names what is wrong but never the value."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from typing_extensions import is_typeddict

from tests.cases import for_each
from tests.tasks.action_samples import NAMES, declaration, sample, smallest_call, stripped, whole_calls
from worker.errors import InputError

SECRET = "grace.hopper secret"  # no test may see it in a message
EVENT = {"metric": "Placed Order", "profile": {"id": "P1"}}
PROFILE = {"email": "x", "subscriptions": {"email": {"marketing": {"consent": "SUBSCRIBED"}}}}

every_action = for_each(NAMES)


def refused(name: str, given: dict[str, Any]) -> str:
    with pytest.raises(InputError) as caught:
        declaration(name).bind(given)
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert SECRET not in message
    assert "grace" not in message
    return message


@every_action
def test_an_unknown_parameter_is_refused(name: str):
    assert "'no_such_parameter' is not known" in refused(name, {**smallest_call(name), "no_such_parameter": SECRET})


@every_action
def test_a_misspelled_parameter_is_refused_with_the_right_spelling(name: str):
    for parameter in declaration(name).parameters:
        misspelled = f"{parameter}x"

        assert f"did you mean '{parameter}'?" in refused(name, {**smallest_call(name), misspelled: SECRET})


@every_action
def test_a_missing_parameter_is_named(name: str):
    for parameter in declaration(name).parameters.values():
        if parameter.required:
            given = {key: value for key, value in smallest_call(name).items() if key != parameter.name}

            assert f"'{parameter.name}' is missing" in refused(name, given)


@every_action
def test_a_parameter_of_a_wrong_type_is_named(name: str):
    for given in whole_calls(name):
        for parameter in given:
            assert f"'{parameter}" in refused(name, {**given, parameter: Wrong()})


class Wrong:
    """A value that no parameter takes, with a text that no message may show."""

    def __repr__(self) -> str:
        return SECRET


@every_action
def test_both_spellings_at_once_are_refused(name: str):
    found = declaration(name)
    flat = {alias.keys: each for each, alias in found.aliases.items() if getattr(alias, "keys", None)}
    for given in whole_calls(name):
        for keys, spelled in flat.items():
            if len(keys) == 1 and keys[0] in given and keys[0] != "id":
                assert f"'{keys[0]}' is given twice" in refused(name, {**given, spelled: given[keys[0]]})


@every_action
def test_a_value_outside_of_a_closed_set_is_refused_with_the_values(name: str):
    for parameter in declaration(name).parameters.values():
        if parameter.location == "query" and parameter.name.startswith(("fields", "include", "sort", "additional")):
            wrong = [SECRET] if isinstance(sample(parameter.annotation), list) else SECRET

            message = refused(name, {**smallest_call(name), parameter.name: wrong})

            assert ": input should be '" in message


@every_action
def test_an_unknown_key_of_a_dictionary_is_refused(name: str):
    for parameter in declaration(name).parameters.values():
        if is_typeddict(stripped(parameter.annotation)[0]):
            value = {**sample(parameter.annotation), "no_such_key": SECRET}
            (given, *_) = whole_calls(name)

            message = refused(name, {**given, parameter.name: value})

            # Inside a union, its member stands between.
            assert re.search(rf"'{parameter.name}\.(\w+\.)?no_such_key' is not known", message)


@pytest.mark.parametrize(
    ("name", "parameter", "most"),
    [
        ("bulk_import_profiles", "profiles", 10_000),
        ("bulk_subscribe_profiles", "profiles", 1_000),
        ("bulk_unsubscribe_profiles", "profiles", 100),
        ("bulk_suppress_profiles", "profiles", 100),
        ("bulk_unsuppress_profiles", "profiles", 100),
        ("merge_profiles", "profile_ids", 1),
        ("add_profiles_to_list", "profile_ids", 1_000),
        ("add_profiles_to_list", "emails", 1_000),
        ("remove_profiles_from_list", "profile_ids", 1_000),
    ],
)
def test_more_items_than_a_request_takes_are_refused(name: str, parameter: str, most: int):
    base = smallest_call(name, without=parameter)
    one = sample(declaration(name).parameters[parameter].annotation, whole=False)
    base.pop("profile_ids" if parameter == "emails" else "", None)

    declaration(name).bind({**base, parameter: one * most})

    assert f"'{parameter}'" in refused(name, {**base, parameter: one * (most + 1)})


def test_ids_and_addresses_are_counted_together():
    given = {"list_id": "L1", "profile_ids": ["P"] * 600, "emails": ["a@example.com"] * 401}

    assert "'profile_ids' and 'emails' are 1,001 together" in refused("add_profiles_to_list", given)


def test_more_events_than_a_request_takes_are_refused_over_all_profiles():
    some = [{"profile": {"id": f"P{number}"}, "events": [{"metric": "M"}] * 501} for number in range(2)]

    assert "1,002 events are too many" in refused("bulk_create_events", {"events": some})


@pytest.mark.parametrize("name", ["create_profile", "update_profile", "create_or_update_profile", "create_push_token"])
def test_a_profile_over_100_kb_is_refused(name: str):
    given = smallest_call(name)
    if name == "create_push_token":
        given["profile"] = {"id": "P1", "properties": {"long": "x" * 100_001}}
    else:
        given["properties"] = {"long": "x" * 100_001}

    assert "Klaviyo takes 100,000" in refused(name, given)


def test_profiles_of_an_import_that_are_too_large_are_named_by_their_places():
    profiles: list[dict[str, Any]] = [{"email": "a"} for _ in range(5)]
    profiles[3]["properties"] = {"long": "x" * 100_001}

    assert "items 3 of 'profiles' are over 100,000 bytes" in refused("bulk_import_profiles", {"profiles": profiles})


def test_an_import_over_5_mb_is_refused():
    profiles = [{"email": "a", "properties": {"long": "x" * 90_000}} for _ in range(60)]

    assert "Klaviyo takes 5,000,000" in refused("bulk_import_profiles", {"profiles": profiles})


@pytest.mark.parametrize("time", ["2026-01-02T03:04:05", "2026-01-02", datetime(2026, 1, 2, 3, 4, 5)])  # noqa: DTZ001
def test_a_time_without_a_zone_is_refused(time: Any):
    assert "'time': this time has no time zone" in refused("create_event", {**EVENT, "time": time})


@pytest.mark.parametrize("time", ["1999-12-31T23:59:59Z", "2027-07-16T00:00:00Z"])
def test_a_time_that_klaviyo_does_not_keep_is_refused(time: str):
    assert "'time' is outside of" in refused("create_event", {**EVENT, "time": time})


@pytest.mark.parametrize("email", ["grace", "grace@", "@secret", "grace@secret@secret", "grace hopper@secret", ""])
def test_what_cannot_be_an_address_is_refused(email: str):
    assert "'email': this is not an email address" in refused("create_profile", {"email": email})


@pytest.mark.parametrize("number", ["5005550006", "+1 500 555 0006", "+1500", "+15005550006150055"])
def test_what_cannot_be_a_phone_number_is_refused(number: str):
    message = refused("create_event", {**EVENT, "profile": {"phone_number": number}})

    assert "'profile.phone_number': this is not a phone number" in message
    assert number not in message


@pytest.mark.parametrize("name", ["bulk_import_profiles", "bulk_subscribe_profiles", "bulk_unsubscribe_profiles"])
def test_addresses_of_a_bulk_request_are_not_judged(name: str):
    given = smallest_call(name)
    given["profiles"][0] |= {"email": "no address", "phone_number": "no number"}

    declaration(name).bind(given)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("create_profile", {"first_name": SECRET}, "give at least one of 'email', 'phone_number' or 'external_id'"),
        ("create_or_update_profile", {"title": SECRET}, "give at least one of 'id', 'email'"),
        ("create_client_profile", {"title": SECRET}, "give at least one of 'id', 'email'"),
        ("create_event", {"metric": "M", "profile": {"title": SECRET}}, "give at least one of 'profile.id'"),
        ("create_client_event", {"metric": "M", "profile": {}}, "give at least one of 'profile.id'"),
        ("bulk_create_events", {"events": [{"profile": {}, "events": []}]}, "'events.0.profile' has no identifier"),
        ("bulk_create_client_events", {"profile": {}, "events": []}, "give at least one of 'profile.id'"),
        ("create_client_subscription", {"profile": {"id": "P1"}, "list_id": "L1"}, "give at least one of"),
        ("request_profile_deletion", {}, "give one of 'profile_id', 'email' or 'phone_number'"),
        ("request_profile_deletion", {"profile_id": "P1", "email": "a@example.com"}, "not 2 of them"),
        ("bulk_suppress_profiles", {}, "give one of 'profiles', 'list_id' or 'segment_id'"),
        ("bulk_unsuppress_profiles", {"list_id": "L1", "segment_id": "S1"}, "not 2 of them"),
        ("add_profiles_to_list", {"list_id": "L1"}, "give at least one of 'profile_ids' or 'emails'"),
        ("remove_profiles_from_list", {"list_id": "L1"}, "give at least one of 'profile_ids' or 'emails'"),
    ],
)
def test_a_call_that_names_nobody_or_too_much_is_refused(name: str, given: dict[str, Any], told: str):
    assert told in refused(name, given)


def test_an_event_id_twice_for_one_profile_and_metric_is_refused():
    twice = [{"metric": "M", "unique_id": "secret"}, {"metric": "M", "unique_id": "secret"}]
    other = [{"metric": "N", "unique_id": "secret"}]

    declaration("bulk_create_events").bind({"events": [{"profile": {"id": "P1"}, "events": twice[:1] + other}]})

    message = refused("bulk_create_events", {"events": [{"profile": {"id": "P1"}, "events": twice}]})
    assert "'events.0.events.1.unique_id' was used before" in message


@pytest.mark.parametrize("degrees", [181, "north", True, [1]])
def test_what_is_not_a_number_of_degrees_is_refused(degrees: Any):
    message = refused("create_profile", {"external_id": "1", "location": {"latitude": degrees}})

    assert "'location.latitude': this is not a number of degrees" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_carry_as_an_amount_is_refused(value: float):
    assert "'value'" in refused("create_event", {**EVENT, "value": value})


@pytest.mark.parametrize(
    ("name", "given", "place"),
    [
        ("create_profile", {"email": "a@example.com", "properties": {"photo": SECRET.encode()}}, "properties.photo"),
        ("create_event", {**EVENT, "properties": {"items": [{"tags": {SECRET}}]}}, "properties.items.0.tags"),
        ("bulk_import_profiles", {"profiles": [{"properties": {"x": SECRET.encode()}}]}, "profiles.0.properties.x"),
        ("render_template", {"id": "T1", "context": {"amount": float("nan")}}, "context.amount"),
        ("create_profile", {"external_id": "1", "properties": {"visits": 2**70}}, "properties.visits"),
        ("bulk_import_profiles", {"profiles": [{"properties": {"x": 2**70}}]}, "profiles.0.properties.x"),
    ],
)
def test_what_json_cannot_carry_is_refused_with_its_place(name: str, given: dict[str, Any], place: str):
    assert f"parameter '{place}' is " in refused(name, given)


def test_a_kind_of_condition_that_klaviyo_does_not_know_is_refused():
    definition = {"condition_groups": [{"conditions": [{"type": SECRET}]}]}

    assert "its 'type' is none of 'profile-group-membership'" in refused(
        "create_segment", {"name": "VIP", "definition": definition}
    )


def test_a_resource_of_another_type_is_refused():
    profile = {"type": "list", "attributes": {"email": "x"}}

    assert "'profiles.0.type' is not known" in refused("bulk_import_profiles", {"profiles": [profile]})


# What no signature says: Klaviyo's shapes, to the last leaf.

JOINED = {"type": "profile-group-membership", "is_member": True, "group_ids": ["L1"]}
PUSH = {"channel": "mobile_push", "content": {"title": SECRET}}
BRANCH = {"type": "conditional-split", "temporary_id": "a", "links": {"next_if_true": [SECRET]}}
TEXT_BLOCK = {"content_type": "block", "type": "text", "data": {"content": SECRET, "display_options": {}}}


def segment(**timeframe: Any) -> dict[str, Any]:
    condition = {**JOINED, "timeframe_filter": {"type": "date", **timeframe}}
    return {"name": "New", "definition": {"condition_groups": [{"conditions": [condition]}]}}


def flow(*actions: dict[str, Any]) -> dict[str, Any]:
    return {"name": "New", "definition": {"triggers": [], "entry_action_id": "a", "actions": list(actions)}}


TIMEFRAME = "definition.condition_groups.0.conditions.0.timeframe_filter"


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("update_review", {"id": "R1", "status": {"value": "rejected"}}, "'status.rejection_reason' is missing"),
        ("create_segment", segment(operator="in-the-last", quantity=3), f"'{TIMEFRAME}.unit' is missing"),
        ("create_segment", segment(operator="in-the-last", unit="day"), f"'{TIMEFRAME}.quantity' is missing"),
        ("create_segment", segment(operator="between", unit="day", end=3), f"'{TIMEFRAME}.start' is missing"),
        ("create_segment", segment(operator="between", unit="day", start=3), f"'{TIMEFRAME}.end' is missing"),
        ("create_segment", segment(operator="in-the-last", unit="day", quantity=1.5), f"'{TIMEFRAME}.quantity'"),
        ("create_flow", flow(BRANCH), "'definition.actions.0.links.next_if_true'"),
        (
            "create_campaign",
            {"name": "New", "audiences": {"included": ["L1"]}, "campaign_messages": [{"definition": PUSH}]},
            "'campaign_messages.0.definition.content.body' is missing",
        ),
        ("create_universal_content", {"name": "New", "definition": TEXT_BLOCK}, "'definition.data.styles' is missing"),
    ],
)
def test_what_is_inside_an_unrestricted_part_is_checked_and_named(name: str, given: dict[str, Any], told: str):
    assert f"parameter {told}" in refused(name, given)


def test_a_kind_of_block_that_klaviyo_does_not_know_is_refused_with_the_known_ones():
    definition = {"content_type": "block", "type": SECRET, "data": {}}

    assert "'button'" in refused("create_universal_content", {"name": "New", "definition": definition})


def test_a_datetime_may_stand_wherever_klaviyo_takes_the_text_of_one():
    params = declaration("create_segment").bind(segment(operator="after", date=datetime(2026, 1, 2, tzinfo=UTC)))

    assert b'"date":"2026-01-02T00:00:00+00:00"' in (declaration("create_segment").request(params).body or b"")
