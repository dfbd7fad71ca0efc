"""What tests of pulls share."""

import pytest

from schedules.pull import pages as pull
from tests.schedules.pull.pulling import Pulling


@pytest.fixture
def pulling(store, monkeypatch):
    made = Pulling()
    monkeypatch.setattr(pull, "current_time", lambda: made.now)
    monkeypatch.setattr(pull, "renew_reminder", lambda *which: None)
    monkeypatch.setattr(pull.sync_requests, "load", made.requests.get)
    monkeypatch.setattr(pull, "end_stream", lambda *how: made.told.append(how))
    monkeypatch.setattr(pull, "resume_soon", lambda *which: made.resumed.append(which))
    monkeypatch.setattr(
        pull.page, "_ask_page", lambda account, stream, params, about: made.asked.append((params, about))
    )
    return made
