"""The commands of compose's profile ``failover``, run by hand: a primary, a replica and three Sentinels."""

from __future__ import annotations

import re
import subprocess
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from tasks.profiles import create_profile
from tests.live.nodes import Sentinels
from tests.live.publishing_to import publishing_to
from tests.live.system import ROOT, end, until
from tests.ports import free_ports
from worker.redis.address import parse
from worker.redis.connection import client_of

COMPOSE = (ROOT / "docker-compose.yml").read_text("utf-8")


def command(name: str, indent: str = "  ") -> str:
    """The command of a service, in one line or in a block."""
    found = re.search(rf"^{indent}{name}:.*\n((?:{indent} +.*\n|\n)+)", COMPOSE, re.MULTILINE)
    assert found, name
    text = textwrap.dedent(found[1])
    block = re.search(r"^command:\n  - \|\n((?:    .*\n)+)", text, re.MULTILINE)
    return textwrap.dedent(block[1]) if block else re.search(r"^command: (.*)$", text, re.MULTILINE)[1]


class Composed(Sentinels):
    """The services, each as its command says, but at ports of this machine."""

    def __init__(self, binary: str, folder: Path) -> None:
        first, second, *asked = free_ports(5)
        tools = folder / "bin"
        tools.mkdir(parents=True)
        (tools / "redis-server").symlink_to(binary)
        self._processes = []

        def run(name: str, line: str, port: int) -> None:
            own = folder / name
            own.mkdir()
            words = line.replace("redis 6379", f"127.0.0.1 {first}").replace("/data", str(own))
            words = re.sub(r"^(exec )?redis-server", f"exec {tools}/redis-server", words, flags=re.MULTILINE).strip()
            words += f" --port {port} --dir {own}"
            with (own / "log").open("wb") as log:
                self._processes.append(subprocess.Popen(["sh", "-c", words], stdout=log, stderr=log))
            client = client_of(parse(f"redis://127.0.0.1:{port}/0"))
            until(lambda: _answers(client), 10, lambda: (own / "log").read_text())
            client.close()

        run("redis", command("redis"), first)
        run("replica", command("replica"), second)
        for number, port in enumerate(asked, start=1):
            assert re.search(rf"^  sentinel-{number}: \*sentinel$", COMPOSE, re.MULTILINE)
            run(f"sentinel-{number}", command("x-sentinel", ""), port)
        told = re.search(r"KLAVIYO_REDIS_URL=(sentinel://\S+) KLAVIYO_REDIS_REPLICAS=1", COMPOSE)[1]
        for number, port in enumerate(asked, start=1):
            told = told.replace(f"sentinel-{number}:26379", f"127.0.0.1:{port}")
        self.url = told
        self.broker_url, self.broker_options = told, {}
        self.ports = first, second

    def kill_primary(self) -> None:
        self._processes[0].kill()
        self._processes[0].wait(10)

    def close(self) -> None:
        for process in self._processes:
            end(process)


def in_step(told) -> bool:
    return told.get("slave0", {}).get("state") == "online"


def _answers(client) -> bool:
    try:
        return bool(client.ping())
    except Exception:
        return False


def _is_primary(client) -> bool:
    # A Sentinel cuts every connection to the server that it promotes.
    with suppress(redis.ConnectionError):
        return client.role()[0] == b"master"
    return False


@pytest.mark.usefixtures("no_process_is_left")
def test_the_profiles_commands_make_a_redis_that_fails_over(server_binary, live_sandbox, tmp_path):
    composed = Composed(server_binary, tmp_path / "composed")
    live_sandbox.reset()
    try:
        with publishing_to(composed, live_sandbox, tmp_path, REDIS_REPLICAS=1) as system:
            until(lambda: in_step(system.redis.info("replication")), 20, "a replica in step")
            system.worker(REDIS_REPLICAS=1).ready()
            assert create_profile.delay(email="ada@example.com").get(timeout=120)["successful"]
            sentinel = client_of(parse(composed.url.replace("sentinel://", "redis://").split(",")[0] + "/0"))
            until(
                lambda: (
                    sentinel.sentinel_master("klaviyo")["num-other-sentinels"] == 2
                    and sentinel.sentinel_master("klaviyo")["num-slaves"] == 1
                ),
                30,
                "Sentinels that know of each other and of the replica",
            )
            sentinel.close()

            composed.kill_primary()

            with client_of(parse(f"redis://127.0.0.1:{composed.ports[1]}/0")) as replica:
                until(lambda: _is_primary(replica), 30, "the promotion of the replica")
            # Whoever asks for a replica is told that there is none any more; what needs none goes on.
            until(lambda: system.redis.get("klaviyo:history"), 20, "a worker at the new primary")
    finally:
        composed.close()
