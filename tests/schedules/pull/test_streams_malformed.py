"""Pages of streams and reports that are not well formed: they are written as far as they go, or the run fails."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given

from schedules.plan.probes import Probes
from schedules.pull import pages as pull
from schedules.pull.page_rows import rows_by_table
from schedules.pull.pages import PageRef
from schedules.pull.streams import STREAMS
from schedules.reports import conversion
from schedules.reports.conversion import conversion_metric
from schedules.reports.pages import REPORTS
from schedules.store import runs
from schedules.store.connection import transaction
from schedules.store.rows import upsert
from tests.malformed import answered, malformed, page, read_or_told, several
from worker.api.paging import next_page, page_items
from worker.settings import get_settings

pytestmark = pytest.mark.soak

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TEXT = "2026-11-24T11:00:00+00:00"
ATTRIBUTES = {
    "name": "Ada", "email": "ada@example.com", "updated": TEXT, "updated_at": TEXT, "created": TEXT, "created_at": TEXT,
    "datetime": TEXT, "joined_group_at": TEXT, "size": 12, "price": 1.5, "total_count": 4, "hidden": False,
    "status": "live", "definition": {"channel": "email", "type": "send-email"}, "integration": {"name": "API"},
}  # fmt: skip
RELATED = {
    "campaign-messages": {"data": [{"type": "campaign-message", "id": "M1"}]},
    "metric": {"data": {"type": "metric", "id": "X1"}}, "profile": {"data": None}, "tags": {"links": {}},
}  # fmt: skip
RESOURCE = {"type": "thing", "id": "T1", "attributes": ATTRIBUTES, "relationships": RELATED}
PAGE = page(RESOURCE, {**RESOURCE, "id": "T2"}, included=[{**RESOURCE, "type": "campaign-message", "id": "M1"}])
RESULT = {
    "groupings": {"campaign_id": "C1", "campaign_message_id": "M1", "send_channel": "email"},
    "statistics": {"opens": 3},
}


@pytest.fixture
def pulling(store, monkeypatch):
    monkeypatch.setattr(pull, "current_time", lambda: NOW)
    monkeypatch.setattr(pull, "renew_reminder", lambda *_: None)
    monkeypatch.setattr(pull.sync_requests, "load", lambda id: None)
    monkeypatch.setattr(pull, "end_stream", lambda *_: None)
    monkeypatch.setattr(pull.page, "_ask_page", lambda *_: None)


@pytest.mark.usefixtures("pulling")
@pytest.mark.parametrize(
    "name", ["profiles", "lists", "campaigns", "images", "webhooks", "catalog_items", "jobs:catalog-item-bulk-create"]
)
def test_a_page_of_a_stream_is_written_or_refused(name):
    stream = STREAMS[name]
    partition = stream.partitions[0].name
    mode = "incremental" if stream.time else "full"

    @several
    @given(malformed(PAGE))
    def holds(changed):
        envelope = answered(changed)
        if envelope is None:
            return
        with transaction() as connection:
            run = runs.create(connection, "default", name, "pull", mode, NOW)
            runs.add_windows(connection, run, [runs.SyncWindow(partition, 0, None, NOW)])
        pull.page.request.update(began=0.0)
        with read_or_told():
            pull.page.answered(envelope, {}, "default", PageRef("R", run, name, mode, partition, 0))

    holds()


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", [name for name, stream in STREAMS.items() if stream.action and ":" not in name])
def test_every_stream_takes_what_a_page_has_as_it_comes(name):
    stream = STREAMS[name]
    partition = stream.parent.partition("P1") if stream.parent else stream.partitions[0]

    @several
    @given(malformed(PAGE))
    def holds(changed):
        envelope = answered(changed)
        if envelope is not None and isinstance(envelope["data"], list):
            with transaction() as connection:
                for table, found in rows_by_table(stream, envelope, partition, "default", NOW).items():
                    upsert(connection, table, found)

    holds()


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", REPORTS)
def test_a_page_of_a_report_is_written_or_refused(name):
    report = REPORTS[name]

    @several
    @given(malformed({"data": {"type": "report", "attributes": {"results": [RESULT, RESULT]}}, "links": {}}))
    def holds(changed):
        envelope = answered(changed)
        if envelope is None:
            return
        with read_or_told(), transaction() as connection:
            next_page(report.action.declaration, {}, envelope)
            found = [report.row(each, "default", date(2026, 11, 23), "M", NOW) for each in page_items(envelope)]
            upsert(connection, report.table, found)

    holds()


@pytest.mark.parametrize("name", ["profiles", "events", "metrics"])
def test_a_plan_reads_what_it_can_or_says_that_it_cannot(name):
    stream = STREAMS[name]
    first = page(RESOURCE, {**RESOURCE, "id": "T2", "attributes": {**ATTRIBUTES, "updated": "2026-11-24T11:30:00Z"}})

    @several
    @given(malformed(first))
    def holds(changed):
        envelope = answered(changed)
        if envelope is None:
            return
        probes = Probes(lambda action, params: envelope)
        with read_or_told():
            if stream.time:
                probes.survey(stream, stream.partitions[0], stream.time, None, NOW)
            else:
                probes.count(stream, stream.partitions[0])

    holds()


@pytest.mark.usefixtures("store")
def test_metrics_that_are_not_well_formed_are_none_that_is_meant(monkeypatch):
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_test")
    get_settings.cache_clear()

    @several
    @given(malformed(page({**RESOURCE, "attributes": {"name": "Placed Order", "updated": TEXT}}, cursor=None)))
    def holds(changed):
        envelope = answered(changed)
        if envelope is None or not isinstance(envelope["data"], list):
            return
        listing = SimpleNamespace(on=lambda *_, **__: SimpleNamespace(pages=lambda: [envelope]))
        monkeypatch.setattr(conversion, "get_metrics", listing)
        with read_or_told():
            conversion_metric("default")

    holds()
