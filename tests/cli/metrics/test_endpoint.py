"""What Prometheus is answered, and how often Redis is asked for it."""

from __future__ import annotations

import asyncio
import threading

import redis
from prometheus_client.exposition import generate_latest

from cli.metrics import endpoint
from cli.metrics.endpoint import KEPT_S, OF_STORE, PARTS, PAUSE_FACTOR, Deployment, Latest
from cli.metrics.gauges import single
from schedules.store.migrate import upgrade
from worker.settings import get_settings


def away(most):
    raise redis.ConnectionError("away")


def test_a_part_that_cannot_be_read_is_told_as_down_beside_the_others(caplog):
    text = generate_latest(
        Deployment([("first", away), ("second", lambda most: [single("x", "X.", most)])], 7)
    ).decode()

    assert 'klaviyo_collector_up{part="first"} 0.0' in text
    assert 'klaviyo_collector_up{part="second"} 1.0' in text
    assert "klaviyo_x 7.0" in text
    assert caplog.text == ""


def test_what_nobody_foresaw_in_one_part_is_logged_and_leaves_the_others(caplog):
    text = generate_latest(Deployment([("first", lambda most: 1 / 0), ("second", lambda most: [])], 7)).decode()

    assert 'klaviyo_collector_up{part="first"} 0.0' in text
    assert "part 'first' could not be read" in caplog.text


def test_all_who_ask_within_a_while_are_answered_by_one_reading():
    now, read = [0.0], []

    def collect():
        read.append(threading.current_thread())
        now[0] += 0.5
        return b"%d" % len(read), 0.0

    async def scrapes():
        latest = Latest(collect, lambda: now[0])
        found = [*await asyncio.gather(*[latest.text() for _ in range(5)]), await latest.text()]
        now[0] += 0.5 * PAUSE_FACTOR
        return [*found, await latest.text()]

    assert asyncio.run(scrapes()) == [b"1"] * 6 + [b"2"]
    assert all(thread is not threading.main_thread() for thread in read)
    assert KEPT_S <= 1.0


def test_a_reading_that_takes_long_keeps_nobody_waiting_who_can_have_an_older_one():
    now, go_on, read = [0.0], threading.Event(), []

    def collect():
        read.append(None)
        if len(read) == 2:
            assert go_on.wait(20)
        return b"%d" % len(read), 0.0

    async def scrapes():
        latest = Latest(collect, lambda: now[0])
        first = await latest.text()
        now[0] += 60.0
        older = await latest.text(patience_s=0.0)
        go_on.set()
        return [first, older, await latest.text()]

    assert asyncio.run(scrapes()) == [b"1", b"1", b"2"]


def test_a_new_deployment_tells_every_part(client, settings, monkeypatch, tmp_path):
    settings.setenv("KLAVIYO_STORE_URL", f"sqlite:///{tmp_path}/store.db")
    upgrade(f"sqlite:///{tmp_path}/store.db")
    get_settings.cache_clear()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)

    text = endpoint.collect()[0].decode()

    for name, _ in (*PARTS, *OF_STORE):
        assert f'klaviyo_collector_up{{part="{name}"}} 1.0' in text
    assert "klaviyo_workers 0.0" in text
    assert "klaviyo_wanted_workers 0.0" in text
    assert 'klaviyo_revision_retirement_timestamp_seconds{revision="' in text
    assert "klaviyo_redis_used_bytes" in text
