"""Lists read to their end by a real worker, page by page."""

from __future__ import annotations

from collections import Counter

from tasks.collect import collect, records
from tasks.tags import get_tags
from worker.api.filters import F
from worker.errors import BadRequest


def names(result) -> Counter[str]:
    return Counter(each["attributes"]["name"] for each in records(result))


def test_a_list_is_collected_page_by_page_as_one_result(idle):
    idle.sandbox.seed(account="default", tags=25)

    task = get_tags.on(lane="bulk").collect(page_size=10, sort="name")
    result = task.get(timeout=120)

    assert names(result) == Counter({f"Tag {n}": 1 for n in range(25)})
    assert (result["successful"], result["count"], result["pages"]) == (True, 25, 3)
    assert len(idle.sandbox.ledger("get_tags")) == 3


def test_a_filter_travels_and_an_empty_list_has_an_end_too(idle):
    idle.sandbox.seed(account="default", tags=12)

    some = collect.delay("get_tags", filter=F("name").contains("Tag 1"), page_size=2).get(timeout=120)
    none = collect.delay("klaviyo.get_tags", filter=F("name").contains("nothing")).get(timeout=120)

    assert names(some) == Counter(["Tag 1", "Tag 10", "Tag 11"])
    assert (none["data"], none["count"]) == ([], 0)


def test_what_is_chained_to_a_collection_gets_the_whole_and_a_refusal_ends_it(idle):
    idle.sandbox.seed(account="default", tags=4)

    whole = (collect.s("get_tags", page_size=3) | collect.app.tasks["celery.accumulate"].s()).delay()
    refused = get_tags.collect(page_cursor="not a cursor")

    assert [each["count"] for each in whole.get(timeout=120)] == [4]
    end = idle.end_of(refused.id)
    assert end.error == BadRequest.__name__
