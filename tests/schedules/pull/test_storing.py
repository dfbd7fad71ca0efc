"""What is read while the store is down is read again, and nothing is lost."""

from types import SimpleNamespace

import pytest
import redis
from celery.exceptions import Ignore, Retry
from sqlalchemy.exc import DataError, InterfaceError, OperationalError

from schedules.pull import storing
from schedules.pull.storing import StoringStep
from schedules.store.outage import RETRY_DELAY_S
from worker.steps import AskingStep


class Stores(StoringStep):
    name = "test.stores"
    about = dict
    account = "default"

    def answered(self, envelope, params, account, about):
        """Do nothing: the test says what happens."""

    def give_up(self, error, account, about):
        self.given_up.append((error, about))


@pytest.fixture
def step(monkeypatch):
    """A step whose answer cannot be written; what it puts off is recorded."""
    made = Stores()
    made.waits, made.given_up = [], []
    outage = SimpleNamespace(
        may_write=lambda: True,
        note_failure=lambda error: "it is away",
        note_success=lambda: None,
        RETRY_DELAY_S=RETRY_DELAY_S,
    )
    monkeypatch.setattr(storing, "outage", outage)

    def make(error):
        def fails(self, **_):
            raise error

        monkeypatch.setattr(AskingStep, "run", fails)
        return made

    def put_off(self, action, params, reason, seconds):
        self.waits.append((action, reason, seconds))
        return Retry(reason)

    monkeypatch.setattr(AskingStep, "put_off", put_off)
    return make


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_a_page_that_cannot_be_written_now_is_read_again_when_the_store_is_back(step, kind):
    stores = step(kind("INSERT", {"email": "ada@example.com"}, ConnectionError("server closed the connection")))

    with pytest.raises(Retry):
        stores.run(action="get_profiles", params={})

    assert stores.waits == [("get_profiles", "it is away", RETRY_DELAY_S)]


@pytest.mark.parametrize("error", [DataError("INSERT", {}, ValueError("out of range")), LookupError("a mistake")])
def test_a_page_that_can_never_be_written_is_not_read_for_ever(step, error):
    stores = step(error)

    with pytest.raises(type(error)):
        stores.run(action="get_profiles", params={}, run=7)

    assert (stores.waits, stores.given_up) == ([], [(error, {"run": 7})])


@pytest.mark.parametrize("error", [Retry("no budget"), Ignore("read before"), redis.ConnectionError("away")])
def test_a_page_that_only_waits_is_not_given_up(step, error):
    stores = step(error)

    with pytest.raises(type(error)):
        stores.run(action="get_profiles", params={})

    assert stores.given_up == []
