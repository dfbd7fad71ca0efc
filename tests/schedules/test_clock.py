"""One clock: Redis's time decides across machines."""

import re
from datetime import UTC, datetime
from pathlib import Path

import schedules
from schedules import clock
from tasks.jobs.ledger import Ledger
from tests.cases import for_each

MODULES = sorted(Path(schedules.__file__).parent.rglob("*.py"))


def test_the_current_time_is_that_of_redis(client, monkeypatch):
    monkeypatch.setattr(clock, "get_ledger", lambda: Ledger(client, clock=lambda: 1_795_521_600_500))

    assert clock.current_time() == datetime(2026, 11, 24, 12, 0, 0, 500_000, UTC)


@for_each(map(str, MODULES))
def test_nothing_on_a_schedule_asks_a_machine_for_the_time(module):
    assert not re.search(r"\b(datetime\.now|utcnow|date\.today|time\.time|time_ns)\(", Path(module).read_text())
