"""A plain call goes straight into its waiting list; one that asks for more, or is listened to, goes Celery's way."""

import pytest
import redis
from celery import signals
from celery._state import _task_stack

from tasks.lists import create_list
from tasks.profiles import create_profile
from worker import plain_calls
from worker.app import app
from worker.errors import AlreadyRevoked, NotConfirmed
from worker.process.state import working
from worker.redis.connection import Full

ADA = {"email": "ada@example.com"}


class Waiting:
    """The governor of callers, which has these troubles first."""

    def __init__(self, *troubles):
        self.troubles = list(troubles)
        self.tries = []

    def wait(self, line, lane, task_id, message, delay, expires, together):
        self.tries.append(task_id)
        if self.troubles:
            raise self.troubles.pop(0)


@pytest.fixture
def waiting(settings, monkeypatch):
    def begin(*troubles):
        made = Waiting(*troubles)
        monkeypatch.setattr(plain_calls, "get_publishing_governor", lambda: made)
        return made

    monkeypatch.setattr("kombu.Producer.publish", lambda *_, **__: None)  # Celery's way
    return begin


def test_a_plain_call_is_put_into_its_waiting_list_once(waiting):
    governor = waiting()
    result = create_profile.delay(**ADA)

    assert governor.tries == [result.id]


def test_a_connection_that_was_lost_is_made_once_more(waiting):
    governor = waiting(redis.ConnectionError("reset"))
    result = create_profile.delay(**ADA)

    assert governor.tries == [result.id, result.id]


@pytest.mark.parametrize("trouble", [redis.ConnectionError("away"), redis.TimeoutError("late"), Full("Redis is full")])
def test_what_redis_does_not_confirm_at_the_second_try_is_told_with_the_id(waiting, trouble):
    governor = waiting(trouble, trouble)
    with pytest.raises(NotConfirmed) as caught:
        create_profile.delay(**ADA)

    assert len(governor.tries) == 2
    assert governor.tries[0] in str(caught.value)


def test_what_redis_refuses_is_told_at_once(waiting):
    governor = waiting(redis.ResponseError("wrong type"))
    with pytest.raises(NotConfirmed):
        create_profile.delay(**ADA)

    assert len(governor.tries) == 1


def test_an_id_that_was_revoked_is_refused(waiting):
    waiting(AlreadyRevoked("mine", "revoked"))
    with pytest.raises(AlreadyRevoked):
        create_profile.apply_async(kwargs=ADA, task_id="mine")


@pytest.mark.parametrize(
    "asked",
    [
        {"link": create_list.si(name="After")},
        {"link_error": create_list.si(name="After")},
        {"shadow": "another name"},
        {"time_limit": 5},
        {"retry": False},
        {"reply_to": "there"},
        {"compression": "zlib"},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_a_call_that_asks_for_more_goes_celerys_way(waiting, asked):
    governor = waiting()
    create_profile.apply_async(kwargs=ADA, **asked)

    assert governor.tries == []


@pytest.mark.parametrize("signal", [signals.before_task_publish, signals.after_task_publish, signals.task_sent])
def test_a_call_that_somebody_listens_to_goes_celerys_way(waiting, signal):
    governor = waiting()

    def listen(**_):
        pass

    signal.connect(listen)
    try:
        create_profile.delay(**ADA)
    finally:
        signal.disconnect(listen)

    assert governor.tries == []


@pytest.mark.parametrize("setting", ["task_send_sent_event", "task_always_eager"])
def test_a_setting_of_celerys_that_asks_for_more_is_heeded(waiting, monkeypatch, setting):
    plain_calls._configured.cache_clear()
    with monkeypatch.context() as patch:
        patch.setitem(app.conf.changes, setting, True)

        assert not plain_calls.is_plain(create_profile.task, dict.fromkeys(plain_calls.PLAIN))

    assert plain_calls.is_plain(create_profile.task, dict.fromkeys(plain_calls.PLAIN))


def test_a_call_inside_a_task_or_a_worker_goes_celerys_way(waiting):
    governor = waiting()
    _task_stack.push(create_list.task)
    create_list.task.push_request(called_directly=False)
    try:
        assert not plain_calls.is_plain(create_profile.task, dict.fromkeys(plain_calls.PLAIN))
    finally:
        create_list.task.pop_request()
        _task_stack.pop()
    assert plain_calls.is_plain(create_profile.task, dict.fromkeys(plain_calls.PLAIN))
    working.set()
    try:
        assert not plain_calls.is_plain(create_profile.task, dict.fromkeys(plain_calls.PLAIN))
    finally:
        working.clear()
    assert governor.tries == []
