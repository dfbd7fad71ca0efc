"""Time stands still and ids are counted, so that two calls can be compared."""

from __future__ import annotations

from itertools import count

import pytest

from tasks import rules
from tests.tasks.action_samples import NOW


@pytest.fixture(autouse=True)
def _stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "now", lambda: NOW)


@pytest.fixture
def _counted_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = count(1)
    monkeypatch.setattr(rules, "new_id", lambda: f"id-{next(numbers)}")
