"""The figures of campaigns and flows, read by a real worker within the few requests that Klaviyo allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from schedules.store import tables
from tests.live.copies import sync

QUERIES = ("query_campaign_values", "query_flow_values")


@pytest.fixture
def quick(system, store):
    """A worker that knows the store, a Klaviyo that takes more than two such requests a minute, and what was sold."""
    for query in QUERIES:
        system.sandbox.limits(operation=query, steady=600, burst=50)
    system.sandbox.seed(account="default", profiles=5, events=20)
    system.worker(STORE_URL=store.url).ready()
    return system


@pytest.mark.timeout(180)
def test_thirty_days_are_read_once_and_klaviyo_refuses_nothing(quick, store):
    sync(quick, "campaign_values", "flow_values", mode="reports", seconds=120)
    asked = {query: len(quick.sandbox.ledger(query)) for query in QUERIES}
    sync(quick, "campaign_values", "flow_values", mode="reports")

    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    for stream, table in (("campaign_values", tables.campaign_values), ("flow_values", tables.flow_values)):
        rows = store.select(sa.select(table))
        assert {row["since"] for row in rows} == {yesterday - timedelta(days=each) for each in range(30)}, stream
        assert all(row["until"] == row["since"] + timedelta(days=1) for row in rows)
        assert rows[0]["statistics"].keys() >= {"recipients", "opens", "conversion_value"}
        first, second = store.runs(stream)
        assert first["report"]["metric"] == "Placed Order"
        assert (first["requests"], first["report"]["waits"]) == (first["report"]["planned"], [])
        assert second["requests"] == 0
    assert {query: len(quick.sandbox.ledger(query)) for query in QUERIES} == asked
    assert quick.sandbox.throttled() == 0
