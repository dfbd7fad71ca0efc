"""Klaviyo's own SDK against the sandbox: profiles, lists, segments, and what is known of them."""

from __future__ import annotations

from typing import Any

import pytest
from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import NotFoundException

from tests.sandbox.sdk import (
    bulk_job,
    identifiers,
    ids,
    new_list,
    new_profile,
    next_cursor,
    resource,
    wait_until_complete,
)

EXTRA = ["subscriptions", "predictive_analytics"]


def test_a_profile_is_deleted_for_its_privacy(sdk: KlaviyoAPI) -> None:
    id = new_profile(sdk, "private")
    named = {"profile": resource("profile", email="private@example.com")}
    sdk.Data_Privacy.request_profile_deletion(resource("data-privacy-deletion-job", **named))
    with pytest.raises(NotFoundException):
        sdk.Profiles.get_profile(id)


def test_events_are_sent_alone_and_in_bulk_and_read_with_metric_and_profile(sdk: KlaviyoAPI) -> None:
    events = sdk.Events
    profile = new_profile(sdk, "buyer")
    who, metric = resource("profile", email="buyer@example.com"), resource("metric", name="Placed Order")
    sent = {"properties": {"sku": "A"}, "value": 9.5, "unique_id": "1", "metric": metric, "profile": who}
    events.create_event(resource("event", **sent))
    more = [
        resource("event", properties={"sku": "B"}, unique_id=unique, metric=metric)["data"] for unique in ("2", "3")
    ]
    entry = resource("event-bulk-create", profile=who, events={"data": more})
    events.bulk_create_events(bulk_job("event-bulk-create-job", "events-bulk-create", entry))
    mine = f'equals(profile_id,"{profile}")'
    first = events.get_events(filter=mine, include=["profile", "metric"], sort="datetime", page_size=2)
    assert [len(first.data), len(first.included)] == [2, 2]
    assert len(events.get_events(filter=mine, sort="datetime", page_cursor=next_cursor(first)).data) == 1
    event = next(row for row in first.data if row.attributes.event_properties.get("sku") == "A")
    assert events.get_event(event.id, include=["profile", "metric"]).data.attributes.uuid == event.attributes.uuid
    assert events.get_profile_for_event(event.id, additional_fields_profile=EXTRA).data.id == profile
    assert events.get_profile_id_for_event(event.id).data.id == profile
    assert events.get_metric_for_event(event.id).data.attributes.name == "Placed Order"
    assert events.get_metric_id_for_event(event.id).data.type == "metric"


def test_a_list_is_filled_read_page_by_page_and_emptied(sdk: KlaviyoAPI) -> None:
    lists = sdk.Lists
    id = new_list(sdk, "Members")
    people = [new_profile(sdk, f"member-{n}") for n in range(3)]
    lists.add_profiles_to_list(id, identifiers("profile", *people))
    lists.update_list(id, resource("list", id, name="Regulars"))
    shown = lists.get_list(id, additional_fields_list=["profile_count"], include=["tags", "flow-triggers"]).data
    assert (shown.attributes.name, shown.attributes.profile_count) == ("Regulars", 3)
    assert ids(lists.get_lists(filter='equals(name,"Regulars")', include=["tags"])) == [id]
    first = lists.get_profiles_for_list(id, additional_fields_profile=EXTRA, page_size=2)
    rest = lists.get_profiles_for_list(id, page_size=2, page_cursor=next_cursor(first))
    assert sorted(ids(first) + ids(rest)) == sorted(people)
    assert first.data[0].attributes.joined_group_at
    lists.remove_profiles_from_list(id, identifiers("profile", *people[1:]))
    assert ids(lists.get_profile_ids_for_list(id)) == people[:1]
    assert not lists.get_tags_for_list(id).data
    lists.delete_list(id)
    with pytest.raises(NotFoundException):
        lists.get_list(id)


