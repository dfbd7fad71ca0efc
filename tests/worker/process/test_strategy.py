"""What becomes of a message before Celery makes a task of it."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from celery.worker.state import successful_requests

from tasks.lists import get_lists
from worker.app import app
from worker.message_headers import HEADER
from worker.process import strategy


@pytest.mark.parametrize("redelivered", [True, False])
def test_celery_does_not_pass_over_what_comes_again_at_the_worker_that_has_ended_it(monkeypatch, redelivered):
    known = []
    monkeypatch.setattr(strategy, "celery_default", lambda *_: lambda *_: known.append("ended" in successful_requests))
    headers = {"id": "ended", "task": get_lists.name, "redelivered": redelivered, HEADER: {"account": "default"}}
    successful_requests.add("ended")

    handle = strategy.default(app.tasks["klaviyo.get_lists"], app, Mock())
    handle(Mock(headers=headers, properties={}, payload=((), {}, {})), None, None, None, None)
    successful_requests.clear()

    assert known == [not redelivered]
