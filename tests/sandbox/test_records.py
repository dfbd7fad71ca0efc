"""Records in any number through the side door: sown, read whole, changed and deleted."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sandbox.in_process import START, Sandbox
from tests.sandbox.test_listings import pages

Rows = dict[str, dict[str, Any]]
SOME = {"profiles": 60, "events": 300, "days": 10, "seed": 4}
REST = {
    "lists": 2,
    "segments": 1,
    "members": 30,
    "campaigns": 3,
    "templates": 4,
    "categories": 2,
    "items": 5,
    "variants": 7,
    "coupons": 2,
    "codes": 9,
    "tags": 3,
    "forms": 2,
    "images": 3,
}


def sow(sandbox: Sandbox, **wanted: Any) -> dict[str, int]:
    answer = sandbox.post("/_sandbox/seed", wanted)
    assert answer.status_code == 200, answer.text
    counts: dict[str, int] = answer.json()
    return counts


def rows(sandbox: Sandbox, type: str) -> Rows:
    lines = sandbox.get("/_sandbox/rows", type=type).text.splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}


def moment(days_ago: float) -> str:
    return datetime.fromtimestamp(START - days_ago * 86_400, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(sandbox: Sandbox, path: str, **params: str) -> list[dict[str, Any]]:
    return [row for page in pages(sandbox, path, **params) for row in page]


@pytest.fixture
def grown(free: Sandbox) -> Sandbox:
    sow(free, **SOME)
    return free


def test_profiles_and_events_are_spread_over_the_days(grown: Sandbox) -> None:
    people, events = rows(grown, "profile").values(), rows(grown, "event").values()
    emails = {one["attributes"]["email"] for one in people}
    times = sorted(one["attributes"]["datetime"] for one in events)

    assert (len(emails), len(events)) == (60, 300)
    assert moment(10)[:13] <= times[0] < times[-1] <= moment(0)
    assert all(one["attributes"]["created"] <= one["attributes"]["updated"] for one in people)
    assert len({one["relationships"]["metric"][0] for one in events}) == 5
    assert grown.get("/_sandbox/state").json()["default"]["doubled_events"] == 0


def test_the_same_is_sown_for_a_seed_and_more_the_second_time() -> None:
    def sown(seed: int) -> Rows:
        sandbox = Sandbox().unlimited()
        sow(sandbox, **SOME | {"seed": seed})
        sow(sandbox, **SOME | {"seed": seed})
        found = rows(sandbox, "profile") | rows(sandbox, "event")
        sandbox.close()
        return found

    first = sown(1)

    assert first == sown(1)
    assert len(first) == 720
    assert first.keys().isdisjoint(sown(2))


def test_every_other_kind_of_record_can_be_sown(grown: Sandbox) -> None:
    before = grown.get("/_sandbox/state").json()["default"]
    after = sow(grown, **REST)
    new = {type: count - before.get(type, 0) for type, count in after.items() if count != before.get(type, 0)}

    assert new == {
        "list": 2,
        "segment": 1,
        "campaign": 18,
        "campaign-message": 18,
        "campaign-recipient-estimation": 18,
        "template": 4,
        "catalog-category": 2,
        "catalog-item": 5,
        "catalog-variant": 7,
        "coupon": 2,
        "coupon-code": 9,
        "tag": 3,
        "form": 2,
        "form-version": 2,
        "image": 3,
    }
    assert all(len(one["relationships"]["profiles"]) == 30 for one in rows(grown, "list").values())
    archived = read(grown, "/api/campaigns", filter="equals(messages.channel,'sms'),equals(archived,true)")
    assert len(archived) == 3


def test_what_cannot_be_sown_is_refused(free: Sandbox) -> None:
    assert free.post("/_sandbox/seed", {"people": 3}).status_code == 400
    assert "profiles" in free.post("/_sandbox/seed", {"events": 3}).json()["error"]
    assert free.post("/_sandbox/seed", {"account": "nobody", "profiles": 3}).status_code == 400
    assert free.get("/_sandbox/rows", account="nobody", type="profile").status_code == 400
    assert free.get("/_sandbox/rows").status_code == 400


@pytest.mark.parametrize(
    ("path", "type", "params"),
    [
        ("/api/profiles", "profile", {"page[size]": "17", "sort": "updated"}),
        ("/api/events", "event", {"page[size]": "101", "sort": "-datetime"}),
        ("/api/events", "event", {"page[size]": "101", "sort": "timestamp"}),
        ("/api/templates", "template", {}),
        ("/api/catalog-variants", "catalog-variant", {"sort": "created"}),
        ("/api/coupons", "coupon", {}),
    ],
)
def test_rows_are_exactly_what_the_listings_show(grown: Sandbox, path: str, type: str, params: dict[str, str]) -> None:
    sow(grown, **REST)
    listed = read(grown, path, **params)

    assert {one["id"]: one["attributes"] for one in listed} == {
        id: row["attributes"] for id, row in rows(grown, type).items()
    }
    assert len(listed) == len(rows(grown, type))


@pytest.mark.parametrize("sort", ["datetime", "-datetime", None])
def test_a_window_of_time_holds_its_events_and_no_other(grown: Sandbox, sort: str | None) -> None:
    start, end = moment(6), moment(4)
    window = f"greater-or-equal(datetime,{start}),less-than(datetime,{end})"
    found = read(grown, "/api/events", filter=window, **{"page[size]": "10"} | ({"sort": sort} if sort else {}))
    everything = rows(grown, "event").values()
    wanted = {one["id"] for one in everything if start[:19] <= one["attributes"]["datetime"][:19] < end[:19]}

    assert len(found) == len(wanted) > 10
    assert {one["id"] for one in found} == wanted


def test_a_window_is_narrowed_by_metric_and_by_profile(grown: Sandbox) -> None:
    events = rows(grown, "event").values()
    some = next(iter(events))
    for name in ("metric", "profile"):
        id = some["relationships"][name][0]
        text = f'equals({name}_id,"{id}"),greater-than(datetime,{moment(8)})'
        found = read(grown, "/api/events", filter=text, sort="datetime", **{"page[size]": "7"})
        wanted = {
            one["id"]
            for one in events
            if one["relationships"][name] == [id] and one["attributes"]["datetime"][:19] > moment(8)[:19]
        }

        assert {one["id"] for one in found} == wanted


def test_members_are_read_by_when_they_joined(grown: Sandbox) -> None:
    sow(grown, lists=1, members=40)
    path = f"/api/lists/{next(iter(rows(grown, 'list')))}/profiles"
    members = read(grown, path, sort="joined_group_at", **{"page[size]": "9"})
    joined = [one["attributes"]["joined_group_at"] for one in members]
    bound = joined[20].replace("+00:00", "Z")
    later = read(grown, path, filter=f"greater-or-equal(joined_group_at,{bound})")

    assert (len(members), joined) == (40, sorted(joined))
    assert {one["id"] for one in later} == {one["id"] for one in members[20:]}


def test_a_share_of_the_records_changes_now(grown: Sandbox) -> None:
    before = rows(grown, "profile")
    grown.clock.advance(100)
    changed = grown.post("/_sandbox/change", {"type": "profile", "share": 0.1}).json()["changed"]
    after = rows(grown, "profile")
    found = read(grown, "/api/profiles", filter=f"greater-than(updated,{moment(0)})", sort="updated")

    assert len(changed) == 6
    assert {one["id"] for one in found} == set(changed)
    assert {id for id in before if before[id]["attributes"] != after[id]["attributes"]} == set(changed)


@pytest.mark.parametrize("type", ["catalog-item", "campaign", "template", "list", "coupon", "coupon-code", "tag"])
def test_records_of_other_types_change_too(grown: Sandbox, type: str) -> None:
    sow(grown, **REST)
    before = rows(grown, type)
    grown.post("/_sandbox/change", {"type": type, "share": 1})
    after = rows(grown, type)

    assert before
    assert all(before[id]["attributes"] != after[id]["attributes"] for id in before)


def test_records_are_deleted_with_what_goes_with_them(grown: Sandbox) -> None:
    gone = grown.post("/_sandbox/change", {"type": "profile", "delete": 50}).json()["deleted"]
    left = rows(grown, "profile")

    assert (len(gone), len(left)) == (50, 10)
    assert {one["relationships"]["profile"][0] for one in rows(grown, "event").values()} <= left.keys()
    assert grown.get(f"/api/profiles/{gone[0]}").status_code == 404


def test_what_never_changes_is_refused(grown: Sandbox) -> None:
    assert grown.post("/_sandbox/change", {"type": "event", "share": 0.5}).status_code == 400
