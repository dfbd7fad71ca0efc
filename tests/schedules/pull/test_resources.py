"""Every resource becomes a row, whatever it holds."""

from datetime import UTC, date, datetime

import pytest

from schedules.pull import resources

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def resource(value=None, **relationships):
    return {"type": "event", "id": "E1", "attributes": {"x": value}, "relationships": relationships}


@pytest.mark.parametrize(
    ("take", "value", "taken"),
    [
        (resources.text("x"), "Ada", "Ada"),
        (resources.text("x"), 42, "42"),
        (resources.text("x.y"), {"y": "inside"}, "inside"),
        (resources.text("x.y"), "no object", None),
        (resources.flag("x"), False, False),
        (resources.flag("x"), "false", None),
        (resources.count("x"), 3, 3),
        (resources.count("x"), True, None),
        (resources.figure("x"), 9, 9.0),
        (resources.figure("x"), "9.99", None),
        (resources.moment("x"), "2026-11-24T12:00:00+00:00", NOON),
        (resources.moment("x"), "2026-11-24T13:00:00+01:00", NOON),
        (resources.moment("x"), "2026-11-24T12:00:00Z", NOON),
        (resources.moment("x"), "2026-11-24 12:00:00", NOON),
        (resources.moment("x"), "yesterday", None),
        (resources.moment("x"), "0001-01-01T00:00:00+14:00", None),
        (resources.moment("x"), 1_790_000_000, None),
        (resources.day("x"), "2026-11-25T00:30:00+01:00", date(2026, 11, 24)),
        (resources.day("x"), None, None),
    ],
)
def test_a_value_is_taken_where_it_fits_its_column(take, value, taken):
    assert take(resource(value)) == taken


def test_what_is_not_there_is_left_out():
    bare = {"type": "event", "id": "E1"}

    assert resources.text("x")(bare) is resources.linked("metric")(bare) is resources.relationships(bare) is None
    assert resources.attributes(bare) == {}


def test_relationships_are_the_ids_that_the_page_told():
    one = {"data": {"type": "metric", "id": "M1"}}
    many = {"data": [{"type": "tag", "id": "T1"}, {"type": "tag", "id": "T2"}]}
    found = resource(metric=one, tags=many, profile={"links": {}}, template={"data": None})

    assert resources.relationships(found) == {"metric": "M1", "tags": ["T1", "T2"]}
    assert resources.linked("metric")(found) == "M1"
