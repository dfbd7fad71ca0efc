"""What a process has one of is made once, and forgotten with all the others."""

from __future__ import annotations

import pytest

from tasks.jobs.import_runs import get_runs
from tasks.jobs.ledger import get_ledger
from worker import one_per_process as parts_of_process
from worker.governor import get_governor, get_publishing_governor
from worker.one_per_process import forget, one_per_process
from worker.redis.connection import get_publisher, get_redis
from worker.settings import get_settings


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.setattr(parts_of_process, "_parts", [])


class Part:
    closed = False

    def close(self):
        self.closed = True


def test_a_part_is_made_once_until_all_are_forgotten(parts):
    get_part = one_per_process(Part)

    first = get_part()
    assert get_part() is first
    forget()

    assert first.closed
    assert get_part() is not first


def test_what_was_never_needed_is_not_made_in_order_to_be_closed(parts):
    made = []
    one_per_process(lambda: made.append("made"))

    forget()

    assert made == []


def test_with_other_settings_a_process_speaks_to_another_redis(settings):
    everything = (get_redis, get_publisher, get_governor, get_publishing_governor, get_ledger, get_runs)
    before = [get() for get in everything]

    settings.setenv("KLAVIYO_REDIS_URL", "redis://127.0.0.1:2/0")
    forget()

    assert get_settings().redis.url == "redis://127.0.0.1:2/0"
    assert all(get() is not old for get, old in zip(everything, before, strict=True))
    assert get_redis().connection_pool.connection_kwargs["port"] == 2
