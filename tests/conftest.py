"""What every test may lean on."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import fakeredis
import hypothesis
import pytest
import redis
from hypothesis import HealthCheck
from sqlalchemy.engine import make_url

from cli.up.embedded import find_server, server
from schedules.store import connection
from schedules.store.engine import open_engine
from schedules.store.migrate import upgrade
from tests import postgres_server
from tests.clock import Clock
from tests.leftovers import nothing_is_left, own_logging, pytest_collection_finish  # noqa: F401  fixtures, a hook
from tests.live import forked
from tests.live.nodes import DATA, Node
from tests.ports import free_ports
from tests.run_folder import make_run_folder, run_folder
from tests.summary import in_short, left_out
from tests.two_redis import divided
from worker.errors import SettingsError
from worker.one_per_process import forget
from worker.process.state import acknowledged_by_redis
from worker.settings import get_settings

#: When this process began to test.
BEGAN = time.monotonic()

# How long examples take says how busy the machine is, and nothing of the code. What a fixture gives is for all of them:
# each begins where the last one has ended, and none may depend on that.
hypothesis.settings.register_profile(
    "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
hypothesis.settings.load_profile("tests")


def missing(service: str) -> NoReturn:
    """Skip a test that needs a service which is not here; in continuous integration, fail it."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{service} (CI is set, so this is no reason to skip)", pytrace=False)
    pytest.skip(service)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits comes first, the longest of it before the rest: what only computes fills the time at the end.

    The longest files come before others, so that no process has much to do when the others have ended.
    """
    sizes = {path: path.stat().st_size for path in {item.path for item in items}}
    items.sort(key=lambda item: ("live" not in item.keywords, "soak" not in item.keywords, -sizes[item.path]))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Iterator[None]:
    """Say in a line what was left out, and how to have it; of a run of everything, what it comes to."""
    yield
    ended = {how: terminalreporter.stats.get(how, ()) for how in ("passed", "failed", "error", "skipped")}
    for line in left_out((report.fspath, str(report.longrepr[2])) for report in ended["skipped"]):
        terminalreporter.write_line(line)
    if config.getoption("dist", "no") != "no":
        failed = len(ended["failed"]) + len(ended["error"])
        seconds = time.monotonic() - BEGAN
        terminalreporter.write_line(in_short(len(ended["passed"]), failed, len(ended["skipped"]), seconds))


@pytest.fixture(scope="session")
def server_binary() -> str:
    """The Redis or Valkey server that runs here."""
    try:
        return find_server()[0]
    except SettingsError as error:
        missing(f"This test needs a real server: {error}")


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of this test run, which those that pytest-xdist starts find by the environment."""
    if not hasattr(config, "workerinput"):
        make_run_folder()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the processes of this test run have shared."""
    forked.hang_up()
    if not hasattr(config, "workerinput"):
        folder = run_folder()
        postgres_server.stop(folder)
        forked.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> str:
    """The address of a PostgreSQL server's databases, with a place for the name of one."""
    try:
        return postgres_server.started()
    except postgres_server.NoServer as error:
        missing(f"This test needs a PostgreSQL server: {error}")


#: Makes a database, with what is in the one at the address if there is one, and returns its address.
NewDatabase = Callable[[str | None], str]


@pytest.fixture(scope="session")
def new_postgres(postgres: str) -> Iterator[NewDatabase]:
    """Databases of one PostgreSQL server."""
    server = open_engine(postgres.format("postgres")).execution_options(isolation_level="AUTOCOMMIT")

    def make(like: str | None) -> str:
        name = f"store_{uuid4().hex}"
        with server.connect() as connection:
            template = make_url(like).database if like else "template1"
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return postgres.format(name)

    yield make
    server.dispose()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    """Databases of either kind."""
    if request.param == "postgresql":
        made: NewDatabase = request.getfixturevalue("new_postgres")
        return made
    folder = tmp_path_factory.mktemp("stores")
    return lambda like: _new_file(folder / f"{uuid4()}.db", like)


def _new_file(path: Path, like: str | None) -> str:
    if like:
        shutil.copy(str(make_url(like).database), path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def upgraded_url(new_database: NewDatabase) -> str:
    """The address of a store of this version, for others to be made like it."""
    url = new_database(None)
    upgrade(url)
    return url


@pytest.fixture(autouse=True)
def _no_store_is_left_open() -> Iterator[None]:
    """The store of this process is opened once, by whatever the settings say then: the next test has another."""
    yield
    connection.close()


@pytest.fixture(autouse=True)
def _no_width_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What commands print into a pipe is as wide as COLUMNS says, which whoever starts the tests may have set."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def clean_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting from outside: the live tests of the same process leave theirs in the environment until the end."""
    for name in [name for name in os.environ if name.startswith("KLAVIYO_")]:
        monkeypatch.delenv(name)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(clean_settings, monkeypatch, tmp_path):
    """An account of its own, and no file of settings from where the tests happen to run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_secret")
    monkeypatch.setenv("KLAVIYO_COMPANY_ID", "ABC123")
    monkeypatch.setenv("KLAVIYO_REDIS_URL", "redis://:hidden@127.0.0.1:1/0")
    forget()
    yield monkeypatch
    forget()


@pytest.fixture
def fake_redis(monkeypatch):
    """A Redis of this test's own in place of the configured one."""
    fake = fakeredis.FakeRedis(server_type="valkey", version=(8,))
    told = {"redis_version": "7.2.4", "valkey_version": "9.1.2", "maxmemory_policy": "noeviction", "aof_enabled": 1}
    monkeypatch.setattr(fake, "info", lambda: dict(told, tcp_port=0), raising=False)
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: fake)
    yield fake
    forget()


@pytest.fixture
def store(new_database: NewDatabase, upgraded_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A store of this test's own as that of the process, on either kind of database; the value is its address."""
    url = new_database(upgraded_url)
    monkeypatch.setenv("KLAVIYO_STORE_URL", url)
    get_settings.cache_clear()
    yield url
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory):
    """A real server for the scripts."""
    with server(tmp_path_factory.mktemp("valkey")) as url:
        client = redis.Redis.from_url(url, socket_timeout=60)
        yield client
        client.close()


@pytest.fixture
def client(valkey):
    """The real server, emptied."""
    valkey.flushall()
    return valkey


@pytest.fixture
def real_redis(client, monkeypatch):
    """The real server in place of the configured one, for results too."""
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    monkeypatch.setattr("worker.results.Backend.client", client)
    forget()
    yield client
    acknowledged_by_redis.clear()
    forget()


@pytest.fixture(scope="module")
def two_servers(server_binary, tmp_path_factory):
    """Two real servers on ports."""
    folder = tmp_path_factory.mktemp("two")
    made = [Node(server_binary, folder / str(port), port, *DATA) for port in free_ports(2)]
    yield made
    for node in made:
        node.close()


@pytest.fixture
def two_redis(two_servers, settings):
    """The Redis of this process and another one, among which its accounts are divided."""
    with divided(two_servers, settings):
        yield two_servers
