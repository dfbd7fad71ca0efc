"""Redis is away for two seconds: beat, Flower and an import go on by themselves, as the workers do."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tasks.profiles import create_profile
from tests.live import command_line
from tests.live.fetch import get
from tests.live.forked import Forked
from tests.live.link import Link
from tests.live.system import ROOT, end, last, over, until
from tests.live.test_import_commands import write
from tests.ports import free_port

#: Seconds for which Redis is away; seconds in which each process has to do its work again.
LASTS, BACK = 2.0, 10.0


def full(system, link):
    system.redis.config_set("maxmemory", 1)
    return lambda: system.redis.config_set("maxmemory", 0)


def read_only(system, link):
    system.redis.replicaof("127.0.0.1", 1)
    return lambda: system.redis.replicaof("NO", "ONE")


def refused(system, link):
    link.refuse()
    return link.mend


def half_open(system, link):
    link.fall_silent()
    return link.mend


CONDITIONS = (full, read_only, refused, half_open)


#: What a command says while Redis is away.
WAITS = "Waiting for Redis for 60 s at most"


@pytest.fixture
def link(live_server):
    made = Link(Path(live_server.socket))
    yield made
    made.close()


@pytest.fixture
def start(system, link):
    """Starts a process that reaches Redis through the link; its log is a file with its name."""
    processes = []

    def start(name, command, **more):
        environment = {**system.environment(REDIS_URL=link.url), "PYTHONPATH": f"{ROOT}/tests/live"}
        process = Forked(command, {**environment, **more}, system.folder / f"{name}.log")
        processes.append(process)
        return process

    yield start
    for process in processes:
        end(process, seconds=20)


def said(system, name):
    return (system.folder / f"{name}.log").read_text()


def heard(system):
    return last("\n".join(line for line in said(system, "flower").splitlines() if " 404 " not in line))


def test_beat_flower_and_an_import_go_on_and_ctrl_c_ends_an_import_that_waits_for_redis(system, link, start):
    system.sandbox.limits(off=True)
    system.sandbox.jobs(seconds=60, times=None)
    write(system.folder / "people.csv", 300)
    numbers = itertools.count()
    port, celery = free_port(), ["celery", "--quiet", "-A"]
    system.worker(REDIS_URL=link.url)
    beat = start("beat", [*celery, "beat_app", "beat", "-l", "info"], TEST_ENTRIES="often=1")
    flower = start(
        "flower",
        [*celery, "worker", "flower", f"--port={port}", "--address=127.0.0.1"],
        FLOWER_UNAUTHENTICATED_API="true",
    )
    words = ["import", "profiles", str(system.folder / "people.csv"), "--map", "E-Mail=email", "--json"]
    importing = [start(run, [command_line.__name__, *words, "--run", run]) for run in ("one", "two")]
    system.workers[0].ready()
    until(lambda: all(system.redis.exists(f"klaviyo:run:{run}:parts") for run in ("one", "two")), 30, "both imports")

    def published():
        """How many runs beat has published."""
        return said(system, "beat").count("Sending due task")

    def shown():
        """Whether Flower hears what goes on now; what went on while it could not hear it has missed."""
        task = create_profile.delay(email=f"{next(numbers)}@example.com")
        system.end_of(task.id)
        try:
            answer = get(f"http://127.0.0.1:{port}/api/task/info/{task.id}")
        except httpx.TransportError:
            return False  # it is just starting
        return answer.status_code == 200

    def all_work(moment):
        before = published()
        until(lambda: published() > before + 1, BACK, lambda: f"beat, {moment}: {last(said(system, 'beat'))}")
        until(shown, BACK, lambda: f"Flower, {moment}: {heard(system)}")

    all_work("first")
    for condition in CONDITIONS:
        mend = condition(system, link)
        time.sleep(LASTS)
        if condition is refused:
            importing[1].send_signal(signal.SIGINT)
            assert over(importing[1], 5) == 130
            assert "Run two was interrupted; what is queued is still sent." in said(system, "two")
            until(lambda: WAITS in said(system, "one"), 20, lambda: last(said(system, "one")))
        mend()
        all_work(condition.__name__)

    assert "cannot be run" not in said(system, "beat")
    assert importing[0].poll() is None
    assert beat.poll() is None
    assert flower.poll() is None
    importing[0].send_signal(signal.SIGINT)
    assert over(importing[0], 5) == 130
    assert "Traceback" not in said(system, "one")

    link.refuse()
    until(lambda: said(system, "flower").count("Events cannot be heard") >= 2, 20, lambda: heard(system))
    for process in (beat, flower):
        process.terminate()
    assert [over(process, 8) for process in (beat, flower)] == [0, 0]


def children_of(pid):
    """The processes of `klaviyo up`, once there are Redis, a sandbox, a worker, beat and Flower."""
    found = psutil.Process(pid).children(recursive=True)
    return found if len(found) >= 5 else None


def test_a_closed_terminal_ends_everything_that_up_has_started_and_ctrl_c_ends_a_sandbox(system, tmp_path):
    klaviyo = [sys.executable, "-c", "from cli import main; main()"]
    ports = ["--sandbox-port", str(free_port()), "--flower-port", str(free_port())]
    sandbox = [sys.executable, "-m", "sandbox", "--port", "0"]
    kept = {name: value for name, value in system.environment().items() if not name.startswith("KLAVIYO_")}
    environment = {**kept, "PYTHONPATH": str(ROOT)}
    with (tmp_path / "up.log").open("wb") as log, (tmp_path / "sandbox.log").open("wb") as other:
        up = subprocess.Popen(
            [*klaviyo, "up", "--sandbox", *ports],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=log,
        )
        alone = subprocess.Popen(sandbox, cwd=tmp_path, env=environment, stdout=other, stderr=other)
    log = tmp_path / "up.log"
    try:
        until(
            lambda: " ready." in log.read_text() and "sandbox:" in (tmp_path / "sandbox.log").read_text(),
            40,
            lambda: last(log.read_text()),
        )
        children = until(lambda: children_of(up.pid), 20, lambda: f"all that it starts\n{last(log.read_text())}")
    finally:
        ends = [end(up, signal.SIGHUP, 30), end(alone, signal.SIGINT)]

    assert ends == [0, 0]
    assert not any(child.is_running() for child in children)
    assert "Traceback" not in log.read_text() + (tmp_path / "sandbox.log").read_text()
