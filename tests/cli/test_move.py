"""Everything is moved from one Redis to another, counted, while nobody works at either."""

from collections import deque

import pytest
from redis.client import Pipeline

from cli.move.keys import EMPTY, move
from tests.cli.typed import run
from tests.live.nodes import Cluster
from tests.worker.governing import line, publish
from worker.errors import SettingsError
from worker.governor import Governor, under_way
from worker.redis.address import parse
from worker.redis.connection import client_of
from worker.tiers import QUEUES


@pytest.fixture(scope="module")
def cluster(server_binary, tmp_path_factory):
    made = Cluster(server_binary, tmp_path_factory.mktemp("cluster"), primaries=3)
    yield made
    made.close()


@pytest.fixture
def governor(client):
    return Governor(client)


@pytest.fixture
def new(cluster, monkeypatch):
    # What other tests of this process have sent is not told to it.
    monkeypatch.setattr(under_way, "_unrepeatable", deque())
    for node in cluster.nodes:
        node.redis.flushall()
    with client_of(parse(cluster.url)) as client:
        yield client


def test_every_key_comes_into_one_slot_of_a_cluster_with_its_lifetime(governor, client, new, cluster):
    governor.beat("worker", 0, list(QUEUES), 10)
    publish(governor, line(), "one", "two")
    client.set("celery-task-meta-one", "result", ex=500)
    client.set("another application's", "stays")
    before = client.dbsize()

    number = move(client, new)

    assert number == before - 1
    assert client.keys() == [b"another application's"]
    assert Governor(new).count() == 2
    assert [each.line for each in Governor(new).look()] == [line().name]
    assert 0 < new.ttl("celery-task-meta-one") <= 500
    assert [node.redis.dbsize() for node in cluster.nodes if node is not cluster.primary()] == [0, 0]


def test_nothing_is_moved_while_a_worker_runs(client, new):
    Governor(client).beat("worker", 5, list(QUEUES), 10)

    with pytest.raises(SettingsError, match=r"workers are running at the old Redis: stop them first \(worker\)"):
        move(client, new)

    assert set(new.keys()) <= EMPTY


def test_nothing_is_moved_to_a_redis_that_has_work_of_its_own(governor, client, new):
    publish(Governor(new), line(), "theirs")
    governor.beat("worker", 0, list(QUEUES), 10)
    publish(governor, line(), "one")

    with pytest.raises(SettingsError, match="keys of a deployment: choose an empty one"):
        move(client, new)


def test_copies_that_the_new_redis_does_not_take_are_one_sentence_without_a_value(governor, client, new, monkeypatch):
    governor.beat("worker", 0, list(QUEUES), 10)
    publish(governor, line(), "one")
    monkeypatch.setattr(Pipeline, "dump", lambda self, key: self.echo(b"from another version, with ada@example.com"))

    with pytest.raises(SettingsError, match="the new Redis does not take copies of the old one's keys") as refused:
        move(client, new)

    assert "ada" not in str(refused.value)
    assert client.exists("klaviyo:waiting")


def test_what_was_broken_off_is_begun_again(governor, client, new, monkeypatch):
    governor.beat("worker", 0, list(QUEUES), 10)
    publish(governor, line(), "one")
    monkeypatch.setattr(client, "delete", lambda *keys: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        move(client, new)
    monkeypatch.undo()

    move(client, new)

    assert client.keys() == []
    assert Governor(new).count() == 1


def test_an_old_redis_that_is_away_is_named_not_the_new_one(settings):
    result = run("move", "redis://:hidden@127.0.0.1:2/0")

    assert result.exit_code == 1
    assert "The old Redis cannot be reached at redis://:**@127.0.0.1:2/0 (ConnectionError)" in result.stderr
    assert "hidden" not in result.output
