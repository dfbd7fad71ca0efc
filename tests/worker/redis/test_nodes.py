"""Where the primary is, while Sentinels or nodes of a cluster say nothing."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
import redis

from worker.redis import nodes
from worker.redis.address import parse
from worker.redis.connection import client_of


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
