"""The states of a job on its way, as whoever holds its result sees them."""

from types import SimpleNamespace

import pytest

from tasks.jobs import progress
from worker import steps


@pytest.fixture
def stored(monkeypatch):
    """What the results hold: the state of each job."""
    states = {}
    app = SimpleNamespace(
        AsyncResult=lambda id: SimpleNamespace(state=states.get(id, "PENDING")),
        backend=SimpleNamespace(store_result=lambda id, meta, state: states.update({id: state})),
    )
    for module in (steps, progress):
        monkeypatch.setattr(module, "app", app)
    monkeypatch.setattr(progress, "_event", lambda kind, **fields: None)
    return states


def test_a_state_is_there_for_whoever_asks(stored):
    progress.show_state("job", "ACCEPTED", job_id="K1")

    assert stored == {"job": "ACCEPTED"}


@pytest.mark.parametrize("end", ["SUCCESS", "FAILURE", "REVOKED"])
def test_a_state_that_is_reported_late_does_not_hide_the_end(stored, end):
    stored["job"] = end

    progress.show_state("job", "PROCESSING")

    assert stored == {"job": end}
