"""A list is read to its end though the worker that reads it dies on the way."""

from __future__ import annotations

import json
from collections import Counter

from tasks.collect import records
from tasks.tags import get_tags
from tests.live.system import until

#: A request is about a page, of one record. Klaviyo answers three in a second.
PAGES = 12


def test_a_worker_that_dies_costs_no_page_and_doubles_none(system):
    system.sandbox.seed(account="default", tags=PAGES)
    system.sandbox.fault("latency", seconds=0.05, times=None)
    worker = system.worker().ready()

    task = get_tags.collect(page_size=1)
    until(lambda: len(system.sandbox.ledger("get_tags")) >= 5, 20, "five pages")
    worker.kill()
    system.lapse()
    system.worker().ready()
    end = system.end_of(task.id, 40)

    names = Counter(each["attributes"]["name"] for each in records(end.result))
    assert names == Counter({f"Tag {n}": 1 for n in range(PAGES)})
    assert len(system.sandbox.ledger("get_tags")) <= PAGES + 3

    def kept():
        metas = system.redis.scan_iter("celery-task-meta-*")
        return [key for key in metas if '"next"' in (system.redis.get(key) or "")]

    until(lambda: len(kept()) <= 2 + 1, 10, "the pages' own results to be forgotten")
    assert json.loads(system.redis.get(f"celery-task-meta-{task.id}"))["status"] == "SUCCESS"
