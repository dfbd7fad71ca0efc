"""What is overdue is seen to, each by whoever owns its kind."""

import pytest
import redis

from worker import reminders
from worker.errors import SettingsError
from worker.process.left_behind import LeftBehind


@pytest.fixture
def seen(monkeypatch):
    """What the kind ``good`` has seen to; the kind ``bad`` raises whatever a test puts there."""
    seen = []
    monkeypatch.setattr(reminders, "_seen_to_by", {"good": seen.append})
    return seen


def bad(error):
    def see_to(which):
        raise error

    reminders._seen_to_by["bad"] = see_to


@pytest.mark.parametrize("error", [SettingsError("there is no such account"), TypeError("a surprise")])
def test_what_cannot_be_seen_to_is_logged_and_keeps_nothing_else_waiting(seen, caplog, error):
    bad(error)

    reminders.see_to(["nobody's|one", "bad|two", "good|three"])

    assert seen == ["three"]
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == ["nobody's|one", "bad|two"]
    assert bool(caplog.records[1].exc_info) is isinstance(error, TypeError)


@pytest.mark.parametrize("error", [LeftBehind("stopping"), redis.ConnectionError("away")])
def test_a_sweep_that_redis_interrupts_ends_there(seen, error):
    bad(error)

    with pytest.raises(type(error)):
        reminders.see_to(["bad|one", "good|two"])
