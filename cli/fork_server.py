"""A process that has imported what worker, beat and Flower need, and forks each of them.

Python takes a processor a good second to start and to import Celery, all tasks and Flower; a fork of a process that has
done so takes a tenth of that. A fork reads its settings and connects to Redis as any other program does: importing does
neither. `cli.forked` starts this process and tells it what to fork.
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

from cli.children import die_with

#: What a worker and beat import once they start, besides the tasks. Flower imports its pages by itself: workers need
#: not wait for them.
MODULES = (
    "celery.bin.celery", "celery.apps.worker", "celery.worker.autoscale", "celery.worker.components",
    "celery.worker.strategy", "schedules.beat", "worker.celery", "worker.process.bootstep", "worker.process.consumer",
    "worker.process.control", "worker.process.request", "worker.process.signals", "worker.process.strategy",
    "worker.process.threads", "worker.results", "worker.telemetry.event_dispatcher",
)  # fmt: skip

#: Most bytes of a request: its words and its variables.
MAX_REQUEST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Program:
    """What a fork becomes: ``python -m`` with these words and these variables, besides those that it has.

    ``name`` is a part of what `ps` and `top` call the process.
    """

    name: str
    words: list[str]
    environment: dict[str, str]


def import_all() -> None:
    """Import what the forks need, and make all tasks."""
    gc.disable()  # imports leave no garbage, and looking for it would take a fifth of the time
    for module in MODULES:
        import_module(module)
    from worker.app import app

    app.loader.import_default_modules()
    app.finalize()
    gc.freeze()  # so that forks, which look for garbage, leave these pages alone and share them


def serve(wire: socket.socket) -> Program | None:
    """Fork what is asked for, and tell how each fork ends.

    Returns in each fork, with what it is to run; and here, with None, once nobody asks any more.
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
        except OSError:  # whoever asked was killed
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
    """Return a file that can be read whenever a fork has ended."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # one that is ignored wakes nobody
    signal.set_wakeup_fd(wakes)
    return woken


def _reap() -> Iterator[tuple[int, int]]:
    """Yield the forks that have ended, with their exit codes."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found[0], os.waitstatus_to_exitcode(found[1])


def _prepare_fork(server: int, output: int) -> None:
    """Let a fork be as a process of its own that `cli.children` has spawned, writing to this file."""
    os.close(signal.set_wakeup_fd(-1))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    die_with(server)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output, stream.fileno())
    os.close(output)
    gc.enable()


def run(program: Program) -> None:
    """Be this program."""
    os.environ.update(program.environment)
    _name_process(program.name)
    _configure()
    # The second is what a worker becomes that begins anew.
    sys.argv, sys.orig_argv = program.words, [sys.executable, "-m", *program.words]
    runpy.run_module(program.words[0], run_name="__main__", alter_sys=True)


def _name_process(name: str) -> None:
    with contextlib.suppress(OSError):  # there is no /proc
        Path("/proc/self/comm").write_text(f"celery {name}", "utf-8")


def _configure() -> None:
    """Configure the application anew, as the environment says now."""
    from schedules.entries import beat_schedule
    from worker.app import app, configuration
    from worker.one_per_process import forget
    from worker.settings import get_settings

    forget()
    app.conf.update(configuration(), beat_schedule=beat_schedule(get_settings()))


def main() -> None:
    """Serve whoever has the other end of the socket whose number is the first argument."""
    with socket.socket(fileno=int(sys.argv[1])) as wire:
        import_all()
        program = serve(wire)
    if program:
        run(program)


if __name__ == "__main__":
    main()
