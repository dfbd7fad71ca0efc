"""What our Flower does otherwise than Flower."""

from types import SimpleNamespace

import pytest

from worker import flower
from worker.flower import AGAIN, SILENT, Events


class Enough(BaseException):
    """The end of a test."""


@pytest.fixture
def slept(monkeypatch):
    found = []
    monkeypatch.setattr(flower, "time", SimpleNamespace(sleep=found.append))
    return found


def listening(*ends):
    events = Events.__new__(Events)
    ends = list(ends)

    def listen():
        raise ends.pop(0)

    events.listen = listen
    return events


def test_events_are_listened_for_as_often_however_long_redis_is_away(slept):
    with pytest.raises(Enough):
        listening(*[ConnectionError("away")] * 20, Enough()).run()

    assert slept == [AGAIN] * 20


def test_a_connection_on_which_no_worker_is_heard_is_made_anew_at_once(slept):
    with pytest.raises(Enough):
        listening(TimeoutError(), TimeoutError(), Enough()).run()

    assert slept == []


def test_events_are_waited_for_no_longer_than_a_silence_that_tells_something(monkeypatch):
    asked = {}

    class Receiver:
        def __init__(self, connection, handlers, app):
            asked["handlers"] = list(handlers)

        def capture(self, **how):
            asked.update(how)

    class Connection:
        __enter__ = __exit__ = lambda *_: None

    events = Events.__new__(Events)
    events.capp = SimpleNamespace(connection=Connection)
    monkeypatch.setattr(flower.flower.events, "EventReceiver", Receiver)

    events.listen()

    assert asked == {"handlers": ["*"], "limit": None, "timeout": SILENT, "wakeup": True}
