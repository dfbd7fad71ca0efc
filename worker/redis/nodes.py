"""Which of several servers to speak to: a connection finds it whenever it connects.

redis-py, kombu, Celery's result backend and RedBeat each follow a failover in another way, and none of them can use a
cluster without splitting our scripts. All of them let us name the class of their connections. So one class does it for
everybody: it asks the Sentinels, or the cluster, connects to the server that they name, and asks that server whether it
is the primary. If an answer says otherwise later, the connection ends, and the next one leads to whichever server is
the primary by then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import SSLConnection
from redis.retry import Retry

from worker.redis.address import RedisAddress
from worker.redis.cluster_keys import SLOT, tagged, untagged

#: Most seconds for one Sentinel or node of a cluster to say where the primary is.
ASKING_TIMEOUT_S = 1.0

#: Seconds after which a process asks again whether the Sentinels name another primary. They demote the old one only
#: some ten seconds later, and it then forgets everything that was written to it meanwhile.
ASKING_INTERVAL_S = 1.0

#: Called on a process's first connection to another primary, before anything else, with the connection and the
#: primary's replication id, which changes when a replica is promoted.
at_new_primary: list[Callable[[ToPrimary, str], None]] = []

#: By address, the replication id of the primary that was met last.
_met: dict[RedisAddress, str] = {}


def primary_met(address: RedisAddress) -> str:
    """Return the replication id of the primary that this process has met last; empty where no other can take over."""
    return _met.get(address, "")


@lru_cache
def connection_class(address: RedisAddress) -> type[redis.Connection] | None:
    """Return the class of connections to an address; None if each library's own will do.

    Behind the address of a single server with replicas there may be another server one day.
    """
    if address.path or not (address.nodes or address.replicas):
        return None
    kind = InCluster if address.cluster else ToPrimary
    base = SSLConnection if address.tls else redis.Connection
    return type(kind.__name__, (kind, base), {"address": address, "directory": _Directory(address)})


class ToPrimary(redis.Connection):
    """A connection to whichever server is the primary at that moment."""

    address: RedisAddress
    directory: _Directory

    def _connect(self) -> Any:
        self.host, self.port = self.directory.locate(self.socket_connect_timeout)
        return super()._connect()  # type: ignore[no-untyped-call]

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command, unless the Sentinels name another primary by now."""
        primary = self.host, self.port
        if self.address.primary and self.is_connected and self.directory.names_another(primary, self.socket_timeout):
            self.disconnect()  # type: ignore[no-untyped-call]
            raise redis.ConnectionError("another server has become the primary")
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Log in, then make sure that this server is the primary."""
        super().on_connect_check_health(check_health=check_health)
        replication = _replication(self)
        if replication.get("role") != "master":
            raise redis.ConnectionError(f"{self.host}:{self.port} is a replica: a failover is under way")
        self._meet(replication.get("master_replid", ""))

    def _meet(self, primary: str) -> None:
        if primary != _met.get(self.address):
            for prepare in at_new_primary:
                prepare(self, primary)
            _met[self.address] = primary

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Read an answer; if it says to ask another server, or to ask later, end the connection."""
        try:
            return super().read_response(*args, **kwargs)
        except redis.ConnectionError:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise


