"""What is over only when replicas have it, with a replica that has stopped."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from tasks.jobs.import_runs import Runs
from tasks.jobs.ledger import Ledger
from tests.live.nodes import DATA, Node
from tests.live.system import until
from tests.ports import free_ports
from worker.api.jsonapi import Request
from worker.redis import replicas
from worker.redis.connection import NotReplicated
from worker.redis.patience import asking_redis_once


@pytest.fixture
def primary(server_binary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A primary whose only replica has stopped, though nobody has noticed yet."""
    first, second = free_ports(2)
    primary = Node(server_binary, tmp_path / "primary", first, *DATA)
    replica = Node(server_binary, tmp_path / "replica", second, *DATA, "--replicaof", "127.0.0.1", str(first))
    until(lambda: primary.redis.info("replication").get("slave0", {}).get("state") == "online", 10, "a replica")
    replica.signal(signal.SIGSTOP)
    monkeypatch.setattr(replicas, "get_settings", lambda: SimpleNamespace(redis_replicas=1))
    yield primary
    replica.signal(signal.SIGCONT)
    replica.close()
    primary.close()


def enter_a_part(client: redis.Redis) -> object:
    return Ledger(client).open("R-1", "bulk_import_profiles", "default", Request("POST", "", {}, b"{}"), run="R")


def enter_a_run(client: redis.Redis) -> object:
    return Runs(client).begin("R", "profiles", "default", "customers.csv", {})


@pytest.mark.parametrize("enter", [enter_a_part, enter_a_run])
def test_what_is_entered_once_more_on_a_new_connection_is_not_over_before_replicas_have_it(
    primary: Node, enter: Any
) -> None:
    for _ in range(2):
        client = redis.Redis(port=primary.port, socket_timeout=0.5)
        with client, asking_redis_once(), pytest.raises(NotReplicated, match="0 of 1 replicas"):
            enter(client)
