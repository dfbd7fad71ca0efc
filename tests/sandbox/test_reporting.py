"""Reports: rows, groupings, filters, series and pages. The figures themselves are made up."""

from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox, pointers


def asked(sandbox: Sandbox, kind: str, params: str = "", **attributes: Any) -> Any:
    metric = sandbox.get("/api/metrics").json()["data"][0]["id"]
    sent = {
        "statistics": ["recipients", "delivered", "delivery_rate"],
        "timeframe": {"key": "last_30_days"},
        "conversion_metric_id": metric,
    }
    type = f"{kind}-report"
    return sandbox.post(f"/api/{type}s{params}", {"data": {"type": type, "attributes": sent | attributes}})


def rows(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["attributes"]["results"]
    return found


def test_a_sent_campaign_has_figures_that_agree_with_each_other_and_stay(free: Sandbox) -> None:
    first = rows(asked(free, "campaign-values"))
    assert len(first) == 2
    assert set(first[0]["groupings"]) == {"campaign_id", "campaign_message_id", "send_channel"}
    figures = first[0]["statistics"]
    assert figures["delivery_rate"] == pytest.approx(figures["delivered"] / figures["recipients"], abs=1e-4)
    assert rows(asked(free, "campaign-values")) == first


def test_flow_values_are_filtered_and_grouped(free: Sandbox) -> None:
    grouped = ["flow_id", "flow_message_id", "flow_name", "send_channel"]
    found = rows(asked(free, "flow-values", filter='equals(send_channel,"sms")', group_by=grouped))
    assert [row["groupings"]["flow_name"] for row in found] == ["Welcome Series"]


def test_grouping_by_tag_gives_a_row_for_each_tag(free: Sandbox) -> None:
    flow = free.get("/api/flows", filter='equals(name,"Abandoned Checkout")').json()["data"][0]["id"]
    for name in ("Spring", "Summer"):
        tag = free.post("/api/tags", {"data": {"type": "tag", "attributes": {"name": name}}}).json()["data"]["id"]
        free.post(f"/api/tags/{tag}/relationships/flows", {"data": [{"type": "flow", "id": flow}]})
    grouped = ["flow_id", "flow_message_id", "tag_name"]
    found = rows(asked(free, "flow-values", filter='contains-any(tag_name,["Spring"])', group_by=grouped))
    assert [row["groupings"]["tag_name"] for row in found] == ["Spring", "Summer"]


@pytest.mark.parametrize(("interval", "count"), [("hourly", 48), ("daily", 2), ("weekly", 1), ("monthly", 2)])
def test_a_series_has_a_figure_for_each_interval(free: Sandbox, interval: str, count: int) -> None:
    timeframe = {"start": "2026-08-31T00:00:00Z", "end": "2026-09-02T00:00:00Z"}
    answer = asked(free, "flow-series", interval=interval, timeframe=timeframe)
    assert len(answer.json()["data"]["attributes"]["date_times"]) == count
    assert {len(row["statistics"]["recipients"]) for row in rows(answer)} == {count}


def test_a_long_report_has_pages(free: Sandbox) -> None:
    store = free.world.stores["default"]
    sent = next(one for one in store.all("campaign") if one.attributes["status"] == "Sent")
    for _ in range(60):
        body = {"data": {"type": "campaign", "id": sent.id, "attributes": {"new_name": "Again"}}}
        store.get("campaign", free.post("/api/campaign-clone", body).json()["data"]["id"]).attributes["status"] = "Sent"
    first = asked(free, "campaign-values")
    following = first.json()["links"]["next"].partition("?")[2]
    second = asked(free, "campaign-values", params=f"?{following}")
    assert (len(rows(first)), len(rows(second)), second.json()["links"]["next"]) == (50, 12, None)
    assert pointers(asked(free, "campaign-values", params="?page_cursor=bm9uc2Vuc2U")) == ["page_cursor"]


@pytest.mark.parametrize(
    ("attributes", "place"),
    [
        ({"statistics": ["luck"]}, "statistics/0"),
        ({"timeframe": {"key": "last_eon"}}, "timeframe/key"),
        ({"timeframe": {"start": "2024-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}}, "timeframe"),
        ({"conversion_metric_id": "NONE"}, "conversion_metric_id"),
        ({"group_by": ["campaign_id"]}, "group_by"),
        ({"group_by": ["campaign_id", "campaign_message_id", "weather"]}, "group_by/2"),
    ],
)
def test_a_bad_question_is_pointed_at(free: Sandbox, attributes: dict[str, Any], place: str) -> None:
    assert pointers(asked(free, "campaign-values", **attributes)) == [f"/data/attributes/{place}"]
    assert pointers(asked(free, "flow-series", interval="yearly")) == ["/data/attributes/interval"]


@pytest.mark.parametrize(
    "key", ["today", "yesterday", "this_week", "last_week", "last_month", "this_year", "last_3_months", "last_365_days"]
)
def test_named_time_frames_are_understood(free: Sandbox, key: str) -> None:
    assert rows(asked(free, "flow-values", timeframe={"key": key}))


def test_only_two_reports_a_minute_are_answered(sandbox: Sandbox) -> None:
    answers = []
    for _ in range(3):
        answers.append(asked(sandbox, "flow-values").status_code)
        sandbox.clock.advance(1)
    assert answers.count(429) == 1
