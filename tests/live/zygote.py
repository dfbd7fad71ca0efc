"""The process that forks the programs of the live tests (tests.live.forked): it has imported what they need."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

from schedules.entries import beat_schedule
from worker.app import app, configuration
from worker.one_per_process import forget
from worker.settings import get_settings

#: What a worker, a beat and a command load once they start, besides the tasks.
LOADED = (
    "celery.bin.celery", "celery.apps.worker", "celery.worker.autoscale", "celery.worker.components",
    "celery.worker.strategy", "billiard.pool", "schedules.beat", "worker.process.bootstep", "worker.canvas",
    "worker.celery", "worker.process.consumer", "worker.process.control", "worker.telemetry.event_dispatcher",
    "worker.process.request", "worker.process.signals", "worker.process.strategy", "worker.process.sweep",
    "tasks.collect", "tasks.jobs.begin", "tasks.jobs.kinds", "tasks.jobs.outcome", "tasks.jobs.settle",
    "tasks.jobs.spawn", "tasks.jobs.watch", "cli.commands",
)  # fmt: skip


def _serve(wire: socket.socket) -> dict[str, Any] | None:
    """Fork whatever is asked for. Returns what to run in each fork, and None here once nobody asks any more.

    Then what still runs is ended: the tests that have started it were broken off.
    """
    woken, wakes = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the tests, and they end this
    signal.signal(signal.SIGCHLD, lambda *_: None)  # what is ignored wakes nobody
    signal.set_wakeup_fd(wakes)
    rest, running = b"", set[int]()
    while True:
        ready = select.select([wire, woken], [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
            for pid, code in _over():
                running.discard(pid)
                wire.sendall(_line({"pid": pid, "code": code}))
        if wire not in ready:
            continue
        if not (data := wire.recv(65_536)):
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            return None
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if not (pid := os.fork()):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.close(woken)
                os.close(wakes)
                wire.close()
                return dict(json.loads(line))
            running.add(pid)
            wire.sendall(_line({"pid": pid}))


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said).encode() + b"\n"


def _over() -> Iterator[tuple[int, int]]:
    """The forks that have ended, and their exit codes."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found[0], os.waitstatus_to_exitcode(found[1])


def _run(args: list[str], env: dict[str, str], outputs: list[str], folder: str) -> None:
    """Be `python -m` with these arguments."""
    os.environ.clear()
    os.environ.update(env)
    sys.path[1:1] = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    for number, path in enumerate(outputs, start=1):
        output = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(output, number)
        os.close(output)
    os.chdir(folder)
    _configure()
    sys.argv, sys.orig_argv = args, [sys.executable, "-m", *args]
    runpy.run_module(args[0], run_name="__main__", alter_sys=True)


def _configure() -> None:
    """Configure the application as its environment says: whoever registers a task has done so before, elsewhere."""
    forget()
    app.conf.update(configuration(), beat_schedule=beat_schedule(get_settings()))


if __name__ == "__main__":
    for each in LOADED:
        importlib.import_module(each)
    app.loader.import_default_modules()
    app.finalize()
    gc.freeze()  # what is there already is not looked through, so that its memory stays shared
    with socket.socket(fileno=int(sys.argv[1])) as _wire:
        _asked = _serve(_wire)
    if _asked:
        _run(**_asked)
