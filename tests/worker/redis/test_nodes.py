"""Where the primary is, while Sentinels or nodes of a cluster say nothing."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.live.nodes import DATA, Node
from tests.ports import free_ports
from worker.governor import under_way
from worker.one_per_process import forget
from worker.redis import nodes
from worker.redis.address import parse
from worker.redis.connection import client_of, get_redis


@pytest.fixture
def silent() -> Iterator[str]:
    """The places of three servers that take connections and never answer."""
    with contextlib.ExitStack() as listening:
        servers = [listening.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        yield ",".join(f"127.0.0.1:{server.getsockname()[1]}" for server in servers)


@pytest.mark.parametrize("address", ["sentinel://{}/mymaster/0", "cluster://{}"])
def test_all_nodes_together_are_waited_for_no_longer_than_a_connection(
    silent: str, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    waited: list[float] = []
    ask = nodes._asking

    def asking(*given: object) -> redis.Redis:
        made = ask(*given)  # type: ignore[arg-type]
        waited.append(made.connection_pool.connection_kwargs["socket_timeout"])
        return made

    monkeypatch.setattr(nodes, "_asking", asking)
    client = client_of(parse(address.format(silent)), {"socket_connect_timeout": 0.3, "socket_timeout": 0.3})

    with client, pytest.raises(redis.ConnectionError, match="no node says where"):
        client.ping()

    assert waited == pytest.approx([0.1] * 3)


def test_a_node_is_patiently_asked_where_there_is_time(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(nodes, "_ask_node", lambda *given: waited.append(given[-1]))
    client = client_of(parse(f"sentinel://{silent}/mymaster/0"))

    with client, pytest.raises(redis.ConnectionError, match="does not know"):
        client.ping()

    assert waited == [nodes.ASKING_TIMEOUT_S] * 3


@pytest.fixture
def primary(server_binary: str, tmp_path: Path, settings: pytest.MonkeyPatch) -> Iterator[Node]:
    """A server that this process has not met, in whose place another may be one day."""
    [port] = free_ports(1)
    made = Node(server_binary, tmp_path / "primary", port, *DATA)
    settings.setenv("KLAVIYO_REDIS_URL", f"redis://127.0.0.1:{port}/0")
    settings.setenv("KLAVIYO_REDIS_REPLICAS", "1")
    forget()
    yield made
    get_redis().close()
    forget()
    made.close()


def test_a_new_primary_is_told_of_thousands_of_requests_in_one_round_trip(
    primary: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "_requests", {})
    monkeypatch.setattr(under_way, "_unrepeatable", deque())
    many = [f"task-{number}" for number in range(3_000)]
    under_way.begin("request", lambda: ("request", "", "", "", 0, 0), many)
    under_way.finish("request", forget=False)
    sent: list[Any] = []
    send = nodes.ToPrimary.send_packed_command

    def sending(connection: nodes.ToPrimary, command: Any, check_health: bool = True) -> None:
        sent.append(command)
        send(connection, command, check_health)

    monkeypatch.setattr(nodes.ToPrimary, "send_packed_command", sending)
    primary.redis.config_resetstat()
    get_redis().ping()

    assert primary.redis.exists(*(f"klaviyo:sent:{each}" for each in many)) == len(many)
    assert len([each for each in sent if b"under_way" in b"".join(each)]) == 1
    assert primary.redis.info("stats")["total_net_input_bytes"] < 1_000_000, "the script is sent with each of them"


def test_what_ended_longer_ago_than_a_replica_can_be_behind_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_way, "_requests", {})
    monkeypatch.setattr(under_way, "_unrepeatable", deque())
    for task_id, ended_at in (("old", 100.0), ("new", 150.0)):
        under_way.begin(task_id, lambda: ("request", "", "", "", 0, 0), [task_id])
        under_way.finish(task_id, forget=False, clock=lambda at=ended_at: at)  # type: ignore[misc]

    def told_at(now: float) -> list[str]:
        return [task_id for task_id, *_ in under_way.known(clock=lambda: now)]

    assert told_at(155.0) == ["old", "new"]
    assert told_at(161.0) == ["new"]
    assert told_at(211.0) == []
