"""Several servers as one Redis: a primary with a replica under Sentinels, or a cluster. Each is a process of its own.

``KLAVIYO_TEST_REDIS=sentinel`` or ``cluster`` makes every live test run on such ones (`Several`). Every port is one
that the machine had free; every process is ended by its own id.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import ConstantBackoff, NoBackoff
from redis.retry import Retry

from cli.redis_rights import acl
from tests.live.system import end, stretched, until
from tests.ports import free_ports
from worker.redis.address import parse
from worker.redis.cluster_keys import SLOT, TAG
from worker.redis.connection import Parser
from worker.redis.nodes import connection_class

#: Milliseconds of silence after which a Sentinel, or a node of a cluster, takes another for dead, on an idle machine.
DOWN_AFTER_MS = 1_000

#: The same where a test may hold a server for seconds, and is not about what the others make of it.
PATIENT_MS = 120_000


class Node:
    """One server on a port."""

    def __init__(self, binary: str, folder: Path, port: int, *options: str, sentinel: bool = False) -> None:
        self._command = [binary]
        folder.mkdir(parents=True, exist_ok=True)
        if sentinel:
            self._command += [str(folder / "sentinel.conf"), "--sentinel"]
        self._command += ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *options]
        self.port, self._log = port, folder / "log"
        # A connection is cut where its server is promoted; one that is held would be asked for a minute.
        again = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        self.redis: Any = redis.Redis(port=port, decode_responses=True, socket_timeout=5, retry=again)
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(self.answers, 10, lambda: f"an answer on port {self.port}\n{self._log.read_text()[-2000:]}")

    def answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def role(self) -> str:
        return str(self.redis.role()[0])

    def stop(self, how: int = signal.SIGTERM) -> None:
        end(self._process, how)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def signal(self, how: int) -> None:
        self._process.send_signal(how)

    def close(self) -> None:
        self.redis.close()
        if self._process.poll() is None:
            end(self._process, signal.SIGKILL)


DATA = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--repl-diskless-sync-delay", "0")


class Sentinels:
    """A primary, its replicas and Sentinels."""

    def __init__(
        self, binary: str, folder: Path, sentinels: int = 3, replicas: int = 1, down_after_ms: int = DOWN_AFTER_MS
    ) -> None:
        first, *ports = free_ports(1 + replicas + sentinels)
        others, asked = ports[:replicas], ports[replicas:]
        self.data = [Node(binary, folder / "first", first, *DATA)]
        for number, port in enumerate(others):
            options = (*DATA, "--replicaof", "127.0.0.1", str(first))
            self.data.append(Node(binary, folder / f"replica{number}", port, *options))
        until(self.in_step, 10, "replicas in step with their primary")
        for number in range(sentinels):
            (folder / f"sentinel{number}").mkdir()
            (folder / f"sentinel{number}" / "sentinel.conf").write_text(
                f"sentinel monitor mymaster 127.0.0.1 {first} {sentinels // 2 + 1}\n"
                f"sentinel down-after-milliseconds mymaster {round(stretched(down_after_ms))}\n"
                "sentinel failover-timeout mymaster 3000\n"
            )
        self.sentinels = [
            Node(binary, folder / f"sentinel{number}", port, sentinel=True) for number, port in enumerate(asked)
        ]
        self.url = f"sentinel://{','.join(f'127.0.0.1:{port}' for port in asked)}/mymaster/0"
        self.broker_url = ";".join(f"sentinel://127.0.0.1:{port}" for port in asked)
        self.broker_options = {"master_name": "mymaster"}
        until(self.ready, 20, "Sentinels that know of each other and of the replicas")

    def primary(self) -> Node:
        """The server that the Sentinels name."""
        _, port = self.sentinels[0].redis.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
        return next(node for node in self.data if node.port == int(port))

    def replica(self) -> Node:
        primary = self.primary()
        return next(node for node in self.data if node is not primary)

    def in_step(self) -> bool:
        def follows(node: Node) -> bool:
            told = node.redis.info("replication") if node.answers() else {}
            up = told.get("role") == "slave" and told.get("master_link_status") == "up"
            return up and not told.get("master_sync_in_progress")

        return sum(map(follows, self.data)) == len(self.data) - 1

    def ready(self) -> bool:
        def knows(node: Node) -> bool:
            told = node.redis.execute_command("SENTINEL", "MASTER", "mymaster")
            if isinstance(told, list):
                told = dict(zip(told[::2], told[1::2], strict=True))
            others, replicas = int(told["num-other-sentinels"]), int(told["num-slaves"])
            known = (others, replicas) == (len(self.sentinels) - 1, len(self.data) - 1)
            return known and told["flags"] == "master"

        return self.in_step() and all(knows(node) for node in self.sentinels)

    def fail_over(self, killed: bool = False) -> float:
        """Have the replica promoted, because the primary is killed or because somebody wishes it.

        Returns when it was, by the monotonic clock. What was killed has been started again.
        """
        old = self.primary()
        if killed:
            old.kill()
        else:
            self.sentinels[0].redis.execute_command("SENTINEL", "FAILOVER", "mymaster")
        promoted = self.await_another(old)
        if killed:
            old.start()
        return promoted

    def await_another(self, old: Node) -> float:
        """Wait until another server than this one is the primary. Return when it was, by the monotonic clock."""

        def promoted() -> bool:
            new = self.primary()
            return new is not old and new.role() == "master"

        until(promoted, 20, "the promotion")
        return time.monotonic()

    def part(self) -> None:
        """Have the replica hear no more from the primary; Sentinels mend that after some seconds."""
        self.replica().redis.replicaof("127.0.0.1", 1)

    def close(self) -> None:
        for node in (*self.sentinels, *self.data):
            node.close()


class Cluster:
    """Nodes that share the slots, each with a replica where so many are asked for."""

    def __init__(
        self, binary: str, folder: Path, primaries: int = 3, replicas: int = 0, down_after_ms: int = DOWN_AFTER_MS
    ) -> None:
        self._replicas = replicas
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(round(stretched(down_after_ms))), *DATA)
        ports = free_ports(2 * primaries * (1 + replicas))
        self.nodes = [
            Node(binary, folder / str(port), port, *options, "--cluster-port", str(bus))
            for port, bus in zip(ports[::2], ports[1::2], strict=True)
        ]
        first = self.nodes[0].redis
        for port, bus in zip(ports[2::2], ports[3::2], strict=True):
            first.execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
        for number, node in enumerate(self.nodes[:primaries]):
            low, high = number * 16384 // primaries, (number + 1) * 16384 // primaries - 1
            node.redis.execute_command("CLUSTER", "ADDSLOTSRANGE", low, high)
        until(self.agree, 20, "nodes that know of each other")
        for number, node in enumerate(self.nodes[primaries:]):
            node.redis.execute_command("CLUSTER", "REPLICATE", self.id_of(self.nodes[number % primaries]))
        self.url = f"cluster://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}"
        self.broker_options = {"global_keyprefix": TAG}
        until(self.ready, 20, "a cluster that serves")

    def agree(self) -> bool:
        """Whether each knows every other by its name: those that have just met use another at first."""
        names = {self.id_of(node) for node in self.nodes}
        return all({line.split()[0] for line in _lines(node)} == names for node in self.nodes)

    def ready(self) -> bool:
        """Whether every node serves, and the one that has our slot knows of its replica, if it has any."""

        def whole(node: Node) -> bool:
            told = str(node.redis.execute_command("CLUSTER", "INFO"))
            role, *_, link = node.redis.role()[:4]
            return "cluster_state:ok" in told.replace("'", "").replace(": ", ":") and (
                role == "master" or link == "connected"
            )

        if not all(node.answers() and whole(node) for node in self.nodes):
            return False
        told = self.primary().redis.info("replication")
        return not self._replicas or told.get("slave0", {}).get("state") == "online"

    def fail_over(self, killed: bool = False) -> float:
        """Have the replica of our slot's node promoted, because the node is killed or because somebody wishes it.

        Returns when it was, by the monotonic clock. What was killed has been started again.
        """
        old = self.primary()
        new = self.replica_of(old)
        if killed:
            old.kill()
        else:
            new.redis.execute_command("CLUSTER", "FAILOVER")
        until(lambda: new.role() == "master", 20, "the promotion of the replica")
        promoted = time.monotonic()
        if killed:
            old.start()
        return promoted

    def id_of(self, node: Node) -> str:
        return str(node.redis.execute_command("CLUSTER", "MYID"))

    @property
    def broker_url(self) -> str:
        """For an application on the stock transport, which knows no cluster."""
        return f"redis://127.0.0.1:{self.primary().port}/0"

    def primary(self, slot: int = SLOT) -> Node:
        """The node that has a slot, as the nodes that answer see it."""
        for node in self.nodes:
            if node.answers():
                for line in _lines(node):
                    if _has(line, slot) and "fail" not in line.split()[2]:
                        port = int(line.split()[1].partition("@")[0].rpartition(":")[2])
                        return next(each for each in self.nodes if each.port == port)
        raise AssertionError("nobody has the slot")

    def replica_of(self, node: Node) -> Node:
        [line] = [each for each in _lines(node) if each.split()[3] == self.id_of(node)]
        port = int(line.split()[1].partition("@")[0].rpartition(":")[2])
        return next(each for each in self.nodes if each.port == port)

    def migrate(self, slot: int = SLOT) -> None:
        """Move a slot to another primary, a key at a time, as the tools for it do."""
        source = self.primary(slot)
        target = next(node for node in self.nodes if node is not source and node.role() == "master")
        target.redis.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(source))
        source.redis.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(target))
        while keys := source.redis.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10):
            source.redis.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *self.nodes):
            if node.role() == "master":
                node.redis.execute_command("CLUSTER", "SETSLOT", slot, "NODE", self.id_of(target))

    def close(self) -> None:
        for node in self.nodes:
            node.close()


class Guarded:
    """A single server, at which everybody but the test has the rights that `klaviyo check --acl` prints."""

    def __init__(self, binary: str, folder: Path) -> None:
        [port] = free_ports(1)
        self.url = f"redis://klaviyo:secret@127.0.0.1:{port}/0"
        self.broker_url, self.broker_options = f"redis://127.0.0.1:{port}/0", {}
        words = acl(parse(self.url)).replace("PASSWORD", "secret").split()
        self.node = Node(binary, folder, port, *DATA, "--user", *words[2:])

    def primary(self) -> Node:
        return self.node

    def ready(self) -> bool:
        return self.node.answers()

    def refused(self) -> set[str]:
        """What somebody has asked for without the right to."""
        return {f"{each['object']} ({each['reason']})" for each in self.node.redis.acl_log(1000)}

    def close(self) -> None:
        self.node.close()


class Several:
    """Such servers as `tests.live.system.Server` is one: what a test is given instead of it."""

    def __init__(self, nodes: Sentinels | Cluster | Guarded) -> None:
        self.nodes = nodes
        self.url, self.broker_url, self.broker_options = nodes.url, nodes.broker_url, nodes.broker_options
        self.redis = self.connect()
        self._stopped: Node | None = None
        self._signalled: Node | None = None

    @property
    def socket(self) -> Path:
        pytest.skip("This test is about a link to one server's socket; KLAVIYO_TEST_REDIS names several servers.")

    def connect(self) -> Any:
        kind = connection_class(parse(self.url)) or redis.Connection
        first = parse(self.url).url
        # What a test looks at, it looks at again while the servers change.
        how: dict[str, Any] = {
            "connection_class": kind,
            "parser_class": Parser,
            "retry": Retry(ConstantBackoff(0.1), 100),
        }
        return redis.Redis.from_url(first, decode_responses=True, **how)

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the primary; nobody takes its place."""
        self._stopped = self.nodes.primary()
        self._stopped.stop(how)

    def start_again(self) -> None:
        """Start what was stopped, and wait until it serves."""
        assert self._stopped
        self._stopped.start()
        self._stopped = None
        until(self.nodes.ready, 20, "servers that serve again")

    def signal(self, how: int) -> None:
        # One that is held cannot say who it is.
        if how != signal.SIGCONT or self._signalled is None:
            self._signalled = self.nodes.primary()
        self._signalled.signal(how)

    def answers(self) -> bool:
        return self._stopped is None

    def close(self) -> None:
        self.redis.close()
        refused = self.nodes.refused() if isinstance(self.nodes, Guarded) else set()
        self.nodes.close()
        assert not refused, f"these rights are missing: {refused}"


def several(kind: str, binary: str, folder: Path) -> Several:
    """The servers that ``KLAVIYO_TEST_REDIS`` asks for."""
    if kind == "acl":
        return Several(Guarded(binary, folder))
    return Several({"sentinel": Sentinels, "cluster": Cluster}[kind](binary, folder, down_after_ms=PATIENT_MS))


def _lines(node: Node) -> Sequence[str]:
    connection = node.redis.connection_pool.get_connection()
    try:
        connection.send_command("CLUSTER", "NODES")
        return str(connection.read_response()).splitlines()
    finally:
        node.redis.connection_pool.release(connection)


def _has(line: str, slot: int) -> bool:
    for part in line.split()[8:]:
        if not part.startswith("["):
            low, _, high = part.partition("-")
            if int(low) <= slot <= int(high or low):
                return True
    return False