def test_metrics_are_read_mapped_and_aggregated(sdk: KlaviyoAPI) -> None:
    metrics = sdk.Metrics
    id = metrics.get_metrics(include=["flow-triggers"]).data[0].id
    assert metrics.get_metric(id, include=["flow-triggers"]).data.attributes.name
    for read in (metrics.get_flows_triggered_by_metric, metrics.get_ids_for_flows_triggered_by_metric):
        assert not read(id).data
    for read in (metrics.get_properties_for_metric, metrics.get_property_ids_for_metric):
        assert not read(id).data
    bounds = ["greater-or-equal(datetime,2026-02-01T00:00:00)", "less-than(datetime,2026-02-04T00:00:00)"]
    query = resource("metric-aggregate", metric_id=id, measurements=["count"], filter=bounds)
    assert len(metrics.query_metric_aggregates(query).data.attributes.dates) == 3
    definition = {"aggregation_method": "count", "metric_groups": [{"metric_id": id, "metric_filters": []}]}
    custom = metrics.create_custom_metric(resource("custom-metric", name="Ours", definition=definition)).data.id
    metrics.update_custom_metric(custom, resource("custom-metric", custom, name="Mine"))
    assert metrics.get_custom_metric(custom, include=["metrics"]).data.attributes.name == "Mine"
    assert ids(metrics.get_custom_metrics(include=["metrics"])) == [custom]
    assert len(metrics.get_mapped_metrics(include=["metric", "custom-metric"]).data) == 7
    for links in ({"custom-metric": resource("custom-metric", custom)}, {"metric": resource("metric", id)}):
        mapped = metrics.update_mapped_metric("revenue", resource("mapped-metric", "revenue", links))
        assert set(mapped.data.to_dict()["relationships"]) == {"metric", "custom-metric"}
    assert metrics.get_metric_for_mapped_metric("revenue").data.id == id
    assert metrics.get_metric_id_for_mapped_metric("revenue").data.id == id
    with pytest.raises(NotFoundException):
        metrics.get_custom_metric_for_mapped_metric("revenue")
    metrics.delete_custom_metric(custom)
    with pytest.raises(NotFoundException):
        metrics.get_custom_metric(custom)


def test_a_profile_is_created_changed_found_merged_and_has_a_push_token(sdk: KlaviyoAPI) -> None:
    profiles = sdk.Profiles
    where = {"city": "Bristol", "latitude": "51.45", "longitude": -2.6}
    ada = resource("profile", email="ada@example.com", first_name="Ada", location=where, properties={"tier": 1})
    id = profiles.create_profile(ada).data.id
    assert profiles.update_profile(id, resource("profile", id, first_name="A.")).data.attributes.properties == {
        "tier": 1
    }
    upserted = profiles.create_or_update_profile(resource("profile", email="bob@example.com"))
    shown = profiles.get_profile(id, additional_fields_profile=EXTRA, include=["lists", "segments", "push-tokens"])
    assert shown.data.attributes.subscriptions.email.marketing.consent == "NEVER_SUBSCRIBED"
    assert shown.data.attributes.predictive_analytics
    asked = {"additional_fields_profile": EXTRA, "sort": "-created"}
    assert ids(profiles.get_profiles(filter='equals(email,"ada@example.com")', **asked)) == [id]
    assert ids(profiles.get_lists_for_profile(id)) == ids(profiles.get_list_ids_for_profile(id)) == []
    assert ids(profiles.get_segments_for_profile(id)) == ids(profiles.get_segment_ids_for_profile(id)) != []

    device = {"token": "t1", "platform": "ios", "vendor": "apns", "enablement_status": "AUTHORIZED"}
    profiles.create_push_token(resource("push-token", profile=resource("profile", email="ada@example.com"), **device))
    [token] = ids(profiles.get_push_tokens(include=["profile"]))
    assert profiles.get_push_token(token, include=["profile"]).data.attributes.platform == "ios"
    assert profiles.get_profile_for_push_token(token).data.id == id
    assert profiles.get_profile_id_for_push_token(token).data.id == id
    assert ids(profiles.get_push_tokens_for_profile(id)) == ids(profiles.get_push_token_ids_for_profile(id)) == [token]
    profiles.delete_push_token(token)

    merged = resource("profile-merge", id, {"profiles": identifiers("profile", upserted.data.id)})
    assert profiles.merge_profiles(merged).data.id == id
    with pytest.raises(NotFoundException):
        profiles.get_profile(upserted.data.id)


