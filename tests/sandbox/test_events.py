"""Events, metrics and aggregates."""

from typing import Any

import pytest

from tests.sandbox.in_process import START, Sandbox, event, pointers, profile


def stored(sandbox: Sandbox) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = sandbox.get("/api/events").json()["data"]
    return rows


def bulk(*uniques: str) -> dict[str, Any]:
    entries = [{"type": "event", "attributes": event(unique_id=unique)["data"]["attributes"]} for unique in uniques]
    for entry in entries:
        del entry["attributes"]["profile"]
    one = {
        "type": "event-bulk-create",
        "attributes": {"profile": profile(email="ada@example.com"), "events": {"data": entries}},
    }
    return {"data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": [one]}}}}


def test_the_first_event_brings_profile_and_metric_into_being(free: Sandbox) -> None:
    answer = free.post("/api/events", event(value=9.5, properties={"sku": "A"}))
    assert (answer.status_code, answer.content) == (202, b"")
    [row] = stored(free)
    assert row["attributes"]["event_properties"] == {"sku": "A", "$value": 9.5, "$event_id": str(int(START))}
    for name in ("metric", "profile"):
        related = free.get(f"/api/events/{row['id']}/{name}").json()["data"]
        linkage = free.get(f"/api/events/{row['id']}/relationships/{name}").json()["data"]
        assert linkage == {"type": name, "id": related["id"]} == row["relationships"][name]["data"]


def test_a_unique_id_is_stored_once_per_profile_and_metric(free: Sandbox) -> None:
    for _ in range(2):
        free.post("/api/events", event(unique_id="order-1"))
    free.post("/api/events", event(unique_id="order-1", profile=profile(email="bob@example.com")))
    assert len(stored(free)) == 2
    assert free.get("/_sandbox/state").json()["default"]["doubled_events"] == 0


def test_without_a_unique_id_events_of_the_same_second_are_one(free: Sandbox) -> None:
    for second in ("00.100", "00.900", "01.000"):
        free.post("/api/events", event(time=f"2026-01-01T10:00:{second}Z"))
    assert len(stored(free)) == 2


@pytest.mark.parametrize("time", ["1999-12-31T23:59:59Z", "2099-01-01T00:00:00Z", "noon", 12])
def test_a_time_out_of_bounds_is_refused(free: Sandbox, time: Any) -> None:
    assert pointers(free.post("/api/events", event(time=time))) == ["/data/attributes/time"]


@pytest.mark.parametrize(
    "properties",
    [
        {str(n): n for n in range(401)},
        {"many": list(range(4001))},
        {"long": "x" * (100 * 1024 + 1)},
        {"deep": [[[[[[[[[[[1]]]]]]]]]]]},
    ],
)
def test_properties_that_break_a_rule_are_refused(free: Sandbox, properties: dict[str, Any]) -> None:
    assert free.post("/api/events", event(properties=properties)).status_code == 400
    assert stored(free) == []


def test_one_repeated_unique_id_refuses_a_whole_batch(free: Sandbox) -> None:
    assert free.post("/api/event-bulk-create-jobs", bulk("1", "2", "1")).status_code == 400
    assert stored(free) == []
    assert free.post("/api/event-bulk-create-jobs", bulk("1", "2")).status_code == 202
    assert len(stored(free)) == 2


def test_events_are_filtered_by_metric_and_profile_and_include_them(free: Sandbox) -> None:
    free.post("/api/events", event(unique_id="1"))
    free.post("/api/events", event(unique_id="2", profile=profile(email="bob@example.com")))
    first = stored(free)[0]["relationships"]
    metric, ada = first["metric"]["data"]["id"], first["profile"]["data"]["id"]
    assert len(free.get("/api/events", filter=f'equals(metric_id,"{metric}")').json()["data"]) == 2
    found = free.get("/api/events", filter=f'equals(profile_id,"{ada}")', include="profile,metric").json()
    assert [one["type"] for one in found["included"]] == ["profile", "metric"]
    assert len(found["data"]) == 1


def test_an_aggregate_counts_sums_and_finds_distinct_profiles_by_day(free: Sandbox) -> None:
    for day, value, email in (("01", 5, "ada"), ("01", 7, "ada"), ("02", 1, "bob")):
        sent = event(
            time=f"2026-02-{day}T12:00:00Z",
            unique_id=f"{day}-{value}",
            value=value,
            profile=profile(email=f"{email}@example.com"),
        )
        free.post("/api/events", sent)
    metric = stored(free)[0]["relationships"]["metric"]["data"]["id"]
    bounds = ["greater-or-equal(datetime,2026-02-01T00:00:00)", "less-than(datetime,2026-02-04T00:00:00)"]
    query = {"metric_id": metric, "measurements": ["count", "sum_value", "unique"], "filter": bounds}
    answer = free.post("/api/metric-aggregates", {"data": {"type": "metric-aggregate", "attributes": query}}).json()
    measured = answer["data"]["attributes"]["data"][0]["measurements"]
    assert measured == {"count": [2, 1, 0], "sum_value": [12, 1, 0], "unique": [1, 1, 0]}


def test_the_client_sends_events_one_at_a_time_or_together(free: Sandbox) -> None:
    assert free.post("/client/events?company_id=SBX001", event(unique_id="1")).status_code == 202
    entry = bulk("2", "3")["data"]["attributes"]["events-bulk-create"]["data"][0]
    assert free.post("/client/event-bulk-create?company_id=SBX001", {"data": entry}).status_code == 202
    assert len(stored(free)) == 3
