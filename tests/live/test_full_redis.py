"""A Redis that is full and evicts nothing: what waits can always be worked off, and nothing half done is added."""

from __future__ import annotations

import pytest
from kombu.exceptions import OperationalError
from system import until

from tasks.jobs import run_job
from tasks.profiles import bulk_import_profiles, create_profile


def test_a_backlog_that_fills_redis_is_worked_off_by_a_worker_that_starts_on_it(system):
    system.sandbox.limits(off=True)
    published = [create_profile.delay(email=f"p{n}@example.com").id for n in range(300)]
    job = run_job(bulk_import_profiles).delay(profiles=[{"email": "job@example.com"}]).id
    system.redis.config_set("maxmemory", 1)
    try:
        before = system.redis.dbsize(), system.redis.hlen("klaviyo:waiting")
        with pytest.raises(OperationalError, match="Redis is full"):
            create_profile.delay(email="late@example.com")
        assert before == (system.redis.dbsize(), system.redis.hlen("klaviyo:waiting"))

        system.worker().ready()
        ends = system.ended([*published, job], 40)
    finally:
        system.redis.config_set("maxmemory", 0)

    assert {end.status for end in ends.values()} == {"SUCCESS"}
    assert system.sandbox.state()["profile"] == 301
    assert len(system.sandbox.ledger("create_profile")) == 300
    until(lambda: not system.redis.exists("klaviyo:unacked"), 10, "an empty record of what is held")