def test_profiles_are_imported_subscribed_and_suppressed_in_bulk(sdk: KlaviyoAPI) -> None:
    profiles, list_id = sdk.Profiles, new_list(sdk, "Imported")
    people = [resource("profile", email=email) for email in ("new@example.com", "new@reject.example")]
    sent = bulk_job("profile-bulk-import-job", "profiles", *people, links={"lists": identifiers("list", list_id)})
    id = profiles.bulk_import_profiles(sent).data.id
    done = wait_until_complete(profiles.get_bulk_import_profiles_job, id, include=["lists"]).data.attributes
    assert (done.completed_count, done.failed_count) == (1, 1)
    assert id in ids(profiles.get_bulk_import_profiles_jobs(sort="-created_at"))
    [failure] = profiles.get_errors_for_bulk_import_profiles_job(id).data
    assert failure.attributes.source.pointer.endswith("/email")
    for read in (
        profiles.get_list_for_bulk_import_profiles_job,
        profiles.get_list_ids_for_bulk_import_profiles_job,
    ):
        assert ids(read(id)) == [list_id]
    assert ids(profiles.get_profiles_for_bulk_import_profiles_job(id)) == ids(
        profiles.get_profile_ids_for_bulk_import_profiles_job(id)
    )

    def consent(kind: str, value: str) -> dict[str, Any]:
        email = {"email": {"marketing": {"consent": value}}}
        who = resource("profile", email="new@example.com", subscriptions=email)
        return bulk_job(
            f"profile-subscription-bulk-{kind}-job", "profiles", who, links={"list": resource("list", list_id)}
        )

    profiles.bulk_subscribe_profiles(consent("create", "SUBSCRIBED"))
    member = sdk.Lists.get_profiles_for_list(list_id, additional_fields_profile=["subscriptions"]).data[0]
    assert member.attributes.subscriptions.email.marketing.consent == "SUBSCRIBED"
    profiles.bulk_unsubscribe_profiles(consent("delete", "UNSUBSCRIBED"))
    profiles.get_profile(member.id, additional_fields_profile=EXTRA)
    for act, kind in (("suppress", "create"), ("unsuppress", "delete")):
        type = f"profile-suppression-bulk-{kind}-job"
        started = getattr(profiles, f"bulk_{act}_profiles")(bulk_job(type, "profiles", people[0])).data.id
        assert (
            wait_until_complete(
                getattr(profiles, f"get_bulk_{act}_profiles_job"), started
            ).data.attributes.completed_count
            == 1
        )
        assert ids(getattr(profiles, f"get_bulk_{act}_profiles_jobs")()) == [started]
        profiles.get_profile(member.id, additional_fields_profile=EXTRA)


def test_every_report_is_answered(sdk: KlaviyoAPI) -> None:
    reporting, metric = sdk.Reporting, sdk.Metrics.get_metrics().data[0].id
    kinds: dict[str, dict[str, Any]] = {
        "campaign": {"statistics": ["recipients", "delivery_rate"], "conversion_metric_id": metric},
        "flow": {"statistics": ["recipients", "delivery_rate"], "conversion_metric_id": metric},
        "form": {"statistics": ["viewed_form", "submit_rate"], "group_by": ["form_id", "form_version_id"]},
        "segment": {"statistics": ["total_members", "net_members_changed"]},
    }
    for kind, asked in kinds.items():
        asked["timeframe"] = {"key": "last_30_days"}
        values = getattr(reporting, f"query_{kind}_values")(resource(f"{kind}-values-report", **asked))
        rows = values.data.attributes.results
        assert rows
        assert {*rows[0].statistics} == {*asked["statistics"]}
        if kind == "campaign":
            continue
        series = getattr(reporting, f"query_{kind}_series")(
            resource(f"{kind}-series-report", interval="weekly", **asked)
        )
        found = series.data.attributes
        assert {len(found.results[0].statistics[name]) for name in asked["statistics"]} == {len(found.date_times)}
    everyone = sdk.Segments.get_segments(filter='equals(name,"Everyone")').data[0].id
    filtered = kinds["segment"] | {"filter": f'equals(segment_id,"{everyone}")'}
    only = reporting.query_segment_values(resource("segment-values-report", **filtered)).data.attributes.results
    assert [row.groupings for row in only] == [{"segment_id": everyone}]


def test_a_segment_is_created_read_and_deleted(sdk: KlaviyoAPI) -> None:
    segments = sdk.Segments
    condition = {"type": "string", "operator": "equals", "value": "gold"}
    gold = {"type": "profile-property", "property": "plan", "filter": condition}
    definition = {"condition_groups": [{"conditions": [gold]}]}
    id = segments.create_segment(resource("segment", name="Gold", definition=definition)).data.id
    segments.update_segment(id, resource("segment", id, name="Golden"))
    extra = {"additional_fields_segment": ["profile_count"], "include": ["tags", "flow-triggers"]}
    assert segments.get_segment(id, **extra).data.attributes.name == "Golden"
    first = segments.get_segments(include=["tags"], page_size=1)
    assert id in ids(segments.get_segments(page_cursor=next_cursor(first)))
    for read in (
        segments.get_profiles_for_segment,
        segments.get_profile_ids_for_segment,
        segments.get_tags_for_segment,
        segments.get_tag_ids_for_segment,
        segments.get_flows_triggered_by_segment,
        segments.get_ids_for_flows_triggered_by_segment,
    ):
        assert ids(read(id)) == []
    segments.delete_segment(id)
    with pytest.raises(NotFoundException):
        segments.get_segment(id)


def test_a_conversation_takes_a_message_and_profiles_have_none_at_first(sdk: KlaviyoAPI) -> None:
    of_one = {"conversation": resource("conversation", "C1")}
    sdk.Conversations.create_conversation_message(resource("conversation-message", links=of_one, body="Hello"))
    id = new_profile(sdk, "silent")
    assert not sdk.Profiles.get_conversations_for_profile(id).data
    assert not sdk.Profiles.get_conversation_ids_for_profile(id).data
