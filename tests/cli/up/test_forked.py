"""Worker, beat and Flower as `klaviyo up` starts them: forks, each as much a process of its own as any other."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from cli.up.forked import NoForks, forking
from cli.up.processes import ProcessEnded, Processes
from tests.live.system import until

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each of them starts by itself")

#: A program that evaluates its words, and prints what comes of each.
PROGRAM = """
import os, sys, time
from worker.app import app
for word in sys.argv[1:]:
    print(eval(word), flush=True)
"""


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """The variables with which the server starts: it finds the program, and has a colour."""
    folder = tmp_path_factory.mktemp("forks")
    (folder / "evaluate.py").write_text(PROGRAM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}:{folder}")
        patch.setenv("COLOUR", "red")
        yield


@pytest.fixture(scope="module")
def forks(surroundings):
    with forking() as server:
        yield server


@pytest.fixture
def evaluate(forks, tmp_path):
    """What the program prints of these words, in a fork with these variables."""

    def printed(*words, **environment):
        path = tmp_path / "printed"
        with path.open("wb") as output:
            process = forks.fork("evaluate", ["evaluate", *words], environment, output)
        assert process.wait() == 0, path.read_text()
        return path.read_text().splitlines()

    return printed


def test_a_fork_has_the_variables_of_the_server_and_those_that_it_is_given(evaluate):
    assert evaluate("os.environ['COLOUR']", "os.environ['SIZE']", SIZE="large") == ["red", "large"]


def test_a_fork_reads_its_settings_again(evaluate):
    for number in ("7", "8"):
        assert evaluate("app.conf.worker_concurrency", KLAVIYO_CONCURRENCY=number) == [number]


def test_a_fork_that_restarts_becomes_the_same_program(evaluate):
    words = ["sys.orig_argv[1:]", "sys.argv[1:]"]

    assert evaluate(*words) == [str(["-m", "evaluate", *words]), str(words)]


def test_a_fork_is_a_process_group_of_its_own_with_a_name(evaluate):
    assert evaluate("os.getpgid(0) == os.getpid()", "open('/proc/self/comm').read().strip()") == [
        "True",
        "celery evaluate",
    ]


def test_the_server_has_no_thread_whose_locks_a_fork_would_wait_for_and_no_connection(evaluate):
    [server] = evaluate("os.getppid()")

    assert psutil.Process(int(server)).num_threads() == 1
    assert not psutil.Process(int(server)).net_connections("inet")


def test_what_forks_print_and_how_they_end_is_seen_as_of_any_process(forks):
    lines = []
    with Processes({}, lambda name, line: lines.append((name, line)), forks=forks) as processes:
        # `celery` without a command that there is ends with an error of its usage.
        processes.start_celery("worker", ["no-such-command"])
        with pytest.raises(ProcessEnded, match="worker ended with exit code 2, so everything is stopped"):
            processes.watch()
    assert any(name == "worker" and "no-such-command" in line for name, line in lines)


def test_a_fork_that_is_killed_ends_with_the_signal(forks, tmp_path):
    with (tmp_path / "printed").open("wb") as output:
        process = forks.fork("evaluate", ["evaluate", "time.sleep(60)"], {}, output)
    assert process.poll() is None

    process.kill()

    assert process.wait() == -signal.SIGKILL


def test_whoever_asks_a_server_that_has_ended_learns_that(surroundings, tmp_path):
    with forking() as server, (tmp_path / "printed").open("wb") as output:
        process = server.fork("evaluate", ["evaluate", "time.sleep(60)"], {}, output)
        os.kill(psutil.Process(process.pid).ppid(), signal.SIGKILL)

        with pytest.raises(NoForks, match="has ended with exit code -9"):
            server.fork("evaluate", ["evaluate"], {}, output)
        assert process.poll() == -signal.SIGTERM
        until(lambda: _has_ended(process.pid), 10, "the end of the fork")


def test_forks_end_when_whoever_started_the_server_is_killed(surroundings):
    code = """
import sys, time
from cli.up.forked import forking
with forking() as server:
    print(server.fork("evaluate", ["evaluate", "time.sleep(600)"], {}, sys.stderr.buffer).pid, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        fork = psutil.Process(int(parent.stdout.readline()))
        parent.kill()

    try:
        until(lambda: _has_ended(fork.pid), 10, "the end of the fork")
    finally:
        with suppress(psutil.NoSuchProcess):
            fork.kill()  # if it has not ended, whoever reads what this test prints would wait for it


def _has_ended(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
