"""Writing rows: twice, late, out of order, from many threads; the store ends up the same on either database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import func, select

from schedules.store.connection import reading, transaction
from schedules.store.rows import mark_deleted, upsert
from schedules.store.tables import events, list_members, metrics, profiles

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def profile(id="P1", synced_at=NOON, **columns):
    return {"account": "default", "id": id, "attributes": {"title": "Countess"}, "synced_at": synced_at, **columns}


def member(profile_id, list_id="L1", synced_at=NOON, **columns):
    key = {"account": "default", "list_id": list_id, "profile_id": profile_id}
    return {**key, "joined_at": NOON, "synced_at": synced_at, **columns}


def write(table, *rows):
    with transaction() as connection:
        upsert(connection, table, rows)


def all_of(table):
    with reading() as connection:
        return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]


def test_a_row_comes_back_as_it_went_in():
    row = profile(email="ada@example.com", created=NOON - HOUR, attributes={"a": [1, 2.5, None, "ü"], "b": {"c": True}})

    write(profiles, row)

    (found,) = all_of(profiles)
    assert found.items() >= row.items()
    assert found["phone_number"] is found["deleted_at"] is found["seen"] is None


def test_a_page_applied_twice_is_applied_once():
    page = [profile("P1"), profile("P2")]
    write(profiles, *page)
    once = all_of(profiles)

    write(profiles, *page)

    assert all_of(profiles) == once


def test_a_newer_row_takes_the_place_of_an_older_one_in_every_column():
    write(profiles, profile(email="ada@example.com", phone_number="+15005550006"))

    write(profiles, profile(email="countess@example.com", synced_at=NOON + HOUR))

    (found,) = all_of(profiles)
    assert (found["email"], found["phone_number"]) == ("countess@example.com", None)


def test_a_page_that_comes_late_does_not_overwrite_what_was_read_after_it():
    write(profiles, profile(email="new@example.com", synced_at=NOON + HOUR))

    write(profiles, profile(email="old@example.com"))

    assert all_of(profiles)[0]["email"] == "new@example.com"


def test_of_equal_keys_on_one_page_the_later_one_counts():
    write(profiles, profile(email="first@example.com"), profile(email="second@example.com"))

    assert [row["email"] for row in all_of(profiles)] == ["second@example.com"]


def test_accounts_do_not_share_rows():
    write(profiles, profile(email="a@example.com"), {**profile(email="b@example.com"), "account": "eu-store"})

    assert {row["account"]: row["email"] for row in all_of(profiles)} == {
        "default": "a@example.com",
        "eu-store": "b@example.com",
    }


def test_without_rows_there_is_no_statement():
    write(profiles)

    assert all_of(profiles) == []


def test_a_moment_with_an_offset_is_stored_in_utc():
    write(profiles, profile(created=datetime(2026, 1, 1, 1, tzinfo=timezone(HOUR))))

    assert all_of(profiles)[0]["created"] == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_moment_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        write(profiles, profile(created=NOON.replace(tzinfo=None)))


def test_moments_are_compared_in_the_order_of_time():
    moments = [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(seconds=1)]
    write(profiles, *(profile(f"P{number}", created=moment) for number, moment in enumerate(moments)))

    with reading() as connection:
        found = connection.execute(select(profiles.c.id).where(profiles.c.created > NOON).order_by(profiles.c.created))

        assert list(found.scalars()) == ["P1", "P2"]


@pytest.mark.parametrize("value", ["NUL \0 in it", 'a backslash before it \\u0000, "quoted"'])
def test_text_that_postgresql_refuses_does_not_cost_the_page(value):
    write(profiles, profile(email=value, attributes={"x": [value, {value: 1}]}))

    readable = value.replace("\0", "\ufffd")
    (found,) = all_of(profiles)
    assert found["email"] == readable
    assert found["attributes"] == {"x": [readable, {readable: 1}]}


def test_what_a_full_scan_has_not_seen_is_deleted():
    write(profiles, profile("P1"), profile("P2"))
    began = NOON + HOUR
    write(profiles, profile("P1", synced_at=began, seen=7))

    with transaction() as connection:
        count = mark_deleted(connection, profiles, "default", scan=7, began=began)

    assert count == 1
    assert [row["deleted_at"] for row in all_of(profiles)] == [None, began]


def test_a_deletion_noticed_twice_counts_once():
    write(profiles, profile("P1"))

    with transaction() as connection:
        counts = [mark_deleted(connection, profiles, "default", 7, NOON + HOUR * hours) for hours in (1, 2)]

    assert counts == [1, 0]
    assert all_of(profiles)[0]["deleted_at"] == NOON + HOUR


def test_a_full_scan_leaves_other_accounts_alone():
    write(profiles, {**profile(), "account": "eu-store"})

    with transaction() as connection:
        assert mark_deleted(connection, profiles, "default", 7, NOON + HOUR) == 0


def test_a_row_that_came_during_the_scan_is_not_deleted():
    write(profiles, profile("P1", synced_at=NOON + HOUR))

    with transaction() as connection:
        assert mark_deleted(connection, profiles, "default", scan=7, began=NOON) == 0


def test_an_incremental_read_does_not_unsee_what_a_scan_has_seen():
    write(profiles, profile("P1", seen=7))

    write(profiles, profile("P1", synced_at=NOON + timedelta(seconds=1)))

    assert all_of(profiles)[0]["seen"] == 7


def test_a_scan_has_seen_what_it_found_even_if_the_stored_row_is_newer():
    write(profiles, profile("P1", NOON + HOUR, email="new@example.com", seen=6))

    write(profiles, profile("P1", email="old@example.com", seen=7))

    with transaction() as connection:
        assert mark_deleted(connection, profiles, "default", scan=7, began=NOON + HOUR * 2) == 0
    (found,) = all_of(profiles)
    assert (found["email"], found["synced_at"], found["seen"]) == ("new@example.com", NOON + HOUR, 7)


def test_a_page_of_an_earlier_scan_does_not_unsee_what_a_later_one_has_seen():
    write(profiles, profile("P1", seen=7))

    write(profiles, profile("P1", NOON + HOUR, seen=6))

    assert all_of(profiles)[0]["seen"] == 7


def test_a_row_that_is_there_again_is_not_deleted_any_more():
    write(profiles, profile("P1"))
    with transaction() as connection:
        mark_deleted(connection, profiles, "default", 7, NOON + HOUR)

    write(profiles, profile("P1", synced_at=NOON + HOUR * 2))

    assert all_of(profiles)[0]["deleted_at"] is None


def test_a_page_of_an_earlier_scan_delivered_again_does_not_bring_a_deleted_row_back():
    page = profile("P1", seen=6)
    write(profiles, page)
    with transaction() as connection:
        mark_deleted(connection, profiles, "default", 7, NOON + HOUR)

    write(profiles, page)

    assert all_of(profiles)[0]["deleted_at"] == NOON + HOUR


def test_those_who_left_a_list_are_noticed_by_the_scan_of_that_list_only():
    write(list_members, member("P1"), member("P2"), member("P1", "L2"))
    began = NOON + HOUR
    write(list_members, member("P2", synced_at=began, seen=7))

    with transaction() as connection:
        mark_deleted(connection, list_members, "default", 7, began, list_id="L1")

    left = [(row["list_id"], row["profile_id"]) for row in all_of(list_members) if row["deleted_at"]]
    assert left == [("L1", "P1")]


def test_a_transaction_that_fails_leaves_nothing():
    def half_a_page():
        with transaction() as connection:
            upsert(connection, profiles, [profile()])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_a_page()

    assert all_of(profiles) == []


def test_threads_that_write_the_same_rows_in_any_order_all_succeed():
    def page(number):
        rows = [profile(f"P{place}", NOON + timedelta(seconds=number)) for place in range(50)]
        write(profiles, *(reversed(rows) if number % 2 else rows))

    with ThreadPoolExecutor(32) as threads:
        list(threads.map(page, range(128)))

    assert {row["synced_at"] for row in all_of(profiles)} == {NOON + timedelta(seconds=127)}


def test_reading_does_not_wait_for_a_writer():
    write(profiles, profile("P1"))

    with transaction() as connection:
        upsert(connection, profiles, [profile("P2")])
        with reading() as other:
            count = other.execute(select(func.count()).select_from(profiles)).scalar()

    assert count == 1


def test_events_are_counted_by_the_name_of_their_metric_and_the_day():
    def event(id, day, profile_id):
        keys = {"account": "default", "id": id, "metric_id": "M1", "profile_id": profile_id}
        return {**keys, "datetime": NOON, "day": day, "attributes": {}, "synced_at": NOON}

    today, yesterday = NOON.date(), (NOON - HOUR * 24).date()
    write(metrics, {"account": "default", "id": "M1", "name": "Placed Order", "attributes": {}, "synced_at": NOON})
    write(events, event("E1", today, "P1"), event("E2", today, "P1"), event("E3", yesterday, "P2"))

    with reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT metric, events, profiles FROM events_by_metric_and_day WHERE account = 'default' ORDER BY day"
        ).all()

    assert [tuple(row) for row in rows] == [("Placed Order", 1, 1), ("Placed Order", 2, 1)]


def test_the_view_of_profiles_leaves_out_those_that_were_deleted():
    write(profiles, profile("P1", email="ada@example.com"), profile("P2", email="gone@example.com"))
    write(profiles, profile("P1", NOON + HOUR, email="ada@example.com", seen=7))
    with transaction() as connection:
        mark_deleted(connection, profiles, "default", 7, NOON + HOUR)

    with reading() as connection:
        found = connection.exec_driver_sql("SELECT email FROM current_profiles").scalars()

        assert list(found) == ["ada@example.com"]
