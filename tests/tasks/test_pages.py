"""Lists read to their end: in this process, and by tasks of which each carries one page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import fakeredis
import pytest
from celery import Task
from celery.exceptions import Ignore

import worker.execution
from tasks import collect as collecting
from tasks.collect import CollectList, KeepPage, collect, records
from tasks.events import get_events
from tasks.flows import get_flows
from tasks.lists import get_lists
from tasks.metrics import get_metrics
from tasks.profiles import create_profile, get_lists_for_profile, get_profiles
from tasks.reporting import query_flow_values
from worker.api.filters import F
from worker.api.paging import first_page, listed, next_page
from worker.errors import InputError, Malformed, SettingsError
from worker.governor import Governor
from worker.settings import get_settings

Asked = list[tuple[str, dict[str, Any]]]


def page(number: int, of: int, size: int = 2, **more: Any) -> dict[str, Any]:
    """A page as Klaviyo answers it; the cursor is one that has to be encoded."""
    here = [{"type": "profile", "id": f"P{number}-{each}"} for each in range(size)]
    cursor = quote(f"c/{number + 1}=", safe="")
    following = f"https://a.klaviyo.com/api/profiles?page%5Bsize%5D=2&page%5Bcursor%5D={cursor}"
    return {"data": here, "links": {"next": following if number + 1 < of else None}, **more}


def number_of(params: dict[str, Any]) -> int:
    return int(params["page_cursor"].strip("c/=")) if "page_cursor" in params else 0


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_test")
    monkeypatch.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What was asked of a Klaviyo with three pages."""
    calls: Asked = []

    def now(_declaration: Any, alias: str, params: dict[str, Any]) -> dict[str, Any]:
        calls.append((alias, dict(params)))
        return page(number_of(params), 3)

    monkeypatch.setattr(worker.execution, "send_in_process", now)
    return calls


# In this process.


def test_pages_follow_the_cursor_to_the_end_with_the_largest_size(asked: Asked):
    found = list(get_profiles.on("eu").pages(filter=F("email").any(["ada@example.com"])))

    assert [len(each["data"]) for each in found] == [2, 2, 2]
    same = {"filter": 'any(email,["ada@example.com"])', "page_size": 100}
    assert asked == [
        ("eu", same),
        ("eu", {**same, "page_cursor": "c/1="}),
        ("eu", {**same, "page_cursor": "c/2="}),
    ]


def test_a_page_is_asked_for_when_it_is_wanted(asked: Asked):
    pages = get_profiles.pages()
    assert asked == []

    next(pages)

    assert len(asked) == 1


def test_a_call_that_is_wrong_is_refused_before_the_first_page_is_wanted(asked: Asked):
    with pytest.raises(InputError, match="sort"):
        get_profiles.pages(sort="age")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no pages"):
        create_profile.pages(email="ada@example.com")
    with pytest.raises(SettingsError):
        get_profiles.on("mars").pages()


def test_a_size_and_a_place_to_begin_are_the_callers_to_choose(asked: Asked):
    list(get_profiles.pages(page_size=7, page_cursor="c/2="))

    assert asked == [("default", {"page_size": 7, "page_cursor": "c/2="})]


@pytest.mark.parametrize(
    ("action", "most"), [(get_events, 1000), (get_flows, 50), (get_lists, 10), (get_metrics, None)]
)
def test_the_largest_size_is_that_of_the_action(action: Any, most: int | None):
    assert first_page(action.declaration, {}).get("page_size") == most


def test_the_flat_name_of_a_size_counts_too():
    assert first_page(get_profiles.declaration, {"page__size": 5}) == {"page_size": 5}


def test_a_list_without_pages_is_one_page(asked: Asked):
    assert len(list(get_lists_for_profile.pages(id="P1"))) == 1


def test_reports_have_a_cursor_of_another_name():
    following = "https://a.klaviyo.com/api/flow-values-reports?page_cursor=abc"
    envelope = {"data": {"attributes": {"results": []}}, "links": {"next": following}}

    assert next_page(query_flow_values.declaration, {"statistics": ["opens"]}, envelope) == {
        "statistics": ["opens"],
        "page_cursor": "abc",
    }


@pytest.mark.parametrize("envelope", [{}, {"links": None}, {"links": {"self": "x"}}, {"links": {"next": None}}])
def test_a_page_without_a_next_link_is_the_last(envelope: dict[str, Any]):
    assert next_page(get_profiles.declaration, {}, {"data": [], **envelope}) is None


