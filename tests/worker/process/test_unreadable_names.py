"""A task whose name nobody knows fails with what to do about it."""

import pytest

import tasks.registry  # noqa: F401  registers every action
from worker.app import app
from worker.process.unreadable import unknown


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("klaviyo.create_profle", "klaviyo.create_profile"),
        ("create_profile", "klaviyo.create_profile"),
        ("klaviyo.spawn_bulk_profile_import_jobs", "klaviyo.spawn_bulk_profile_import_job"),
        ("klaviyo.colect", "klaviyo.collect"),
    ],
)
def test_a_misspelled_name_is_told_with_the_nearest(name, meant):
    assert unknown(name, app.tasks) == f"no task has this name; did you mean {meant!r}?"


def test_a_task_that_is_none_of_ours_is_to_be_sent_elsewhere():
    assert unknown("shop.pay", app.tasks).startswith(
        "no task of klaviyo-worker has this name: send another application's task to a queue of its own;"
    )
