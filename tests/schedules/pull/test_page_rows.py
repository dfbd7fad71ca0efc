"""Which rows of the store a page holds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schedules.pull.page_rows import rows_by_table
from schedules.pull.streams import CAMPAIGNS, STREAMS

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MESSAGES = STREAMS["campaign_messages"].table
MESSAGE = {"type": "campaign-message", "id": "M1", "attributes": {"definition": {"channel": "email"}}}


def campaign(**relationships):
    return {"type": "campaign", "id": "C1", "attributes": {"name": "Spring"}, "relationships": relationships}


def test_a_page_of_campaigns_brings_their_messages():
    links = {"campaign-messages": {"data": [{"type": "campaign-message", "id": "M1"}]}, "tags": {"data": []}}
    envelope = {"data": [campaign(**links)], "included": [MESSAGE, {"type": "tag", "id": "T1"}]}

    found = rows_by_table(STREAMS["campaigns"], envelope, CAMPAIGNS[0], "default", NOW, scan=7)

    [first], [second] = found[STREAMS["campaigns"].table], found[MESSAGES]
    assert (first["id"], first["channel"], first["archived"], first["seen"]) == ("C1", "email", False, 7)
    assert first["relationships"] == {"campaign-messages": ["M1"], "tags": []}
    assert (second["id"], second["campaign_id"], second["channel"], second["seen"]) == ("M1", "C1", "email", 7)


@pytest.mark.parametrize(
    "relationship",
    [
        {"links": {}},
        {"data": None},
        {"data": [{"type": "campaign-message", "id": "of-another-page"}, {"type": "tag", "id": "M1"}]},
    ],
)
def test_an_included_resource_that_nothing_links_to_brings_no_row(relationship):
    envelope = {"data": [campaign(**{"campaign-messages": relationship})], "included": [MESSAGE]}

    found = rows_by_table(STREAMS["campaigns"], envelope, CAMPAIGNS[0], "default", NOW)

    assert found[MESSAGES] == []


def test_a_link_to_one_resource_brings_its_row():
    link = {"type": "campaign-message", "id": "M1"}
    envelope = {"data": [campaign(**{"campaign-messages": {"data": link}})], "included": [MESSAGE]}

    found = rows_by_table(STREAMS["campaigns"], envelope, CAMPAIGNS[0], "default", NOW)

    assert [row["campaign_id"] for row in found[MESSAGES]] == ["C1"]
