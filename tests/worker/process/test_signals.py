"""What a signal's handler does while the main thread is anywhere."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from worker.process import signals
from worker.process.signals import Signals


@pytest.fixture
def handlers(monkeypatch):
    """A worker's handlers, which are not installed in this process."""
    installed = {}
    monkeypatch.setattr(signals.platforms, "signals", installed)
    monkeypatch.setattr(signals, "os", SimpleNamespace(isatty=lambda _: False))
    monkeypatch.setattr(signals, "closing", threading.Event())
    monkeypatch.setattr(signals, "restart_requested", threading.Event())
    monkeypatch.setattr(signals, "atexit", SimpleNamespace(register=lambda _: None))
    Signals(None).start(None)
    return installed


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_a_signal_is_heard_though_its_thread_holds_what_stopping_needs(handlers, monkeypatch, name):
    held, stopped = threading.Lock(), threading.Event()

    def stop():
        with held:
            stopped.set()

    monkeypatch.setattr(signals, "stop", stop)
    with held:
        handler = threading.Thread(target=handlers[name], args=(15, None), daemon=True)
        handler.start()
        handler.join(60)
        assert not handler.is_alive()
        assert not stopped.is_set()

    assert stopped.wait(60)


@pytest.fixture
def done(monkeypatch):
    """What a worker does on these signals, in their order."""
    put: SimpleQueue[str] = SimpleQueue()

    def stop():
        signals.closing.set()
        put.put("stop")

    def leave(why):
        put.put(why)
        threading.Event().wait()  # for ever, as nothing comes after the process: the thread would end this one

    monkeypatch.setattr(signals, "stop", stop)
    monkeypatch.setattr(signals, "leave", leave)

    def of(handlers, *names):
        for name in names:
            handlers[name](0, None)
        return [put.get(timeout=60) for _ in names]

    return of


def test_a_second_signal_is_heard_after_the_first_however_soon_it_comes(handlers, done):
    assert done(handlers, "SIGTERM", "SIGTERM") == ["stop", "This worker was told to stop again"]


@pytest.mark.parametrize(
    ("names", "begins"),
    [
        (("SIGHUP",), True),
        (("SIGHUP", "SIGHUP"), True),
        (("SIGHUP", "SIGTERM"), False),
        (("SIGTERM", "SIGHUP"), False),
    ],
    ids=str,
)
def test_a_worker_begins_anew_unless_it_was_told_to_stop(handlers, done, names, begins):
    done(handlers, *names)

    assert signals.restart_requested.is_set() == begins
