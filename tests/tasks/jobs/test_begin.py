"""What the task that stands for a job enters into the ledger."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Ignore

from tasks.jobs import begin as beginning
from tasks.jobs.begin import begin
from worker.message_headers import COUNTDOWN
from worker.settings import get_settings


@pytest.fixture
def begun(steps: Any, clean_settings: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that carries out the task of a job with this id and countdown."""
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_test")
    get_settings.cache_clear()
    monkeypatch.setattr(beginning, "get_ledger", lambda: steps.ledger)
    monkeypatch.setattr(beginning, "get_governor", lambda: SimpleNamespace(revoked=lambda id: None))
    monkeypatch.setattr(beginning, "show_state", lambda *_, **__: None)
    monkeypatch.setattr(beginning, "go_on", lambda *ids, **how: steps.gone_on.append((ids, how)))

    def carry_out(id: str, countdown: float) -> None:
        begin.push_request(id=id, **{COUNTDOWN: countdown})
        try:
            with pytest.raises(Ignore):
                begin.run(kind="bulk_import_profiles", params={"profiles": [{"email": "ada@example.com"}]})
        finally:
            begin.pop_request()

    return carry_out


def test_a_countdown_stays_with_its_job_and_delays_no_other(begun: Any, steps: Any) -> None:
    begun("later", 600)
    begun("now", 0)

    assert steps.gone_on == [(("later",), {}), (("now",), {})]
    assert steps.job("later").eta == pytest.approx(steps.ledger.now() + 600, abs=0.01)
    assert steps.job("now").eta is None
