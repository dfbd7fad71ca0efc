"""Campaigns as the document of 2024 writes them, sent as the pinned revision wants them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.campaigns import create_campaign, get_campaign, get_campaigns, update_campaign, update_campaign_message
from worker.action import Action
from worker.errors import InputError

TIME = "2026-11-27T09:00:00+00:00"
STRATEGY = "data__attributes__send__strategy__"
NEW = {"name": "Autumn", "audiences": {"included": ["LIST"]}, "campaign_messages": []}


def attributes(action: Action[Any], **given: Any) -> dict[str, Any]:
    """The attributes in the body of a call."""
    request = action.declaration.request(action.declaration.bind(given))
    assert request.body
    found: dict[str, Any] = json.loads(request.body)["data"]["attributes"]
    return found


def message(**parts: Any) -> dict[str, Any]:
    """A message of a new campaign, as it was in 2024."""
    return {"type": "campaign-message", "attributes": parts}


def definition(**parts: Any) -> Any:
    """What becomes of it."""
    sent = attributes(create_campaign, **{**NEW, "campaign_messages": [message(**parts)]})
    return sent["campaign-messages"]["data"][0]["attributes"]["definition"]


@pytest.mark.parametrize(
    ("flat", "expected"),
    [
        (
            {"method": "static", "options__static__datetime": TIME},
            {"method": "static", "datetime": TIME},
        ),
        (
            {
                "method": "static",
                "options__static__datetime": TIME,
                "options__static__is__local": True,
                "options__static__send__past__recipients__immediately": True,
            },
            {
                "method": "static",
                "datetime": TIME,
                "options": {"is_local": True, "send_past_recipients_immediately": True},
            },
        ),
        (
            {
                "method": "throttled",
                "options__throttled__datetime": TIME,
                "options__throttled__throttle__percentage": 10,
            },
            {"method": "throttled", "datetime": TIME, "throttle_percentage": 10},
        ),
        (
            {"method": "smart_send_time", "options__sto__date": "2026-11-27"},
            {"method": "smart_send_time", "date": "2026-11-27"},
        ),
        ({"method": "immediate"}, {"method": "immediate"}),
    ],
)
def test_each_send_strategy_of_2024_becomes_the_one_of_today(flat: dict[str, Any], expected: dict[str, Any]):
    sent = attributes(create_campaign, **NEW, **{STRATEGY + name: value for name, value in flat.items()})

    assert sent["send_strategy"] == expected


def test_options_of_2024_in_one_piece_become_those_of_today():
    given = {"method": "static", "options_static": {"datetime": TIME, "is_local": False}}

    sent = attributes(create_campaign, **NEW, send_strategy=given)

    assert sent["send_strategy"] == {"method": "static", "datetime": TIME, "options": {"is_local": False}}


def test_past_recipients_are_not_asked_for_where_the_time_is_not_local():
    options = {"datetime": TIME, "is_local": False, "send_past_recipients_immediately": True}

    sent = attributes(create_campaign, **NEW, send_strategy={"method": "static", "options_static": options})

    assert sent["send_strategy"]["options"] == {"is_local": False}


def test_options_of_another_method_are_left_out():
    given = {
        STRATEGY + "method": "throttled",
        STRATEGY + "options__throttled__datetime": TIME,
        STRATEGY + "options__throttled__throttle__percentage": 50,
        STRATEGY + "options__static__is__local": False,
    }

    sent = attributes(create_campaign, **NEW, **given)

    assert sent["send_strategy"] == {"method": "throttled", "datetime": TIME, "throttle_percentage": 50}


def test_the_method_follows_from_the_only_options_there_are():
    sent = attributes(update_campaign, campaign_id="C1", throttled_send_datetime=TIME, throttle_percentage=20)

    assert sent["send_strategy"] == {"method": "throttled", "datetime": TIME, "throttle_percentage": 20}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"send_strategy_method": "static", "static_send_datetime": TIME, "static_is_local_timezone": True},
            {"method": "static", "datetime": TIME, "options": {"is_local": True}},
        ),
        (
            {
                "static_send_datetime": TIME,
                "static_is_local_timezone": True,
                "static_send_past_recipients_immediately": False,
            },
            {
                "method": "static",
                "datetime": TIME,
                "options": {"is_local": True, "send_past_recipients_immediately": False},
            },
        ),
        (
            {"send_strategy_method": "smart_send_time", "sto_send_date": "2026-11-27"},
            {"method": "smart_send_time", "date": "2026-11-27"},
        ),
    ],
)
def test_the_short_names_of_an_update_are_translated_too(given: dict[str, Any], expected: dict[str, Any]):
    assert attributes(update_campaign, id="C1", **given)["send_strategy"] == expected


@pytest.mark.parametrize(
    "given",
    [
        {"send_strategy": {"method": "static", "options_static": 1}},
        {"send_strategy": {"method": [], "options_static": {}, "options_sto": {}}},
        {"send_strategy": {"options_static": {"datetime": TIME}, "options_sto": {"date": "2026-11-27"}}},
        {"tracking_options": {"utm_params": "utm_medium"}},
        {"tracking_options": {"utm_params": ["utm_medium"]}},
    ],
)
def test_what_cannot_be_translated_is_refused(given: dict[str, Any]):
    (name,) = given

    with pytest.raises(InputError, match=f"parameter '{name}"):
        update_campaign.declaration.bind({"id": "C1", **given})


def test_both_spellings_of_a_send_strategy_at_once_are_refused():
    with pytest.raises(InputError, match="given twice"):
        update_campaign.declaration.bind(
            {"id": "C1", "send_strategy": {"method": "immediate"}, "send_strategy_method": "static"}
        )


def test_a_percentage_that_klaviyo_does_not_offer_is_refused():
    with pytest.raises(InputError, match="throttle_percentage"):
        update_campaign.declaration.bind({"id": "C1", "throttled_send_datetime": TIME, "throttle_percentage": 12})


@pytest.mark.parametrize("name", ["tracking_options", "data__attributes__tracking__options"])
def test_tracking_options_of_2024_become_those_of_today(name: str):
    given = {
        "is_add_utm": True,
        "utm_params": [{"name": "utm_medium", "value": "campaign"}],
        "is_tracking_opens": True,
    }

    sent = attributes(create_campaign, **NEW, **{name: given})

    assert sent["tracking_options"] == {
        "add_tracking_params": True,
        "custom_tracking_params": [{"type": "static", "name": "utm_medium", "value": "campaign"}],
        "is_tracking_opens": True,
    }


def test_an_empty_list_of_utm_parameters_stays_empty():
    sent = attributes(update_campaign, id="C1", tracking_options={"is_add_utm": True, "utm_params": []})

    assert sent["tracking_options"] == {"add_tracking_params": True, "custom_tracking_params": []}


def test_tracking_options_of_today_pass():
    given = {"custom_tracking_params": [{"type": "dynamic", "name": "utm_campaign", "value": "campaign_id"}]}

    assert attributes(update_campaign, id="C1", tracking_options=given)["tracking_options"] == given


def test_an_email_of_2024_gets_a_definition():
    found = definition(channel="email", label="A", content={"subject": "Hello"}, render_options={"shorten_links": True})

    assert found == {"channel": "email", "label": "A", "content": {"subject": "Hello"}}


def test_a_text_message_of_2024_gets_a_definition():
    found = definition(channel="sms", label="A", content={"body": "Hello"}, render_options={"shorten_links": True})

    assert found == {"channel": "sms", "content": {"body": "Hello"}, "render_options": {"shorten_links": True}}


def test_a_message_of_today_passes_in_either_form():
    wanted = {"channel": "mobile_push", "notification_type": "silent", "kv_pairs": {"screen": "sale"}}
    raw = [{"type": "campaign-message", "attributes": {"definition": wanted}}]

    plain = attributes(create_campaign, **{**NEW, "campaign_messages": [{"definition": wanted, "image_id": "I1"}]})
    sent = attributes(
        create_campaign,
        name="Autumn",
        audiences={"included": ["LIST"]},
        data__attributes__campaign__messages__data=raw,
    )

    assert sent["campaign-messages"]["data"] == raw
    assert plain["campaign-messages"]["data"] == [
        {**raw[0], "relationships": {"image": {"data": {"type": "image", "id": "I1"}}}}
    ]


def test_the_channel_of_an_update_follows_from_its_content():
    email = attributes(
        update_campaign_message,
        id="M1",
        data__attributes__label="A",
        data__attributes__content={"subject": "Hello"},
    )
    text = attributes(
        update_campaign_message,
        id="M1",
        data__attributes__label="A",
        data__attributes__content={"body": "Hello"},
        data__attributes__render__options__add__info__link=True,
        data__attributes__render__options__add__opt__out__language=True,
        data__attributes__render__options__add__org__prefix=False,
        data__attributes__render__options__shorten__links=False,
    )

    assert email["definition"] == {"channel": "email", "label": "A", "content": {"subject": "Hello"}}
    assert text["definition"] == {
        "channel": "sms",
        "content": {"body": "Hello"},
        "render_options": {
            "add_info_link": True,
            "add_opt_out_language": True,
            "add_org_prefix": False,
            "shorten_links": False,
        },
    }


def test_a_part_that_a_channel_does_not_have_is_refused_today():
    wrong = {"channel": "email", "render_options": {"shorten_links": True}}

    with pytest.raises(InputError, match="render_options"):
        update_campaign_message.declaration.bind({"id": "M1", "definition": wrong})


def filter_of(**given: Any) -> str:
    declaration = get_campaigns.declaration
    return declaration.request(declaration.bind(given)).query["filter"]


def test_channel_and_archived_become_conditions_of_the_filter():
    assert filter_of(channel="email") == "equals(messages.channel,'email')"
    assert filter_of(channel="sms", include_archived=True) == "equals(messages.channel,'sms'),equals(archived,true)"
    assert filter_of(channel="email", include_archived=False, filter="contains(name,'x')") == (
        "contains(name,'x'),equals(messages.channel,'email'),equals(archived,false)"
    )


@pytest.mark.parametrize(
    "given", [{"filter": "contains(name,'x')"}, {"channel": "pigeon"}, {"include_archived": True}, {}]
)
def test_a_list_without_a_channel_is_refused(given: dict[str, Any]):
    with pytest.raises(InputError, match=r"channel|filter"):
        get_campaigns.declaration.bind(given)


def test_the_yes_or_no_parameters_of_a_campaign_include_what_they_name():
    request = get_campaign.declaration.request(
        get_campaign.declaration.bind({"campaign_id": "C1", "include_messages": True, "include_tags": True})
    )

    assert request.path == "/api/campaigns/C1"
    assert request.query == {"include": "campaign-messages,tags"}
