"""Processes that belong together: how they start, print and stop."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from dotenv import dotenv_values

from cli.terminal.signals import interruptible
from cli.up.command import announce, start_beat, start_worker
from cli.up.processes import LOOPBACK, ProcessEnded, Processes
from tests.celery_connections import application
from tests.cli.typed import run
from tests.ports import free_port
from worker.settings import RUNNING, Settings

PATIENT = "import signal, time; signal.signal(15, lambda *_: (print('bye'), exit(0))); print('up'); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(3600)"


def python(code):
    return [sys.executable, "-c", code]


def is_up(lines, *names):
    return lambda: all((name, "up") in lines for name in names)


def test_the_last_process_started_stops_first_and_every_line_has_its_name():
    lines = []
    with Processes({}, print_line=lambda name, line: lines.append((name, line))) as processes:
        processes.start("redis", python(PATIENT))
        processes.start("worker", python(PATIENT))
        processes.wait_for("both", is_up(lines, "redis", "worker"))
    assert lines[-2:] == [("worker", "bye"), ("redis", "bye")]


def test_each_redis_has_a_worker_and_a_beat_of_its_own():
    started = {}

    class Started:
        def start_celery(self, name, words, patience_s=0.0, **environment):
            started[name] = environment

    for redis in ("main", "eu"):
        start_worker(Started(), "worker", Settings(_env_file=None), redis=redis)
        start_beat(Started(), redis=redis)

    names = {name: environment["KLAVIYO_REDIS_NAME"] for name, environment in started.items()}
    assert names == {"worker": "main", "beat": "main", "worker-eu": "eu", "beat-eu": "eu"}


def test_a_process_that_ends_by_itself_stops_all_with_a_sentence():
    lines = []
    with Processes({}, print_line=lambda name, line: lines.append((name, line))) as processes:
        processes.start("flower", python("print('no port'); raise SystemExit(3)"))
        with pytest.raises(ProcessEnded, match="flower ended with exit code 3, so everything is stopped"):
            processes.watch()
    assert ("flower", "no port") in lines


def test_the_last_line_of_a_process_is_there_though_it_is_not_ended():
    lines = []
    with Processes({}, print_line=lambda name, line: lines.append(line)) as processes:
        processes.start("worker", python("print('no memory', end='')"))
        with pytest.raises(ProcessEnded):
            processes.watch()

    assert lines == ["no memory"]


def test_a_folder_that_cannot_be_made_is_one_sentence(settings):
    Path(".klaviyo").write_text("in the way")

    told = run("up", "--sandbox")

    assert told.exit_code == 1
    assert told.stderr.startswith(f"The folder {Path('.klaviyo').absolute()} cannot be used: ")


def test_a_process_that_is_not_ready_in_time_is_reported():
    with Processes({}) as processes, pytest.raises(ProcessEnded, match="Flower was not ready"):
        processes.wait_for("Flower", lambda: False, seconds=0.1)


def test_a_process_that_does_not_stop_is_killed():
    lines = []
    with Processes({}, print_line=lambda name, line: lines.append((name, line))) as processes:
        processes.start("worker", python(STUBBORN), patience_s=0.2)
        processes.wait_for("it", is_up(lines, "worker"))
    # If it were not killed, this would take longer than a test may.
    assert ("worker", "up") in lines


def test_with_a_folder_for_logs_each_process_writes_its_own_file(tmp_path):
    with Processes({"COLOUR": "red"}, logs=tmp_path) as processes:
        processes.start("beat", python("import os; print(os.environ['COLOUR'], os.environ['SIZE'])"), SIZE="s")
        processes.wait_for("the line", lambda: (tmp_path / "beat.log").read_text() == "red s\n")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_children_of_a_killed_parent_end_too():
    code = """
import sys, time
from cli.up.children import spawn
child = spawn([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True, env=environment) as parent:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 120
    while _is_alive(child) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _is_alive(child)


def _is_alive(pid):
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_long_command_takes_every_polite_signal_for_ctrl_c(number, request):
    if number == signal.SIGINT:  # a shell starts what it leaves in the background with this one ignored
        request.addfinalizer(partial(signal.signal, number, signal.signal(number, signal.default_int_handler)))
    before = signal.getsignal(number)

    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(number)

    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("command", "other_options", "option"),
    [
        (["up", "--sandbox"], ["--flower-port"], "--sandbox-port"),
        (["up", "--sandbox"], ["--sandbox-port"], "--flower-port"),
        (["sandbox"], [], "--port"),
    ],
)
def test_a_port_that_is_taken_is_reported_with_what_to_do_before_anything_is_started(
    settings, command, other_options, option
):
    free = [word for each in other_options for word in (each, str(free_port()))]
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = str(other.getsockname()[1])

        told = run(*command, *free, option, port)

    assert told.exit_code == 2
    [sentence] = told.stderr.splitlines()
    assert sentence.startswith(f"Cannot listen on port {port} of 127.0.0.1 (Address already in use)")
    assert sentence.endswith(f"choose another port with {option}.")


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_this_machines_is_said_to_be_that(settings, host):
    told = run("sandbox", "--host", host)

    assert told.exit_code == 2
    assert told.stderr.startswith(f"Cannot listen on port 8080 of {host} (")
    assert told.stderr.endswith("): this machine has no such address.\n")


def test_a_port_that_cannot_be_is_refused_in_a_sentence(settings):
    told = run("sandbox", "--port", "99999")

    assert (told.exit_code, told.stderr) == (2, "There is no port 99999: --port takes a number up to 65,535.\n")


def test_what_runs_is_written_as_a_setting_and_as_celery_spells_it(settings, client):
    url = f"unix://{client.connection_pool.connection_kwargs['path']}?db=0"
    RUNNING.parent.mkdir()
    client.set("here", "yes")

    with announce({"KLAVIYO_REDIS_URL": url}):
        assert dotenv_values(RUNNING) == {"KLAVIYO_REDIS_URL": url}
        [celery] = re.findall(r"^# (redis\S+)$", RUNNING.read_text("utf-8"), re.MULTILINE)

    with application("shop", celery, backend=celery) as shop:
        assert shop.backend.client.get("here") == b"yes"
        with shop.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1)
    assert not RUNNING.exists()
