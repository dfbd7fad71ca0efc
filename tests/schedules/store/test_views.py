"""What the views tell of consent, suppressions and memberships, on either database."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import inspect

from schedules.store import runs
from schedules.store.connection import get_engine, reading, transaction
from schedules.store.rows import mark_deleted, mark_seen, upsert
from schedules.store.tables import UNKNOWN_JOIN, events, list_members, lists, metrics, profiles
from schedules.store.views import VIEWS, read_view

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def write(table, *rows):
    with transaction() as connection:
        upsert(connection, table, [{"account": "default", "synced_at": NOON, **row} for row in rows])


def profile(id, subscriptions, **columns):
    return {"id": id, "email": f"{id}@example.com", "attributes": {"subscriptions": subscriptions}, **columns}


def read(name, account="default"):
    view = VIEWS[name]
    with reading() as connection:
        rows = [row for batch in read_view(connection, view, account) for row in batch]
    return [{column.name: value for column, value in zip(view.table.columns, row, strict=True)} for row in rows]


def scan(began, *members):
    """Read the members of a list as a full scan does, and return the number of those that have left."""
    with transaction() as connection:
        run = runs.create(connection, "default", "list_members", "pull", "full", began)
        rows = [{"account": "default", "list_id": "L1", "synced_at": began, "seen": run, **each} for each in members]
        upsert(connection, list_members, rows)
        return mark_deleted(connection, list_members, "default", run, began)


def member(profile_id, joined_at):
    return {"profile_id": profile_id, "joined_at": joined_at}


def spells():
    return [(row["profile_id"], row["joined_at"], row["last_seen"], row["left_before"])
            for row in read("list_memberships")]  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_has_the_columns_that_the_code_reads(name):
    columns = [column["name"] for column in inspect(get_engine()).get_columns(name)]

    assert sorted(columns) == sorted(column.name for column in VIEWS[name].table.columns)


def test_consent_is_a_row_for_each_channel_and_kind_of_message():
    given = {
        "consent": "SUBSCRIBED", "consent_timestamp": "2026-01-02T04:04:05+01:00", "method": "SERVER",
        "method_detail": "api", "custom_method_detail": "fair", "can_receive_email_marketing": True,
    }  # fmt: skip
    refused = {"consent": "UNSUBSCRIBED", "consent_timestamp": None, "can_receive_sms_transactional": False}
    write(profiles, profile("P1", {"email": {"marketing": given}, "sms": {"transactional": refused}}))

    email, sms = sorted(read("consent"), key=lambda row: row["channel"])

    assert email == {
        "account": "default", "profile_id": "P1", "email": "P1@example.com", "phone_number": None,
        "channel": "email", "kind": "marketing", "consent": "SUBSCRIBED",
        "since": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "method": "SERVER", "source": "fair", "can_receive": True,
        "suppression_reason": None, "suppressed_since": None, "synced_at": NOON,
    }  # fmt: skip
    assert (sms["channel"], sms["kind"], sms["consent"]) == ("sms", "transactional", "UNSUBSCRIBED")
    assert (sms["since"], sms["source"], sms["can_receive"]) == (None, None, False)


def test_a_time_without_an_offset_is_in_utc_whatever_the_session_says():
    write(profiles, profile("P1", {"email": {"marketing": {"consent_timestamp": "2026-01-02T03:04:05.250000"}}}))

    assert [row["since"] for row in read("consent")] == [datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)]


def test_a_suppression_is_shown_beside_the_consent_and_in_rows_of_its_own():
    marketing = {
        "consent": "SUBSCRIBED",
        "suppression": [
            {"reason": "USER_SUPPRESSED", "timestamp": "2026-03-01T00:00:00+00:00"},
            {"reason": "HARD_BOUNCE", "timestamp": "2026-02-01T00:00:00+00:00"},
        ],
        "list_suppressions": [{"list_id": "L1", "reason": "UNSUBSCRIBED", "timestamp": "2026-01-01T00:00:00+00:00"}],
    }
    write(profiles, profile("P1", {"email": {"marketing": marketing}}))

    [row] = read("consent")
    stopped = sorted((row["since"].month, row["reason"], row["list_id"]) for row in read("suppressions"))

    assert row["suppression_reason"] == "USER_SUPPRESSED, HARD_BOUNCE"
    assert row["suppressed_since"] == datetime(2026, 2, 1, tzinfo=UTC)
    assert stopped == [(1, "UNSUBSCRIBED", "L1"), (2, "HARD_BOUNCE", None), (3, "USER_SUPPRESSED", None)]


@pytest.mark.parametrize(
    "subscriptions",
    [
        None, "all", ["email"], {"email": None}, {"email": "yes"}, {"email": {"marketing": None}},
        {"email": {"marketing": "yes"}}, {"email": {"marketing": ["yes"]}},
    ],
)  # fmt: skip
def test_subscriptions_of_another_shape_are_no_rows_and_no_error(subscriptions):
    write(profiles, profile("P1", subscriptions), profile("P2", {"sms": {"marketing": {"consent": "SUBSCRIBED"}}}))

    assert [row["profile_id"] for row in read("consent")] == ["P2"]
    assert read("suppressions") == []


def test_values_of_another_type_are_null():
    odd = {"consent": 7, "consent_timestamp": "soon", "can_receive": "maybe", "suppression": None,
           "list_suppressions": [None, "L1", {"list_id": "L2", "reason": None, "timestamp": 5}]}  # fmt: skip
    write(profiles, profile("P1", {"email": {"marketing": odd}}))

    [row], [suppression] = read("consent"), read("suppressions")

    assert (row["consent"], row["since"], row["can_receive"], row["suppression_reason"]) == ("7", None, None, None)
    assert (suppression["list_id"], suppression["reason"]) == ("L2", None)


def test_profiles_that_were_deleted_have_no_consent_any_more():
    consent = {"email": {"marketing": {"consent": "SUBSCRIBED", "suppression": [{"reason": "HARD_BOUNCE"}]}}}
    write(profiles, profile("P1", consent, deleted_at=NOON))

    assert read("consent") == read("suppressions") == []


def test_whoever_leaves_and_joins_again_has_two_memberships():
    write(lists, {"id": "L1", "name": "News", "attributes": {}})
    write(profiles, profile("A", {}))
    scan(NOON, member("A", NOON - DAY), member("B", NOON - DAY))
    scan(NOON + DAY, member("B", NOON - DAY))
    scan(NOON + 2 * DAY, member("B", NOON - DAY))
    scan(NOON + 3 * DAY, member("A", NOON + 2.5 * DAY), member("B", NOON - DAY))

    assert spells() == [
        ("A", NOON - DAY, NOON, NOON + DAY),
        ("A", NOON + 2.5 * DAY, NOON + 3 * DAY, None),
        ("B", NOON - DAY, NOON + 3 * DAY, None),
    ]
    assert [(row["list"], row["email"]) for row in read("list_memberships")] == [
        ("News", "A@example.com"), ("News", "A@example.com"), ("News", None),
    ]  # fmt: skip


def test_whoever_has_left_and_joined_between_two_scans_has_two_memberships_too():
    scan(NOON, member("A", NOON - DAY))
    scan(NOON + DAY, member("A", NOON + DAY / 2))

    assert spells() == [
        ("A", NOON - DAY, NOON, NOON + DAY),
        ("A", NOON + DAY / 2, NOON + DAY, None),
    ]


def test_a_list_that_could_not_be_read_moves_no_end_of_a_membership():
    scan(NOON, member("A", NOON - DAY))
    scan(NOON + DAY)
    with transaction() as connection:
        run = runs.create(connection, "default", "list_members", "pull", "full", NOON + 2 * DAY)
        mark_seen(connection, list_members, "default", run, list_id="L1")

    assert spells() == [("A", NOON - DAY, NOON, NOON + DAY)]


def test_a_membership_of_unknown_beginning_has_no_time_of_joining():
    scan(NOON, member("A", UNKNOWN_JOIN))

    assert spells() == [("A", None, NOON, None)]


def test_events_of_a_metric_without_a_name_are_counted_too():
    write(metrics, {"id": "M1", "name": "Placed Order", "attributes": {}})
    for id, metric in (("E1", "M1"), ("E2", "M1"), ("E3", "M2")):
        write(events, {"id": id, "metric_id": metric, "profile_id": "P1", "day": NOON.date(), "attributes": {}})

    counted = [(row["metric"], row["metric_id"], row["day"], row["events"], row["profiles"])
               for row in read("events_by_metric_and_day")]  # fmt: skip

    assert counted == [("Placed Order", "M1", date(2026, 11, 24), 2, 1), (None, "M2", date(2026, 11, 24), 1, 1)]


def test_a_view_is_read_for_one_account():
    write(profiles, profile("P1", {}), {**profile("P2", {}), "account": "other"})

    assert [row["id"] for row in read("current_profiles", "other")] == ["P2"]
