"""What the live tests of syncs compare: the store of a test, and what the sandbox has."""

from __future__ import annotations

import json
import time

import sqlalchemy as sa

from schedules.pull.streams import STREAMS
from schedules.pull.watermark import CLOCK_MARGIN
from schedules.store import tables
from schedules.store.engine import open_engine
from schedules.store.migrate import upgrade
from schedules.sync import request_sync
from tests.live.system import until

#: The sandbox's type of each stream's rows.
TYPES = {
    "profiles": "profile", "events": "event", "lists": "list", "segments": "segment", "campaigns": "campaign",
    "campaign_messages": "campaign-message", "flows": "flow", "flow_actions": "flow-action",
    "flow_messages": "flow-message", "templates": "template", "catalog_items": "catalog-item",
    "catalog_variants": "catalog-variant", "catalog_categories": "catalog-category", "coupons": "coupon",
    "coupon_codes": "coupon-code", "metrics": "metric", "tags": "tag", "tag_groups": "tag-group", "forms": "form",
    "images": "image", "webhooks": "webhook",
}  # fmt: skip


class Copy:
    """The store of a test."""

    def __init__(self, url):
        upgrade(url)
        self.url = url
        self.engine = open_engine(url)

    def select(self, statement):
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def rows(self, stream):
        table = STREAMS[stream].table
        return {row["id"]: row for row in self.select(sa.select(table).where(table.c.deleted_at.is_(None)))}

    def members(self, stream, column):
        table = STREAMS[stream].table
        found = self.select(sa.select(table).where(table.c.deleted_at.is_(None)))
        return {(row[column], row["profile_id"]) for row in found}

    def runs(self, stream):
        chosen = sa.select(tables.sync_runs).where(tables.sync_runs.c.stream == stream)
        return self.select(chosen.order_by(tables.sync_runs.c.id))

    def watermark(self, stream):
        [row] = self.select(sa.select(tables.watermarks).where(tables.watermarks.c.stream == stream))
        return row["value"]

    def empty(self):
        with self.engine.begin() as connection:
            for table in reversed(tables.metadata.sorted_tables):
                connection.execute(table.delete())

    def close(self):
        self.engine.dispose()


def seed(system, **how):
    system.sandbox.seed(account="default", **how)


def states(system, request):
    """How the streams of a sync stand."""
    found = system.redis.hgetall(f"klaviyo:sync:{request}")
    return {name.removeprefix("stream:"): state for name, state in found.items() if name.startswith("stream:")}


def sync(system, *streams, mode="changes", seconds=60):
    """Sync streams and wait for the end of all."""
    if mode == "changes":
        let_pass(system)
    request = request_sync("default", streams, mode)

    def over():
        found = states(system, request)
        return found if found and not {"wanted", "running"} & set(found.values()) else None

    def what():
        return f"the end of {streams}: {states(system, request)}\n{system.workers[-1].last()}"

    found = until(over, seconds, what)
    assert set(found.values()) == {"done"}, found


def let_pass(system):
    """Wait until what a test has done lies within the next run's window; a full scan has no end."""
    then = system.sandbox.touched + CLOCK_MARGIN.total_seconds() + 1
    until(lambda: time.monotonic() > then, 10, "the end of the next window")


def assert_equal(system, store, *streams):
    """Row for row: the same ids, and the same attributes."""
    for stream in streams:
        there, here = system.sandbox.rows(TYPES[stream]), store.rows(stream)
        missing, more = set(there) - set(here), set(here) - set(there)
        assert (len(missing), len(more)) == (0, 0), (stream, len(there), sorted(missing)[:3], sorted(more)[:3])
        different = [id for id, row in here.items() if not _same(row["attributes"], there[id]["attributes"])]
        assert not different, (stream, here[different[0]]["attributes"], there[different[0]]["attributes"])


def _same(here, there):
    """What the listing of all rows has; the API adds what was asked for besides, such as subscriptions."""
    return json.dumps({name: here.get(name) for name in there}, sort_keys=True) == json.dumps(there, sort_keys=True)
