"""What a signal's handler does while the main thread is anywhere."""

from __future__ import annotations

import threading

import pytest

from worker import signals
from worker.signals import Signals


@pytest.fixture
def handlers(monkeypatch):
    """A worker's handlers, which are not installed in this process."""
    installed = {}
    monkeypatch.setattr(signals.platforms, "signals", installed)
    monkeypatch.setattr(signals, "closing", threading.Event())
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
        handler.join(5)
        assert not handler.is_alive()
        assert not stopped.is_set()

    assert stopped.wait(5)


def test_a_second_signal_is_heard_after_the_first_however_soon_it_comes(handlers, monkeypatch):
    done, over = [], threading.Event()

    def leave(why):
        done.append(why)
        over.set()

    def stop():
        done.append("stop")
        signals.closing.set()

    monkeypatch.setattr(signals, "stop", stop)
    monkeypatch.setattr(signals, "leave", leave)

    handlers["SIGTERM"](15, None)
    handlers["SIGTERM"](15, None)

    assert over.wait(5)
    assert done[:2] == ["stop", "This worker was told to stop again"]
