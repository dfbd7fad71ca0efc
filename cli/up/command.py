"""`klaviyo up`: everything that a development machine or a single server needs, in one terminal."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli.sandbox import ACCOUNT, command
from cli.terminal.printing import EXIT_USAGE, say, stdout, stop
from cli.terminal.signals import interruptible
from cli.up.forked import forking
from cli.up.processes import LOOPBACK, Processes, require_free_port
from worker.redis.address import parse
from worker.redis.elsewhere import MAIN
from worker.settings import RUNNING, Settings, get_settings, misspelled_settings

FOLDER = Path(".klaviyo")

COLOURS = {"sandbox": "yellow", "beat": "magenta", "flower": "blue"}


def up(
    sandbox: Annotated[bool, typer.Option("--sandbox", help="with a local Klaviyo and its account")] = False,
    sandbox_port: Annotated[int, typer.Option(help="port of the sandbox")] = 8080,
    flower_port: Annotated[int, typer.Option(help="port of Flower, on this machine only")] = 5555,
    workers: Annotated[int, typer.Option(min=1, max=64, help="number of worker processes")] = 1,
) -> None:
    """Run worker, beat, Flower and, unless KLAVIYO_REDIS_URL is set, an embedded server, until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt), interruptible(), _alone():
        RUNNING.unlink(missing_ok=True)
        get_settings.cache_clear()
        settings = get_settings()
        if warning := misspelled_settings():
            say(warning, "yellow")
        require_free_port(flower_port, "--flower-port")
        extra: dict[str, str] = {}
        if sandbox:
            require_free_port(sandbox_port, "--sandbox-port")
            extra = {
                **ACCOUNT,
                "KLAVIYO_BASE_URL": f"http://{LOOPBACK}:{sandbox_port}",
                "KLAVIYO_STORE_URL": _fresh_store(),
            }
        else:
            _require_account(settings)
        # What follows imports and starts while the server does.
        with forking() as forks, _redis(settings, sandbox) as redis_url:
            environment = {"KLAVIYO_REDIS_URL": redis_url, **extra}
            with Processes(environment, _print_line, forks=forks) as processes, announce(environment):
                if sandbox:
                    processes.start("sandbox", command(sandbox_port))
                _prepare_store(extra.get("KLAVIYO_STORE_URL", settings.store_url))
                # Workers first: everybody waits for them, and each process needs a core to start.
                for redis in settings.redis_names:
                    for number in range(1, workers + 1):
                        start_worker(processes, f"worker-{number}" if workers > 1 else "worker", settings, redis=redis)
                for redis in settings.redis_names:
                    start_beat(processes, redis=redis)
                start_flower(processes, flower_port)
                say(f"Flower: http://{LOOPBACK}:{flower_port}    Ctrl-C stops everything.", "bold")
                processes.watch()


def start_worker(processes: Processes, name: str, settings: Settings, level: str = "info", redis: str = MAIN) -> None:
    """Start a worker for the Redis of this name; it may take as long to stop as its settings allow."""
    name = _at(name, redis)
    words = ["worker", "--hostname", f"{name}@%h", "--loglevel", level]
    processes.start_celery(name, words, patience_s=settings.shutdown_seconds + 15, KLAVIYO_REDIS_NAME=redis)


def start_beat(processes: Processes, level: str = "info", redis: str = MAIN) -> None:
    """Start beat, which keeps in the Redis of this name what ran when."""
    processes.start_celery(_at("beat", redis), ["beat", "--loglevel", level], KLAVIYO_REDIS_NAME=redis)


def _at(name: str, redis: str) -> str:
    return name if redis == MAIN else f"{name}-{redis}"


def start_flower(processes: Processes, port: int) -> None:
    """Start Flower, with an open API because only this machine can reach it."""
    words = ["flower", f"--address={LOOPBACK}", f"--port={port}", "--logging=warning"]
    processes.start_celery("flower", words, FLOWER_UNAUTHENTICATED_API="true")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Allow one `klaviyo up` per folder: two servers on the same files would destroy them."""
    try:
        FOLDER.mkdir(mode=0o700, exist_ok=True)  # customers' data is kept in it
        opened = (FOLDER / "lock").open("w")
    except OSError as error:
        raise stop(f"The folder {FOLDER.absolute()} cannot be used: {error.strerror}.") from None
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise stop(f"`klaviyo up` is already running in this folder ({FOLDER.absolute()}).", EXIT_USAGE) from None
        yield


@contextlib.contextmanager
def _redis(settings: Settings, sandbox: bool) -> Iterator[str]:
    from cli.up.embedded import find_server, server
    from worker.redis.connection import address

    if "redis_url" in settings.model_fields_set:
        say(f"Redis: {address()}, from KLAVIYO_REDIS_URL.", "dim")
        yield settings.redis_url
        return
    # Tasks that wait for the real Klaviyo must not be sent to a sandbox, nor the other way round.
    data = FOLDER / ("sandbox-redis" if sandbox else "redis")
    with server(data.absolute()) as url:
        say(f"Redis: embedded {find_server()[1]}, data in {data}.", "dim")
        yield url


def _prepare_store(url: str) -> None:
    from cli.store import describe_upgrade
    from schedules.store.migrate import upgrade

    say(describe_upgrade(upgrade(url)), "dim")


def _fresh_store() -> str:
    """Return the URL of an empty store for the sandbox, which starts empty too, apart from customers' rows."""
    file = FOLDER / "sandbox-store.db"
    for each in FOLDER.glob(f"{file.name}*"):  # including the files that SQLite keeps beside it
        each.unlink()
    return f"sqlite:///{file}"


@contextlib.contextmanager
def announce(environment: dict[str, str]) -> Iterator[None]:
    """Let other commands in this folder find what is running: the settings are read from this file too."""
    lines = "".join(f"{name}={value}\n" for name, value in environment.items())
    if (redis := parse(environment["KLAVIYO_REDIS_URL"])).path:
        lines += f"# For a Celery application of another code base, as its broker and backend:\n# {redis.broker_url}\n"
    RUNNING.write_text(lines, "utf-8")
    try:
        yield
    finally:
        RUNNING.unlink(missing_ok=True)


def _require_account(settings: Settings) -> None:
    from worker.accounts.lookup import NO_ACCOUNT, configured

    # With a secret key, accounts may be stored: Redis may not be up yet to ask.
    if not (configured(settings) or settings.secret_key):
        raise stop(f"{NO_ACCOUNT} Or try `klaviyo up --sandbox`.", EXIT_USAGE)


def _print_line(name: str, line: str) -> None:
    colour = COLOURS.get(name, "green")
    stdout(soft_wrap=True).print(Text.assemble((f"{name:<9}", colour), line))
