"""The traps of incremental reading: each off from the start, each there when it is set."""

from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox
from tests.sandbox.test_records import moment, read, rows, sow

LATER = 2 * 86_400


def trap(sandbox: Sandbox, **said: Any) -> None:
    answer = sandbox.post("/_sandbox/traps", said)
    assert answer.status_code == 200, answer.text


@pytest.fixture
def grown(free: Sandbox) -> Sandbox:
    sow(free, profiles=40, events=200, days=10)
    return free


@pytest.mark.parametrize("said", [0.25, 50])
def test_some_events_lie_in_the_future(grown: Sandbox, said: float) -> None:
    assert read(grown, "/api/events", filter=f"greater-than(datetime,{moment(0)})") == []
    trap(grown, events_in_future=said)
    ahead = read(grown, "/api/events", filter=f"greater-than(datetime,{moment(0)})", sort="-datetime")

    assert len(ahead) == 50
    assert moment(-30) < ahead[0]["attributes"]["datetime"] < moment(-365)


def test_more_than_a_page_has_the_same_time(grown: Sandbox) -> None:
    trap(grown, equal_timestamps=150)
    for path, field, size in (("/api/profiles", "updated", "100"), ("/api/events", "datetime", "100")):
        found = read(grown, path, filter=f"greater-than({field},{moment(0.00002)})", sort=field, **{"page[size]": size})

        assert len({one["id"] for one in found}) == len(found) == 150
        assert len({one["attributes"][field] for one in found}) == 1


def test_greater_than_may_include_its_bound(grown: Sandbox) -> None:
    latest = read(grown, "/api/profiles", sort="-updated")[0]["attributes"]["updated"].replace("+00:00", "Z")
    after = {"filter": f"greater-than(updated,{latest})"}
    assert read(grown, "/api/profiles", **after) == []
    trap(grown, bound_included=True)

    assert len(read(grown, "/api/profiles", **after)) == 1


def test_archived_campaigns_may_come_unsorted_and_none_is_lost(grown: Sandbox) -> None:
    sow(grown, campaigns=150)
    trap(grown, unsorted_archived_campaigns=True)

    def created(archived: str) -> list[str]:
        text = f"equals(messages.channel,'sms'),equals(archived,{archived})"
        found = read(grown, "/api/campaigns", filter=text, sort="created_at")
        assert len({one["id"] for one in found}) == 150
        return [one["attributes"]["created_at"] for one in found]

    assert created("false") == sorted(created("false"))
    assert created("true") != sorted(created("true"))


def test_a_cursor_may_grow_too_old(grown: Sandbox) -> None:
    trap(grown, cursor_seconds=60)
    following = grown.get("/api/profiles").json()["links"]["next"].removeprefix("http://sandbox")
    grown.clock.advance(60)
    assert grown.get(following).status_code == 200
    grown.clock.advance(1)
    refused = grown.get(following)

    assert (refused.status_code, refused.json()["errors"][0]["detail"]) == (400, "Invalid cursor provided.")


@pytest.mark.parametrize("field", ["datetime", "timestamp"])
def test_a_window_that_ends_in_the_future_may_be_refused(grown: Sandbox, field: str) -> None:
    def ending(days_ago: float) -> int:
        end = moment(days_ago) if field == "datetime" else int(grown.clock() - days_ago * 86_400)
        return grown.get("/api/events", filter=f"less-than({field},{end})").status_code

    assert ending(-1) == 200
    trap(grown, refuse_future_end=True)
    assert (ending(0), ending(-1)) == (200, 400)


def test_profiles_change_at_a_steady_rate_the_same_for_a_seed() -> None:
    def churned() -> dict[str, str]:
        sandbox = Sandbox().unlimited()
        sow(sandbox, profiles=30, days=10)
        trap(sandbox, churn={"type": "profile", "per_second": 2, "seed": 3})
        sandbox.clock.advance(10)
        found = {id: row["attributes"]["updated"] for id, row in rows(sandbox, "profile").items()}
        assert sandbox.get("/_sandbox/traps").json()["default"]["churn"][0]["done"] == 20
        sandbox.close()
        return found

    first = churned()

    assert first == churned()
    assert 5 < sum(at > moment(0)[:19] for at in first.values()) <= 20


def test_events_arrive_late_with_a_time_in_the_past(grown: Sandbox) -> None:
    before = rows(grown, "event")
    trap(grown, churn={"type": "event", "per_second": 1})
    grown.clock.advance(30)
    late = [row["attributes"]["datetime"] for id, row in rows(grown, "event").items() if id not in before]

    assert len(late) == 30
    assert all(moment(1.1) < at < moment(0) for at in late)


def test_records_may_go_while_they_are_read(grown: Sandbox) -> None:
    trap(grown, churn={"type": "profile", "deletes_per_second": 1})
    grown.clock.advance(15)

    assert len(read(grown, "/api/profiles", sort="updated")) == 25
    grown.clock.advance(1000)
    assert read(grown, "/api/profiles", sort="updated") == []


def test_a_reading_under_churn_loses_nobody_who_does_not_change(grown: Sandbox) -> None:
    trap(grown, churn={"type": "profile", "per_second": 5})
    everybody, seen = set(rows(grown, "profile")), set()
    answer = grown.get("/api/profiles", sort="updated", **{"page[size]": "3"}).json()
    while answer["links"]["next"] and len(seen) < len(everybody):
        seen |= {one["id"] for one in answer["data"]}
        grown.clock.advance(0.2)
        answer = grown.get(answer["links"]["next"].removeprefix("http://sandbox")).json()

    assert seen | {one["id"] for one in answer["data"]} == everybody


@pytest.mark.parametrize("how", ["delete", "reset"])
def test_the_traps_can_be_taken_away(grown: Sandbox, how: str) -> None:
    trap(grown, cursor_seconds=0.0, bound_included=True, churn={"type": "profile", "per_second": 1})
    if how == "delete":
        grown.delete("/_sandbox/traps")
    else:
        grown.post("/_sandbox/reset", {})
        sow(grown, profiles=40)
    before = rows(grown, "profile")
    grown.clock.advance(LATER)

    assert rows(grown, "profile") == before
    assert grown.get("/_sandbox/traps").json()["default"] == {
        "bound_included": False,
        "unsorted_archived_campaigns": False,
        "cursor_seconds": None,
        "refuse_future_end": False,
        "churn": [],
    }


@pytest.mark.parametrize("said", [{"gravity": True}, {"churn": {"type": "metric", "per_second": 1}}, {"account": "x"}])
def test_an_unknown_trap_is_refused(grown: Sandbox, said: dict[str, Any]) -> None:
    assert grown.post("/_sandbox/traps", said).status_code == 400
