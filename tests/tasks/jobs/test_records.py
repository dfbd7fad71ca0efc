"""What jobs tell of their records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.jobs.records import counters, describe_error, names, reason, record_index, records
from tasks.jobs.rows import format_rows, parse_rows

PROFILES = ("data", "attributes", "profiles", "data")


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("/data/attributes/profiles/data/17/attributes/email", 17),
        ("/data/attributes/profiles/data/0", 0),
        ("/data/attributes/profiles/data", None),
        ("/data/attributes/profiles/data/x/attributes", None),
        ("/data/relationships/lists/data/0", None),
        (None, None),
    ],
)
def test_a_pointer_leads_to_a_record_or_to_none(pointer, place):
    assert record_index(pointer, PROFILES) == place


def test_a_kind_without_records_has_no_pointers():
    assert record_index("/data/attributes/0", ()) is None


def test_an_error_that_keeps_to_no_schema_is_read_as_far_as_it_goes():
    seen = {"id": None, "code": None, "title": None, "detail": "exists", "meta": {"external_id": "X1"}, "source": None}

    assert describe_error(seen, PROFILES) == {"detail": "exists", "name": "X1"}
    assert describe_error({}, PROFILES) == {}


def test_an_error_tells_no_address():
    assert "ada" not in str(describe_error({"detail": "ada@example.com is invalid", "source": {}}, PROFILES))


def test_a_reason_names_the_field():
    error = {"detail": "Invalid email.", "pointer": "/data/attributes/profiles/data/17/attributes/email"}

    assert reason(error) == "Invalid email (email)"
    assert reason({"detail": "Refused.", "pointer": "/data/attributes/profiles/data/17"}) == "Refused"
    assert reason({}) == "no reason was given"


def test_the_counts_that_a_kind_has_are_read_and_nulls_are_none():
    assert counters({"total_count": 3, "completed_count": None, "skipped_count": 1}) == {"total": 3, "skipped": 1}


def test_a_record_is_known_by_what_it_is_called_in_any_case():
    sent = {"type": "profile", "attributes": {"email": "Ada@Example.com"}}
    there = {"type": "profile", "id": "01H", "attributes": {"email": "ada@example.com", "phone_number": None}}

    assert names(sent) & names(there)
    assert "x1" in names({"id": "$custom:::$default:::X1"}) & names({"attributes": {"external_id": "X1"}})


def test_the_records_of_a_request():
    body = b'{"data":{"attributes":{"profiles":{"data":[{"type":"profile"}]}}}}'

    assert records(body, PROFILES) == [{"type": "profile"}]
    assert records(None, PROFILES) == records(body, ()) == records(b"{}", PROFILES) == []


@given(st.sets(st.integers(1, 300)))
def test_row_numbers_survive_as_ranges(rows):
    assert parse_rows(format_rows(sorted(rows))) == sorted(rows)


def test_ranges_are_short():
    assert format_rows([1, 2, 3, 7, 9, 10]) == "1-3,7,9-10"
