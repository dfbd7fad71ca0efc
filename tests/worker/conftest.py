"""What the tests of the engine and of its commands share."""

import fakeredis
import pytest

from tests.worker.clock import Clock
from tests.worker.typed import forget
from worker.governor import Governor
from worker.tiers import QUEUES


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def governor(client, clock):
    """The governor of a real server by the test's clock, past its probation, with one worker."""
    made = Governor(client, clock=clock)
    client.set("klaviyo:born", clock.ms - 100_000)
    made.beat("worker", 1_000, list(QUEUES), 10**6)
    return made


@pytest.fixture
def settings(clean_settings, monkeypatch, tmp_path):
    """An account of its own, and no file of settings from where the tests happen to run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_secret")
    monkeypatch.setenv("KLAVIYO_COMPANY_ID", "ABC123")
    monkeypatch.setenv("KLAVIYO_REDIS_URL", "redis://:hidden@127.0.0.1:1/0")
    forget()
    yield monkeypatch
    forget()


@pytest.fixture
def fake_redis(monkeypatch):
    """A Redis of this test's own in place of the configured one."""
    fake = fakeredis.FakeRedis(server_type="valkey", version=(8,))
    told = {"redis_version": "7.2.4", "valkey_version": "9.1.2", "maxmemory_policy": "noeviction", "aof_enabled": 1}
    monkeypatch.setattr(fake, "info", lambda: dict(told, tcp_port=0), raising=False)
    for module in ("checks", "governor", "ledger", "runs"):
        monkeypatch.setattr(f"worker.{module}.get_redis", lambda: fake)
    monkeypatch.setattr("schedules.trouble.get_redis", lambda: fake)
    return fake
