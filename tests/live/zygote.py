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
import types
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from schedules.entries import beat_schedule
from worker.app import app, configuration
from worker.one_per_process import forget
from worker.settings import get_settings

#: What a worker, a beat, a command and a sandbox load once they start, besides the tasks.
LOADED = (
    "celery.bin.celery", "celery.apps.worker", "celery.worker.autoscale", "celery.worker.components",
    "celery.worker.strategy", "billiard.pool", "schedules.beat", "worker.process.bootstep", "worker.canvas",
    "worker.celery", "worker.process.consumer", "worker.process.control", "worker.telemetry.event_dispatcher",
    "worker.process.request", "worker.process.signals", "worker.process.strategy", "worker.process.sweep",
    "tasks.collect", "tasks.jobs.begin", "tasks.jobs.kinds", "tasks.jobs.outcome", "tasks.jobs.settle",
    "tasks.jobs.spawn", "tasks.jobs.watch", "cli.commands", "sandbox.app", "sandbox.front.connection",
    "uvicorn.lifespan.on", "uvicorn.loops.auto", "schedules.store.migrate",
)  # fmt: skip

#: Seconds without anybody after which it ends: those who have asked were killed, all of them.
ALONE_S = 60.0


@dataclass(eq=False)
class Asker:
    """A process that runs tests: its connection, what it has said of its next question, and its programs that run."""

    wire: socket.socket
    rest: bytes = b""
    running: set[int] = field(default_factory=set)
    gone: bool = False

    def questions(self) -> list[dict[str, Any] | None]:
        """What it has asked for meanwhile: programs, or None to end them all."""
        with contextlib.suppress(ConnectionResetError):
            data = self.wire.recv(65_536)
            *lines, self.rest = (self.rest + data).split(b"\n")
            self.gone = not data
            return [json.loads(line) for line in lines]
        self.gone = True
        return []

    def say(self, **what: int) -> None:
        """Answer. Whoever has gone is noticed by the next look at its connection."""
        with contextlib.suppress(OSError):
            self.wire.sendall(json.dumps(what).encode() + b"\n")

    def kill_all(self) -> None:
        """End what still runs: the tests that have started it were broken off."""
        for pid in self.running:
            os.kill(pid, signal.SIGKILL)


def _serve(door: socket.socket) -> dict[str, Any] | None:
    """Fork whatever is asked for. Returns what to run in each fork, and None here once it is told to end."""
    woken = _wake_as_forks_end()
    askers: dict[socket.socket, Asker] = {}
    while ready := select.select([door, woken, *askers], [], [], None if askers else ALONE_S)[0]:
        if woken in ready:
            woken.recv(4096)
            _tell_ends(askers.values())
        if door in ready:
            wire = door.accept()[0]
            askers[wire] = Asker(wire)
        for asker in [askers[each] for each in ready if each in askers]:
            for question in asker.questions():
                if question is None:
                    for each in askers.values():
                        each.kill_all()
                    return None
                if not (pid := os.fork()):
                    os.close(signal.set_wakeup_fd(-1))
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    signal.signal(signal.SIGINT, signal.default_int_handler)
                    for wire in (woken, *askers):
                        wire.close()
                    return question
                asker.running.add(pid)
                asker.say(pid=pid)
            if asker.gone:
                asker.kill_all()
                asker.wire.close()
                del askers[asker.wire]
    return None


def _wake_as_forks_end() -> socket.socket:
    """A socket on which there is something to read once a fork has ended."""
    woken, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # what is ignored wakes nobody
    signal.set_wakeup_fd(wakes.detach())
    return woken


def _tell_ends(askers: Collection[Asker]) -> None:
    """Tell whoever has asked for a fork that it has ended, and its exit code."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            for asker in askers:
                if found[0] in asker.running:
                    asker.running.remove(found[0])
                    asker.say(pid=found[0], code=os.waitstatus_to_exitcode(found[1]))


def _run(args: list[str], env: dict[str, str], outputs: list[str], folder: str) -> None:
    """Be `python` with these arguments: those of `-m`, or `-c` and its own."""
    os.environ.clear()
    os.environ.update(env)
    sys.path[1:1] = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    for number, path in enumerate(outputs, start=1):
        output = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(output, number)
        os.close(output)
    os.chdir(folder)
    _configure()
    if args[0] == "-c":
        sys.argv, sys.orig_argv = ["-c", *args[2:]], [sys.executable, *args]
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(args[1], "<string>", "exec"), vars(sys.modules["__main__"]))
    else:
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
    with socket.socket(fileno=int(sys.argv[1])) as _door:
        _asked = _serve(_door)
    if _asked:
        _run(**_asked)
