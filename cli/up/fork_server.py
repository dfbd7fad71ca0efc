"""A process that has imported what worker, beat and Flower need, and forks each of them.

Starting Python and importing Celery, all tasks and Flower takes more than a second of processor time; forking a process
that has done so takes a tenth of that. A fork reads its settings and connects to Redis like any other program, as
importing does neither. `cli.up.forked` starts this process and tells it what to fork.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from cli.up.children import die_with

#: What a worker and beat import when they start, besides the tasks. Flower's pages are not here, so that workers need
#: not wait for them: it imports them by itself.
MODULES = (
    "celery.bin.celery", "celery.apps.worker", "celery.worker.autoscale", "celery.worker.components",
    "celery.worker.strategy", "schedules.beat", "worker.celery", "worker.process.bootstep", "worker.process.consumer",
    "worker.process.control", "worker.process.request", "worker.process.signals", "worker.process.strategy",
    "worker.process.threads", "worker.results", "worker.telemetry.event_dispatcher",
)  # fmt: skip

#: The most bytes of a request: its words and variables.
MAX_REQUEST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Program:
    """What a fork becomes: ``python -m`` with these words, and with these variables besides those that it inherits.

    `ps` and `top` show ``name`` as a part of the process's name.
    """

    name: str
    words: list[str]
    environment: dict[str, str]


def import_all() -> None:
    """Import what the forks need, and register all tasks."""
    gc.disable()  # imports leave no garbage, and collecting it would take a fifth of the time
    for module in MODULES:
        import_module(module)
    from worker.app import app

    app.loader.import_default_modules()
    app.finalize()
    gc.freeze()  # so that collections in the forks do not touch these pages of memory, and all share them


def serve(wire: socket.socket) -> Program | None:
    """Fork what is asked for, and report how each fork ends.

    Return twice: in each fork, what it has to run; and in this process None, once nobody can ask any more.
    """
    ended = _wake_up_at_ends()
    while True:
        ready, _, _ = select.select([wire.fileno(), ended], [], [])
        try:
            if ended in ready:
                os.read(ended, 4096)
                for pid, code in _reap():
                    wire.send(json.dumps({"pid": pid, "code": code}).encode())
            if wire.fileno() not in ready:
                continue
            asked, outputs, _, _ = socket.recv_fds(wire, MAX_REQUEST_BYTES, 1)
        except OSError:  # the process that asks was killed
            return None
        if not asked:
            return None
        server = os.getpid()
        if not (pid := os.fork()):
            os.close(ended)
            _prepare_fork(server, outputs[0])
            return Program(**json.loads(asked))
        os.close(outputs[0])
        wire.send(json.dumps({"pid": pid}).encode())


def _wake_up_at_ends() -> int:
    """Return a file descriptor that becomes readable when a fork has ended."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # an ignored signal would wake nothing
    signal.set_wakeup_fd(wakes)
    return woken


def _reap() -> Iterator[tuple[int, int]]:
    """Yield the forks that have ended, with their exit codes."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found[0], os.waitstatus_to_exitcode(found[1])


def _prepare_fork(server: int, output: int) -> None:
    """Make a fork like a process that `cli.up.children` has spawned, writing to this file."""
    os.close(signal.set_wakeup_fd(-1))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    die_with(server)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output, stream.fileno())
    os.close(output)
    gc.enable()


def run(program: Program) -> None:
    """Become this program."""
    os.environ.update(program.environment)
    _name_process(program.name)
    _configure()
    # A worker that restarts itself executes `orig_argv`.
    sys.argv, sys.orig_argv = program.words, [sys.executable, "-m", *program.words]
    runpy.run_module(program.words[0], run_name="__main__", alter_sys=True)


def _name_process(name: str) -> None:
    with contextlib.suppress(OSError):  # there is no /proc
        Path("/proc/self/comm").write_text(f"celery {name}", "utf-8")


def _configure() -> None:
    """Configure the application again, from the environment of this fork."""
    from schedules.entries import beat_schedule
    from worker.app import app, configuration
    from worker.one_per_process import forget
    from worker.settings import get_settings

    forget()
    app.conf.update(configuration(), beat_schedule=beat_schedule(get_settings()))


def main() -> None:
    """Serve whoever has the other end of the socket; its descriptor is the first argument."""
    with socket.socket(fileno=int(sys.argv[1])) as wire:
        import_all()
        program = serve(wire)
    if program:
        run(program)


if __name__ == "__main__":
    main()