class InCluster(ToPrimary):
    """A connection to the node that has our slot, in which every key of ours is."""

    def send_command(self, *args: Any, **kwargs: Any) -> None:
        """Send a command with its keys in our slot."""
        super().send_command(*tagged(args), **kwargs)  # type: ignore[no-untyped-call]

    def pack_command(self, *args: Any) -> Any:
        """Pack a command with its keys in our slot."""
        return super().pack_command(*tagged(args))  # type: ignore[no-untyped-call]

    def pack_commands(self, commands: Iterable[Any]) -> Any:
        """Pack commands with their keys in our slot."""
        return super().pack_commands([tagged(each) for each in commands])  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Read an answer, with its keys as the rest of the program knows them."""
        return untagged(super().read_response(*args, **kwargs))


def _replication(connection: redis.Connection) -> dict[str, str]:
    """What a server says about its role."""
    connection.send_command("INFO", "replication", check_health=False)  # type: ignore[no-untyped-call]
    said = connection.read_response()
    text = said.decode() if isinstance(said, bytes) else str(said)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


class _Directory:
    """Where the primary is: what the nodes of an address say."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._nodes = list(address.nodes)
        self._asking = threading.Lock()
        self._asked_at, self._said = time.monotonic(), ("", 0)

    def locate(self, seconds: float | None) -> tuple[str, int]:
        """Return where the primary is, according to the first node that knows, which is asked first next time.

        ``seconds``: for all nodes together; None: `ASKING_TIMEOUT_S` for each.

        Raises:
            redis.ConnectionError: no node knows.

        """
        if not self._nodes:
            return self._address.host, self._address.port
        why, nodes = [], self._nodes
        patience = min(ASKING_TIMEOUT_S, seconds / len(nodes)) if seconds else ASKING_TIMEOUT_S
        for node in nodes:
            try:
                if found := _ask_node(self._address, *node, patience):
                    # In one step: other threads may be asking, too.
                    self._nodes = [node, *(each for each in nodes if each != node)]
                    self._asked_at, self._said = time.monotonic(), found
                    return found
                why.append(f"{node[0]}:{node[1]} does not know")
            except redis.RedisError as error:
                why.append(f"{node[0]}:{node[1]}: {type(error).__name__}")
        name = self._address.primary
        what = f"the primary {name!r}" if name else "the cluster's node that has our keys"
        raise redis.ConnectionError(f"no node says where {what} is ({'; '.join(why)})")

    def names_another(self, primary: tuple[str, int], seconds: float | None) -> bool:
        """Return True if the primary is elsewhere by now; one thread asks, now and then (``seconds``: `locate`)."""
        if time.monotonic() - self._asked_at >= ASKING_INTERVAL_S and self._asking.acquire(blocking=False):
            try:
                self.locate(seconds)
            except redis.ConnectionError:
                self._asked_at = time.monotonic()  # even without Sentinels the primary goes on serving
            finally:
                self._asking.release()
        return self._said != primary


def _ask_node(address: RedisAddress, host: str, port: int, seconds: float) -> tuple[str, int] | None:
    """Ask one node where the primary is."""
    client = _asking(address, host, port, seconds)
    try:
        return _owner(client, host) if address.cluster else _named(client, address.primary)
    finally:
        client.close()


def _asking(address: RedisAddress, host: str, port: int, seconds: float) -> redis.Redis:
    """A client for one question to a Sentinel or a node of a cluster."""
    who: dict[str, Any] = {"username": address.username, "password": address.password}
    if address.primary:
        who = {"username": address.sentinel_username, "password": address.sentinel_password}
    how: dict[str, Any] = {**who, "ssl": address.tls, **address.ssl, **address.dialect}
    timeouts: dict[str, Any] = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    return redis.Redis(host, port, **how, **timeouts, retry=Retry(NoBackoff(), 0), decode_responses=True)


def _named(client: redis.Redis, primary: str) -> tuple[str, int] | None:
    """Ask a Sentinel where the primary is."""
    found: Any = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", primary)  # type: ignore[no-untyped-call]
    return (found[0], int(found[1])) if found else None


def _owner(client: redis.Redis, asked: str) -> tuple[str, int] | None:
    """Ask a node of a cluster which one has our slot; it may not know its own host."""
    connection: Any = client.connection_pool.get_connection()
    connection.send_command("CLUSTER", "SLOTS")  # what redis-py makes of the answer loses what we look for
    for first, last, (host, port, *_), *_ in connection.read_response():
        if first <= SLOT <= last:
            return host or asked, int(port)
    return None
