"""What is said of a task's result."""

import pytest

from worker.telemetry.result_summary import current_summary, forget_summary, keep_summary, summarize


def envelope(**fields):
    return {"data": None, "error": None, "successful": True, **fields}


@pytest.mark.parametrize(
    ("result", "attempts", "told"),
    [
        (envelope(data={"type": "profile", "id": "01"}), 1, "successful, data: profile, 1 attempt"),
        (envelope(data=[{"type": "event"}] * 1_200), 3, "successful, data: 1,200 of type event, 3 attempts"),
        (envelope(data=[]), None, "successful, data: 0 records"),
        (envelope(), None, "successful, data: none"),
        (envelope(data={"type": "profile"}, created=False), 1, "successful, data: profile, updated, 1 attempt"),
        (envelope(job_id="01J"), 1, "successful, data: none, job 01J, 1 attempt"),
        (envelope(data={"type": "job", "completed": 990, "failed": 10}), None, "successful, 990 completed, 10 failed"),
        ("ada@example.com", 1, "done"),
        (None, None, "done"),
        ({"email": "ada@example.com"}, None, "done"),
    ],
)
def test_a_summary_says_what_came_and_nothing_of_what_is_in_it(result, attempts, told):
    assert summarize(result, attempts) == told


def test_a_thread_forgets_what_it_said_of_the_task_before():
    keep_summary(None, 1)
    assert current_summary() == "done"
    forget_summary()
    assert current_summary() is None
