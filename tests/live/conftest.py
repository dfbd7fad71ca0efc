"""Live tests: a real server, a real sandbox, real workers. Everything is bounded in time and ended by its id."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from tests.celery_connections import application, connected_to
from tests.live import forked
from tests.live.copies import Copy
from tests.live.flower import OPEN, running_flower
from tests.live.nodes import several
from tests.live.system import COMPANIES, Sandbox, Server, System, seen, until
from worker import http_client as client
from worker.app import app
from worker.one_per_process import forget
from worker.settings import get_settings

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Once for each file: there are thousands of tests, and each process of a run has a look at all.
    live = {path for path in {item.path for item in items} if HERE in path.parents}
    for item in items:
        if item.path in live:
            item.add_marker(pytest.mark.live)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows where tasks are and what workers have said last, whatever it has failed at."""
    report = yield
    if report.failed and (told := seen(but_for=report.longreprtext)):
        report.sections.append(("Seen", "\n".join(told)))
    return report


@pytest.fixture
def store(tmp_path):
    """A store of this test's own, for the worker that is told of it."""
    made = Copy(f"sqlite:///{tmp_path}/store.db")
    yield made
    made.close()


def _children() -> dict[int, str]:
    """Our processes, and what they run."""
    found = {}
    for child in psutil.Process().children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE:
                found[child.pid] = " ".join(child.cmdline())
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture(scope="session")
def no_process_is_left():
    """The last fixture to end: whatever was started must be gone."""
    before = _children()
    yield
    left = {pid: command for pid, command in _children().items() if pid not in before}
    assert not left, f"left running: {left}"
    assert not forked.running(), f"left running: {forked.running()}"


@pytest.fixture(scope="session")
def live_server(no_process_is_left, server_binary, tmp_path_factory):
    if kind := os.environ.get("KLAVIYO_TEST_REDIS"):
        nodes = several(kind, server_binary, tmp_path_factory.mktemp("nodes"))
        yield nodes
        nodes.close()
        return
    # A socket's path must be short, and the folder of a test is not.
    folder = Path(tempfile.mkdtemp(prefix="klaviyo-"))
    server = Server(server_binary, tmp_path_factory.mktemp("server"), folder / "redis.sock")
    yield server
    server.close()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def live_sandbox(no_process_is_left, tmp_path_factory):
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox") / "log")
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="session")
def publisher(live_server, live_sandbox, tmp_path_factory):
    """The test as application code: its actions are published to the live server."""
    system = System(live_server, live_sandbox, tmp_path_factory.mktemp("publisher"))
    patch = pytest.MonkeyPatch()
    for name, value in system.environment().items():
        if name.startswith("KLAVIYO_"):
            patch.setenv(name, value)
    forget()
    address = get_settings().redis
    with connected_to(address.broker_url, address.result_url):
        yield
    if opened := vars(client._clients).pop("client", None):
        opened.close()
    forget()
    patch.undo()


@pytest.fixture(scope="module")
def foreign(live_server):
    """Another application, on the stock transport, that knows nothing of us but the names of tasks and queues.

    Each file has its own: kombu's pools are the process's, and a file that moves our application closes all of them.
    """
    options = {"broker_transport_options": live_server.broker_options}
    with application("shop", live_server.broker_url, changes=options) as shop:
        yield shop


def _fresh(server: Server, sandbox: Sandbox) -> None:
    server.redis.flushall()
    server.redis.hset("klaviyo:companies", mapping=COMPANIES)
    sandbox.reset()


@pytest.fixture
def system(publisher, live_server, live_sandbox, tmp_path):
    """An empty server and an untouched sandbox, with no worker yet; what a test starts ends with it."""
    _fresh(live_server, live_sandbox)
    system = System(live_server, live_sandbox, tmp_path)
    yield system
    live_sandbox.clear_faults()
    live_sandbox.clear_jobs()
    system.stop_workers()


@pytest.fixture(scope="module")
def shared(request, publisher, live_server, live_sandbox, tmp_path_factory):
    """One worker for all tests of a file, which makes three attempts unless ``WORKER`` says more."""
    _fresh(live_server, live_sandbox)
    system = System(live_server, live_sandbox, tmp_path_factory.mktemp("shared"))
    system.worker(**{"MAX_ATTEMPTS": 3, **getattr(request.module, "WORKER", {})}).ready()
    yield system
    live_sandbox.clear_faults()
    live_sandbox.clear_jobs()
    system.stop_workers()


@pytest.fixture
def events(publisher):
    """Every task event that is sent while a test runs."""
    caught: list[dict[str, object]] = []

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": caught.append})

        def listen() -> None:
            # Without an end: one that is begun again lacks what was sent meanwhile.
            for _ in receiver.consume(limit=None, safety_interval=0.2, wakeup=False):
                pass

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            # What is sent before the thread has subscribed is heard by nobody.
            with app.connection_for_write() as own, app.events.Dispatcher(own) as dispatcher:
                until(lambda: dispatcher.send("test-heard") or caught, 10, "an event of the test's own")
            yield caught
        finally:
            receiver.should_stop = True
            thread.join(10)


@pytest.fixture
def flower(request, system):
    """Flower with the settings that a file calls ``FLOWER``; the value is its address."""
    settings = system.environment(**getattr(request.module, "FLOWER", {}))
    with running_flower({**settings, **OPEN}, system.folder / "flower.log") as url:
        yield url


@pytest.fixture(scope="module")
def pair(publisher, live_server, live_sandbox, tmp_path_factory):
    """Two workers for all tests of a file."""
    _fresh(live_server, live_sandbox)
    system = System(live_server, live_sandbox, tmp_path_factory.mktemp("pair"))
    for worker in (system.worker(), system.worker()):
        worker.ready()
    yield system
    system.stop_workers()


@pytest.fixture
def two_workers(pair):
    """The two workers with no task, no window and no fault of the test before."""
    pair.forget()
    yield pair
    assert all(worker.process.poll() is None for worker in pair.workers), "a worker of the two has died"


@pytest.fixture
def idle(shared):
    """The shared worker with no task, no window and no fault of the test before."""
    shared.forget()
    yield shared
    assert shared.workers[0].process.poll() is None, "the shared worker has died"


@pytest.fixture(scope="module")
def copying(publisher, live_server, live_sandbox, tmp_path_factory):
    """One worker for all tests of a file that copy streams, and the store that it knows."""
    _fresh(live_server, live_sandbox)
    system = System(live_server, live_sandbox, tmp_path_factory.mktemp("copying"))
    copy = Copy(f"sqlite:///{system.folder}/store.db")
    system.worker(STORE_URL=copy.url, CONCURRENCY=16).ready()
    yield system, copy
    live_sandbox.limits(off=False)
    system.stop_workers()
    copy.close()


@pytest.fixture
def syncing(copying):
    """The worker that copies streams, nothing in its store, and a Klaviyo without limits."""
    system, copy = copying
    system.forget()
    copy.empty()
    system.sandbox.limits(off=True)
    yield system
    system.sandbox.clear_faults()
    system.sandbox.clear_traps()


@pytest.fixture
def copied(copying, syncing):
    """The store into which streams are copied."""
    return copying[1]