@pytest.mark.parametrize("data", [None, {"type": "profile", "id": "P1"}, {"attributes": {"results": "many"}}])
def test_what_is_no_list_is_not_taken_for_an_empty_one(data: Any):
    with pytest.raises(Malformed, match="it does not hold a list"):
        next_page(get_profiles.declaration, {}, {"data": data})
    with pytest.raises(Malformed, match="it does not hold a list"):
        listed(get_profiles.declaration, {"data": data})


def test_a_page_that_is_followed_by_itself_is_not_read_for_ever():
    again = {"data": [], "links": {"next": "https://a.klaviyo.com/api/profiles?page[cursor]=abc"}}

    assert next_page(get_profiles.declaration, {}, again) == {"page_cursor": "abc"}
    with pytest.raises(Malformed, match="names itself as the next one"):
        next_page(get_profiles.declaration, {"page_cursor": "abc"}, again)


def test_a_next_page_whose_address_is_none_is_not_taken_for_the_end():
    with pytest.raises(Malformed, match="the address of its next page is not a URL"):
        next_page(get_profiles.declaration, {}, {"data": [], "links": {"next": "https://[x?page[cursor]=abc"}})


def test_a_next_page_elsewhere_is_asked_of_klaviyo():
    elsewhere = {"data": [], "links": {"next": "https://example.com/steal?page[cursor]=abc&page[size]=1"}}

    assert next_page(get_profiles.declaration, {"page_size": 100}, elsewhere) == {
        "page_size": 100,
        "page_cursor": "abc",
    }


# As tasks.


