"""Lists read to their end by real workers, page by page, whatever dies on the way."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from system import until

from tasks.collect import collect, records
from tasks.tags import create_tag, get_tags
from worker.errors import BadRequest
from worker.filters import F


def fill(system, number: int) -> None:
    system.sandbox.limits(steady=100_000)
    tasks = [create_tag.delay(name=f"tag {n}") for n in range(number)]
    system.ended([task.id for task in tasks], 60)


def names(result) -> Counter[str]:
    return Counter(each["attributes"]["name"] for each in records(result))


def test_a_list_is_collected_page_by_page_as_one_result(system):
    system.worker().ready()
    fill(system, 25)

    task = get_tags.on(lane="bulk").collect(page_size=10, sort="name")
    result = task.get(timeout=20)

    assert names(result) == Counter({f"tag {n}": 1 for n in range(25)})
    assert (result["successful"], result["count"], result["pages"]) == (True, 25, 3)
    assert len(system.sandbox.ledger("get_tags")) == 3


def test_a_filter_travels_and_an_empty_list_has_an_end_too(system):
    system.worker().ready()
    fill(system, 12)

    some = collect.delay("get_tags", filter=F("name").contains("tag 1"), page_size=2).get(timeout=20)
    none = collect.delay("klaviyo.get_tags", filter=F("name").contains("nothing")).get(timeout=20)

    assert names(some) == Counter(["tag 1", "tag 10", "tag 11"])
    assert (none["data"], none["count"]) == ([], 0)


def test_what_is_chained_to_a_collection_gets_the_whole_and_a_refusal_ends_it(system):
    system.worker().ready()
    fill(system, 4)

    whole = (collect.s("get_tags", page_size=3) | collect.app.tasks["celery.accumulate"].s()).delay()
    refused = get_tags.collect(page_cursor="not a cursor")

    assert [each["count"] for each in whole.get(timeout=20)] == [4]
    end = system.end_of(refused.id)
    assert end.error == BadRequest.__name__


@pytest.mark.timeout(150)
def test_a_worker_that_dies_costs_no_page_and_doubles_none(system):
    system.worker().ready()
    fill(system, 40)
    system.stop_workers()
    system.sandbox.fault("latency", seconds=0.05, times=None)

    task = get_tags.collect(page_size=1)
    worker = system.worker(READ_TIMEOUT=1.5).ready()
    until(lambda: len(system.sandbox.ledger("get_tags")) >= 5, 40, "five pages")
    worker.kill()
    system.worker().ready()
    end = system.end_of(task.id, 60)

    assert names(end.result) == Counter({f"tag {n}": 1 for n in range(40)})
    assert len(system.sandbox.ledger("get_tags")) <= 40 + 3
    kept = [key for key in system.redis.scan_iter("celery-task-meta-*") if '"next"' in (system.redis.get(key) or "")]
    assert len(kept) <= 2 + 1, "the pages' own results were forgotten"
    assert json.loads(system.redis.get(f"celery-task-meta-{task.id}"))["status"] == "SUCCESS"
