"""The table of kinds, against the declarations."""

import pytest

from tasks.jobs import JOB_KINDS
from tasks.jobs.kinds import by_id
from worker.api.filter_fields import fields_of
from worker.api.paging import first_page

KIND = pytest.mark.parametrize("kind", JOB_KINDS.values(), ids=JOB_KINDS)


@KIND
def test_every_way_of_listing_is_one_that_the_action_takes(kind):
    for filter in (*kind.in_progress, 'equals(status,"complete")', None) if kind.listing else ():
        kind.listing.declaration.bind(kind.page(filter))
    if kind.listing:
        name = kind.listing.declaration.name
        assert fields_of("tasks", name), f"tasks/filters.json does not say by what {name} can be filtered"


@KIND
def test_every_reading_of_one_job_is_one_that_the_action_takes(kind):
    for action in filter(None, (kind.status, kind.errors, kind.result)):
        first_page(action.declaration, by_id(action, "X"))
    if kind.contents:
        action, extra = kind.contents
        action.declaration.bind({**by_id(action, "X"), **extra})


@KIND
def test_a_lost_spawn_is_looked_for_where_klaviyo_lists_what_it_was_about(kind):
    assert (kind.trace == "contents") == bool(kind.contents)
    assert kind.trace != "id" or not kind.respawn


def test_every_operation_that_begins_a_job_has_its_kind():
    from worker.action import ACTIONS

    begun = {name for name, action in ACTIONS.items() if action.declaration.method == "POST"
             and str(action.declaration.type).endswith("-job")}  # fmt: skip

    assert begun - set(JOB_KINDS) == set()
