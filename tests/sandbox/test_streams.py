"""The sandbox answers every stream, and what it answers fits the store."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from schedules.pull.definition import Partition, Stream
from schedules.pull.page_rows import rows_by_table
from schedules.pull.streams import STREAMS
from schedules.store.connection import transaction
from schedules.store.rows import upsert
from tests.sandbox.in_process import Sandbox

SINCE, UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


def first_page(sandbox: Sandbox, stream: Stream, partition: Partition) -> dict[str, object]:
    assert stream.action
    declaration = stream.action.declaration
    request = declaration.request(declaration.bind(stream.request(partition, stream.time, SINCE, UNTIL)))
    answer = sandbox.get(request.path, **request.query)
    assert answer.status_code == 200, answer.text
    page: dict[str, object] = answer.json()
    return page


@pytest.mark.usefixtures("store")
def test_the_first_pages_of_all_streams_fit_the_store(free: Sandbox) -> None:
    free.profile(email="ada@example.com")
    free.list()
    found = {}

    with transaction() as connection:
        for stream in STREAMS.values():
            parent = stream.parent
            if not stream.action:
                continue
            partitions = stream.partitions
            if parent:
                table = STREAMS[parent.stream].table
                partitions = tuple(parent.partition(id) for id in connection.execute(select(table.c.id)).scalars())
            for partition in partitions:
                page = first_page(free, stream, partition)
                for table, made in rows_by_table(stream, page, partition, "default", UNTIL).items():
                    upsert(connection, table, made)
                    found[table.name] = found.get(table.name, 0) + len(made)

    filled = {"profiles", "lists", "segments", "campaigns", "campaign_messages", "flows", "flow_actions",
              "flow_messages", "templates", "metrics", "tag_groups", "forms"}  # fmt: skip
    assert {name for name, count in found.items() if count} >= filled
