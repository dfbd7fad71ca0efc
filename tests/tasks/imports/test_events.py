"""Events of an import: their ids and times, and Klaviyo's limits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tasks.action_samples import NOW
from tests.tasks.imports.import_runs import Made, Run

EVENTS = "email,metric,value,properties.sku\na@b.c,M,1,x\na@b.c,M,1,x\na@b.c,M,2,x\na@b.c,M,1,x\n"


def events_of(made: Made) -> list[dict[str, Any]]:
    return [item["attributes"]["events"]["data"][0]["attributes"] for item in made.items]


def ids_of(made: Made) -> list[str]:
    return [event["unique_id"] for event in events_of(made)]


def test_an_event_is_a_profile_with_one_event(run: Run):
    made = run(
        "events",
        "email,profile.first_name,metric,value,properties.sku,profile.properties.vip\na@b.c,Ada,M,9.50,x,yes\n",
    )

    assert made.items[0]["attributes"]["profile"]["data"] == {
        "type": "profile",
        "attributes": {"email": "a@b.c", "first_name": "Ada", "properties": {"vip": "yes"}},
    }
    assert events_of(made)[0]["properties"] == {"sku": "x"}
    assert events_of(made)[0]["value"] == 9.5


def test_the_metric_may_be_the_same_for_all(run: Run):
    made = run("events", "email\na@b.c\n", fixed={"metric": "Placed Order"})

    assert events_of(made)[0]["metric"]["data"]["attributes"]["name"] == "Placed Order"


def test_the_same_file_twice_makes_the_same_ids(run: Run):
    first = run("events", EVENTS)
    second = run("events", EVENTS, moment=NOW.replace(hour=1))

    assert ids_of(first) == ids_of(second)


def test_rows_that_say_the_same_are_events_of_their_own(run: Run):
    ids = ids_of(run("events", EVENTS))

    assert len(set(ids)) == 4


def test_an_id_does_not_depend_on_the_order_of_columns_nor_on_further_rows(run: Run):
    ids = ids_of(run("events", EVENTS))
    others = ids_of(run("events", "metric,email,properties.sku,value,service\nM,z@b.c,x,1,\nM,a@b.c,x,1,\n"))

    assert others[1] == ids[0]


def test_many_rows_that_say_the_same_are_numbered_one_by_one(run: Run):
    rows = [{"email": "a@b.c", "metric": "M"}] * 1_200

    made = run("events", rows)

    assert len(set(ids_of(made))) == 1_200
    assert made.rejected == []


def test_a_time_of_its_own_makes_another_event(run: Run):
    made = run("events", "email,metric,time\na@b.c,M,2026-01-01T00:00:00Z\na@b.c,M,\n")

    assert [event["time"] for event in events_of(made)] == ["2026-01-01T00:00:00+00:00", NOW.isoformat()]
    assert len(set(ids_of(made))) == 2


def test_a_row_keeps_its_own_id(run: Run):
    made = run("events", "email,metric,unique_id\na@b.c,M,order-1\na@b.c,M,\n")

    assert ids_of(made)[0] == "order-1"


def test_a_record_may_be_the_item_of_the_action_with_one_event(run: Run):
    event = {"metric": "M", "properties": {"sku": "x"}}

    made = run(
        "events",
        [
            {"profile": {"email": "a@b.c"}, "events": [event]},
            {"profile": {"email": "a@b.c"}, **event},
            {"profile": {"email": "a@b.c"}, "events": [event, event]},
        ],
    )

    assert made.rows == [1, 2]
    assert made.reasons == {3: "events: there are 2; write one in each row"}


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"time": "1999-12-31T23:59:59Z"}, "time: is outside of what Klaviyo keeps"),
        ({"time": "2027-07-16T12:00:00Z"}, "time: is outside of what Klaviyo keeps"),
        ({"value": "a lot"}, "value: this is not a number"),
        ({"metric": "M" * 128}, "metric: this is longer than 127 characters"),
        ({"properties": {"text": "x" * 100_001}}, "properties: has a text of over 100,000 bytes"),
        ({"properties": {"list": list(range(4_001))}}, "properties: has an array of 4,001 items"),
        ({"properties": {str(number): 1 for number in range(401)}}, "properties: has 401 properties"),
        ({"email": None}, "there is no identifier: give one of profile.email"),
    ],
)
def test_an_event_that_klaviyo_would_not_keep_is_set_aside(run: Run, event: dict[str, Any], told: str):
    good = {"email": "a@b.c", "metric": "M"}

    made = run("events", [good, {**good, **event}])

    assert made.rows == [1]
    assert made.reasons[2].startswith(told)


def test_one_time_that_klaviyo_would_not_keep_is_found_in_a_column_of_good_ones(run: Run):
    good, early, late = "2024-05-01T12:00:00+00:00", "2000-01-01T01:00:00+02:00", "2027-07-15T23:00:00-02:00"

    made = run("events", "email,metric,time\n" + "".join(f"a@b.c,M,{each}\n" for each in (good, early, late)))

    assert made.rows == [1]
    assert {reason.split(":")[0] for reason in made.reasons.values()} == {"time"}


@pytest.mark.parametrize(
    ("cell", "mapping", "told"),
    [
        ("x" * 100_001, (), "properties.p: has a text of over 100,000 bytes"),
        (f"[{'1,' * 4_000}1]", ("p=properties.p:json",), "properties.p: has an array of 4,001 items"),
    ],
)
def test_a_cell_that_klaviyo_would_not_keep_is_set_aside(run: Run, cell: str, mapping: tuple[str, ...], told: str):
    header = "email,metric," + ("p" if mapping else "properties.p")

    made = run("events", f'{header}\na@b.c,M,"{cell}"\n', mapping=mapping)

    assert made.reasons[1].startswith(told)


def test_a_table_of_over_400_properties_is_looked_at_row_by_row(run: Run):
    names = ",".join(f"properties.p{number}" for number in range(401))

    made = run("events", f"email,metric,{names}\na@b.c,M,{',' * 400}\na@b.c,M,{','.join('1' * 401)}\n")

    assert made.rows == [1]
    assert made.reasons == {2: "properties: has 401 properties; Klaviyo takes 400"}
