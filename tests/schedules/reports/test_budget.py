"""How many requests for reports Klaviyo still takes today."""

import pytest

from schedules.reports import pages as reports
from schedules.reports.pages import REPORTS, requests_left_today
from worker.governor import Governor, RequestEnd
from worker.tiers import QUEUES

ACTION = REPORTS["campaign_values"].action


@pytest.fixture
def governor(client, monkeypatch):
    made = Governor(client)
    made.beat("worker", 10, list(QUEUES), 60)
    monkeypatch.setattr(reports, "get_governor", lambda: made)
    return made


def test_an_unused_account_has_all_its_requests_left(governor):
    assert requests_left_today("default", ACTION) == 225


def test_requests_made_today_are_not_left_for_the_night(governor):
    line = ACTION.declaration.line("default", {})
    governor.wait((line.name, line.spec), "now", "by hand", "{}")
    governor.claim("by hand", 60_000, False, "holder")
    governor.close_lease("by hand", RequestEnd(used=True), "holder")

    assert requests_left_today("default", ACTION) == 224
    assert requests_left_today("eu", ACTION) == 225