class Workers:
    """Carries out the tasks of one collection, one after the other, as a worker would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.redis = fakeredis.FakeRedis()
        self.asked: list[Any] = []
        self.told: list[dict[str, Any]] = []
        self.forgotten: list[str] = []
        self.published: list[Any] = []
        monkeypatch.setattr(collecting, "get_redis", lambda: self.redis)
        monkeypatch.setattr(collecting, "get_governor", lambda: Governor(self.redis))
        monkeypatch.setattr("worker.redis.atomic_writes.get_redis", lambda: self.redis)
        monkeypatch.setattr(collecting, "forget", self.forgotten.append)
        monkeypatch.setattr(CollectList, "replace", self._replace)
        monkeypatch.setattr(KeepPage, "replace", self._replace)
        monkeypatch.setattr(KeepPage, "update_state", lambda _, state, meta: self.told.append(meta))

    def _replace(self, chain: Any) -> None:
        self.published.append(chain)
        raise Ignore

    def begin(self, action: str, headers: dict[str, Any] | None = None, **params: Any) -> Any:
        """What the first task publishes; None where it publishes nothing."""
        return self._carry_out(collect, (action,), params, headers or {})

    def go_on(self, chain: Any, envelope: dict[str, Any]) -> Any:
        """What the step after a page publishes, or the end."""
        asked, step = chain.tasks
        self.asked.append(asked)
        parent = f"page-{len(self.asked)}"
        return self._carry_out(collect.app.tasks[step.task], (envelope,), step.kwargs, {"parent_id": parent})

    def _carry_out(self, task: Any, args: Any, kwargs: Any, request: dict[str, Any]) -> Any:
        before = len(self.published)
        task.push_request(id="C1", **request)
        try:
            return task.run(*args, **kwargs)
        except Ignore:
            return self.published[-1] if len(self.published) > before else None
        finally:
            task.pop_request()

    def finish(self, step: Any, pages: int, **more: Any) -> Any:
        while hasattr(step, "tasks"):
            step = self.go_on(step, page(number_of(step.tasks[0].kwargs), pages, **more))
        return step


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    return Workers(monkeypatch)


def test_a_collection_is_one_task_a_page_and_one_result(workers: Workers):
    result = workers.finish(workers.begin("get_profiles", sort="created"), 3)

    assert [each["id"] for each in result["data"]] == ["P0-0", "P0-1", "P1-0", "P1-1", "P2-0", "P2-1"]
    assert (result["count"], result["pages"], result["successful"], result["error"]) == (6, 3, True, None)
    assert list(records(result)) == result["data"]
    assert [each.task for each in workers.asked] == ["klaviyo.get_profiles"] * 3
    assert workers.told == [{"pages": 1, "count": 2}, {"pages": 2, "count": 4}]


def test_account_and_lane_hold_for_every_page_and_the_delay_for_the_first(workers: Workers):
    headers = {"klaviyo_account": "eu", "klaviyo_lane": "bulk", "klaviyo_countdown": 60.0}

    workers.finish(workers.begin("get_profiles", headers), 2)

    there = {"klaviyo_account": "eu", "klaviyo_lane": "bulk"}
    options = [dict(each.options) for each in workers.asked]
    assert len({each.pop("task_id") for each in options}) == 2
    assert options == [{**there, "countdown": 60.0}, there]


def test_a_page_travels_once_and_its_own_result_is_dropped(workers: Workers):
    first = workers.begin("get_profiles")
    second = workers.go_on(first, page(0, 3))
    workers.finish(second, 3)

    assert "P0-0" not in str(second)
    assert workers.forgotten == ["page-1", "page-2"]


def test_what_came_with_the_records_is_there_once(workers: Workers):
    result = workers.finish(workers.begin("get_profiles"), 3, included=[{"type": "list", "id": "L1"}])

    assert result["included"] == [{"type": "list", "id": "L1"}]


def test_a_long_list_stays_in_redis(workers: Workers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collecting, "WHOLE_BYTES", 100)

    result = workers.finish(workers.begin("get_profiles"), 3)

    assert (result["data"], result["count"], result["pages"]) == (None, 6, 3)
    assert [each["id"] for each in records(result)] == ["P0-0", "P0-1", "P1-0", "P1-1", "P2-0", "P2-1"]
    assert 0 < workers.redis.ttl(result["stored"]) <= get_settings().result_expires
    workers.redis.flushall()
    with pytest.raises(LookupError):
        list(records(result))


def test_a_task_that_is_carried_out_twice_asks_for_its_page_once(workers: Workers):
    first = workers.begin("get_profiles")
    again = workers.begin("get_profiles")
    second = workers.go_on(first, page(0, 3))
    twice = workers.go_on(first, page(0, 3))

    assert again is None
    assert twice is None
    assert workers.finish(second, 3)["count"] == 6


def test_a_step_that_died_before_it_asked_is_carried_out_again(workers: Workers, monkeypatch: pytest.MonkeyPatch):
    first = workers.begin("get_profiles")

    def die(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(KeepPage, "replace", die)
        with pytest.raises(SystemExit):
            workers.go_on(first, page(0, 2))

    assert workers.finish(workers.go_on(first, page(0, 2)), 2)["count"] == 4


def test_the_last_step_can_be_carried_out_again(workers: Workers):
    last = workers.go_on(workers.begin("get_profiles"), page(0, 2))

    assert workers.go_on(last, page(1, 2)) == workers.go_on(last, page(1, 2))


def test_the_rows_of_a_report_are_collected(workers: Workers):
    given = {"statistics": ["opens"], "timeframe": {"key": "last_30_days"}, "conversion_metric_id": "M"}
    report = {"type": "flow-values-report", "attributes": {"results": [{"statistics": {"opens": 1}}]}}

    result = workers.go_on(workers.begin("query_flow_values", **given), {"data": report})

    assert (result["data"], result["count"]) == ([{"statistics": {"opens": 1}}], 1)


@pytest.mark.parametrize(
    ("action", "given", "told"),
    [
        ("get_nothing", {}, "no action 'get_nothing'"),
        ("get_profiles", {"sort": "age"}, "sort"),
        ("get_profiles", {"filter": F("age").equals(1)}, "'age'"),
        ("create_profile", {"email": "ada@example.com"}, "no pages"),
    ],
)
def test_a_collection_that_is_wrong_is_refused_at_the_call(action: str, given: dict[str, Any], told: str):
    with pytest.raises(InputError, match=told):
        collect.delay(action, **given)


def test_an_action_hands_its_account_and_lane_to_the_collection(monkeypatch: pytest.MonkeyPatch):
    published: list[Any] = []
    monkeypatch.setattr(Task, "apply_async", lambda *given, **options: published.append((given, options)))

    get_profiles.on("eu", lane="bulk", countdown=5).collect(filter=F("email").equals("ada@example.com"))

    ((_, args, params), options) = published[0]
    assert args == ("get_profiles",)
    assert params == {"filter": 'equals(email,"ada@example.com")', "page_size": 100}
    assert options["headers"] == {"klaviyo_account": "eu", "klaviyo_lane": "bulk", "klaviyo_countdown": 5}
    assert (options["queue"], options["kwargsrepr"]) == ("klaviyo", "{…}")
    with pytest.raises(SettingsError):
        get_profiles.on("mars").collect()
