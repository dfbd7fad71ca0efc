"""How many requests for reports Klaviyo still takes today."""

import pytest

from schedules.reports import pages as reports
from schedules.reports.pages import REPORTS, left_of_day
from worker.governor import Governor, Settlement
from worker.tiers import QUEUES

ACTION = REPORTS["campaign_values"].action


@pytest.fixture
def governor(client, monkeypatch):
    made = Governor(client)
    made.beat("worker", 10, list(QUEUES), 60)
    monkeypatch.setattr(reports, "get_governor", lambda: made)
    return made


def test_of_an_account_of_which_nothing_was_asked_all_is_left(governor):
    assert left_of_day("default", ACTION) == 225


def test_what_was_asked_for_today_is_not_there_for_the_night(governor):
    line = ACTION.declaration.line("default", {})
    governor.wait((line.name, line.spec), "now", "by hand", "{}")
    governor.claim("by hand", 60_000, False, "holder")
    governor.settle("by hand", Settlement(used=True), "holder")

    assert left_of_day("default", ACTION) == 224
    assert left_of_day("eu", ACTION) == 225
