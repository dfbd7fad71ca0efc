"""Each stream against the declaration of its action, and each trap in reading it."""

import functools
from datetime import UTC, datetime, timedelta

from schedules.pull.definition import Partition
from schedules.pull.streams import CAMPAIGNS, STREAMS
from schedules.store.tables import metadata
from tests.cases import for_each
from worker.api.paging import largest

SINCE = datetime(2026, 11, 23, tzinfo=UTC)
UNTIL = datetime(2026, 11, 24, tzinfo=UTC)

#: What every row has without its stream's doing.
COMMON = {"account", "synced_at", "deleted_at", "seen"}
STATE = {"sync_runs", "sync_windows", "watermarks", "push_hashes", "push_parts", "campaign_values", "flow_values"}


def each_of(names):
    """Make a test of one stream a test of all of these."""
    return lambda check: for_each(names)(functools.wraps(check)(lambda name: check(STREAMS[name])))


every_stream = each_of(STREAMS)
every_list = each_of([name for name, stream in STREAMS.items() if stream.action])


def partitions(stream):
    return [stream.parent.partition("X1")] if stream.parent else stream.partitions


def asked(name, since=SINCE, until=UNTIL):
    stream = STREAMS[name]
    return [str(stream.request(each, stream.time, since, until)["filter"]) for each in partitions(stream)]


@every_list
def test_the_action_takes_every_request_of_its_stream(stream):
    for partition in partitions(stream):
        for by in {None, stream.time, stream.scan_time}:
            for since, until in ((None, None), (SINCE, UNTIL)):
                bound = stream.action.declaration.bind(stream.request(partition, by, since, until))

                assert stream.action.declaration.request(bound).path.startswith("/api/")


@every_list
def test_pages_are_as_large_as_klaviyo_makes_them(stream):
    size = stream.action.declaration.parameters.get("page_size")

    assert size is None or stream.page_size == largest(size)


@every_list
def test_where_the_action_can_sort_its_stream_does(stream):
    can_sort = "sort" in stream.action.declaration.parameters

    assert all(
        ("sort" in stream.request(partition, by)) == can_sort
        for partition in partitions(stream)
        for by in {None, stream.time, stream.scan_time}
    )


@every_stream
def test_every_column_of_a_streams_table_is_filled(stream):
    columns = {column.name for column in stream.table.columns} - COMMON
    values = {name for partition in partitions(stream) for name in partition.values}

    assert columns == set(stream.columns) | values


@every_stream
def test_a_parent_comes_before_its_children_and_skips_by_its_columns(stream):
    if parent := stream.parent:
        names = list(STREAMS)
        assert names.index(parent.stream) < names.index(stream.name)
        assert set(parent.skip) <= set(STREAMS[parent.stream].columns)


def test_every_table_of_the_store_has_its_stream():
    assert {stream.table.name for stream in STREAMS.values()} == set(metadata.tables) - STATE


def test_a_field_that_knows_only_greater_than_begins_a_second_early():
    assert asked("profiles") == [
        "and(greater-than(updated,2026-11-22T23:59:59Z),less-than(updated,2026-11-24T00:00:00Z))"
    ]


def test_lists_and_segments_have_no_upper_bound_to_ask_for():
    assert asked("lists") == asked("segments") == ["greater-than(updated,2026-11-22T23:59:59Z)"]


def test_windows_of_other_fields_touch_and_do_not_overlap():
    assert asked("events") == [
        "and(greater-or-equal(datetime,2026-11-23T00:00:00Z),less-than(datetime,2026-11-24T00:00:00Z))"
    ]


def test_every_run_looks_back_some_minutes_and_for_events_a_day():
    look_back = {name: stream.time.look_back for name, stream in STREAMS.items() if stream.time}

    assert look_back.pop("events") == timedelta(days=1)
    assert set(look_back.values()) == {timedelta(minutes=5)}


def test_campaigns_are_requested_by_channel_the_archived_ones_last():
    asked_by = [(each.values["channel"], each.values["archived"]) for each in CAMPAIGNS]

    assert asked_by == [(channel, late) for late in (False, True) for channel in ("email", "sms", "mobile_push")]
    assert asked("campaigns", None, None)[0] == 'and(equals(messages.channel,"email"),equals(archived,false))'


def test_coupon_codes_are_requested_by_their_coupon():
    assert asked("coupon_codes")[0] == 'any(coupon.id,["X1"])'


def test_a_full_scan_is_cut_by_a_time_that_does_not_change():
    changing = {name for name, stream in STREAMS.items() if stream.scan_time and "updated" in stream.scan_time.name}

    assert changing == set()


def test_partitions_have_names_of_their_own():
    names = [partition.name for partition in CAMPAIGNS]

    assert names[0] == "channel=email,archived=False"
    assert len(set(names)) == len(names)
    assert Partition().name == ""


def test_members_are_read_whole_since_who_left_cannot_be_requested():
    assert STREAMS["list_members"].time is STREAMS["segment_members"].time is None


def test_actions_without_a_message_are_not_asked_for_one():
    skipped = STREAMS["flow_messages"].parent.skip["action_type"]

    assert "time-delay" in skipped
    assert not any(kind.startswith("send-") for kind in skipped)
