"""Several writes as one step, on a real server that is full."""

import re
from pathlib import Path

import pytest
import redis

import schedules
import tasks
import worker
from worker.process.state import working
from worker.redis import atomic_writes
from worker.redis.atomic_writes import write
from worker.redis.connection import NotNow, Parser
from worker.redis.patience import asking_redis_once


@pytest.fixture
def full(client, monkeypatch):
    ours = redis.Redis.from_url(f"unix://{client.connection_pool.connection_kwargs['path']}", parser_class=Parser)
    monkeypatch.setattr(atomic_writes, "get_redis", lambda: ours)
    client.config_set("maxmemory", 1)
    yield client
    ours.close()
    client.config_set("maxmemory", 0)
    working.clear()


def test_a_worker_may_write_down_what_it_is_in_the_middle_of_though_redis_is_full(full):
    working.set()

    assert write(("HSET", "a", "field", b"\x00\xff"), ("EXPIRE", "a", 60)) == [1, 1]

    assert full.hget("a", "field") == b"\x00\xff"
    assert 0 < full.ttl("a") <= 60


def test_anybody_else_is_told_that_redis_is_full_and_nothing_is_written(full):
    with asking_redis_once(), pytest.raises(NotNow, match="Redis is full"):
        write(("HSET", "a", "field", "value"), ("HSET", "b", "field", "value"))

    assert full.exists("a", "b") == 0


@pytest.mark.parametrize("package", [worker, tasks, schedules], ids=lambda package: package.__name__)
def test_no_module_has_a_way_of_its_own_to_write_what_a_full_redis_would_refuse(package):
    adds = re.compile(r"get_redis\(\)\.(set|setex|hset|hincrby|zadd|[lr]push|sadd|incr|expire)\(")

    assert [file.name for file in Path(package.__file__).parent.rglob("*.py") if adds.search(file.read_text())] == []
