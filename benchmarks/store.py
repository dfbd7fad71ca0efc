"""How many rows per second the store takes: events in pages of 1,000, one transaction each, then a tenth again.

python -m benchmarks.store [URL]      SQLite in a temporary folder, or an empty database at the URL
"""

from __future__ import annotations

import string
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from schedules.store.engine import open_engine
from schedules.store.migrate import upgrade
from schedules.store.rows import upsert
from schedules.store.tables import events

ROWS, PAGE = 500_000, 1_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def pages(random: Random) -> Iterator[list[dict[str, Any]]]:
    """Pages of events of about 300 bytes, with random ids like Klaviyo's."""
    people = [f"01{random.getrandbits(96):024X}" for _ in range(100_000)]
    for page in range(ROWS // PAGE):
        yield [_event(random, people, page * PAGE + number) for number in range(PAGE)]


def _event(random: Random, people: list[str], number: int) -> dict[str, Any]:
    moment = START + timedelta(seconds=30 * number)
    properties = {"$value": 9.99, "OrderId": f"ORD-{number}", "Currency": "USD", "Note": "a gift"}
    return {
        "account": "default",
        "id": "".join(random.choices(string.ascii_letters + string.digits, k=11)),
        "metric_id": f"M{random.randrange(20):05}",
        "profile_id": random.choice(people),
        "datetime": moment,
        "day": moment.date(),
        "attributes": {"timestamp": int(moment.timestamp()), "event_properties": properties},
        "synced_at": START,
    }


def measure(url: str) -> None:
    """Print the rate for new rows, and for the same rows again."""
    upgrade(url)
    engine = open_engine(url)
    made = list(pages(Random(1)))
    for name, chosen in (("new", made), ("again", made[: len(made) // 10])):
        began = time.perf_counter()
        for page in chosen:
            with engine.begin() as connection:
                upsert(connection, events, page)
        seconds = time.perf_counter() - began
        print(f"{engine.dialect.name}, {name}: {len(chosen) * PAGE / seconds:,.0f} rows/s")
    engine.dispose()


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(f"sqlite:///{folder}/store.db")
