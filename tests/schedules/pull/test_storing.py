"""What is read while the store is down is read again, and nothing is lost."""

from types import SimpleNamespace

import pytest
from celery.exceptions import Retry
from sqlalchemy.exc import DataError, InterfaceError, OperationalError

from schedules.pull import storing
from schedules.pull.storing import StoringStep
from schedules.store.outage import RETRY_DELAY_S
from worker.steps import AskingStep


class Stores(StoringStep):
    name = "test.stores"
    about = dict

    def answered(self, envelope, params, account, about):
        """Do nothing: the test says what happens."""


@pytest.fixture
def step(monkeypatch):
    """A step whose answer cannot be written; what it puts off is recorded."""
    made = Stores()
    made.waits = []
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


def test_a_page_that_can_never_be_written_is_not_read_for_ever(step):
    stores = step(DataError("INSERT", {}, ValueError("out of range")))

    with pytest.raises(DataError):
        stores.run(action="get_profiles", params={})

    assert stores.waits == []
