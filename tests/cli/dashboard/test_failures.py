"""The page Failures: the dangerous first, whose they are, what happened and what to do, and nobody's data."""

import pytest

from cli.dashboard import failures
from cli.failures.advice import advice
from tasks.campaigns import send_campaign
from tasks.events import create_event
from tasks.lists import create_list
from tasks.profiles import bulk_subscribe_profiles, create_profile, get_profile
from tests.failing import ADA, LOST, fail, refused
from worker.errors import NotFound, Unavailable
from worker.failures.groups import Group
from worker.failures.identifying import MAX_CHARACTERS, identify


def cells(title, rows):
    [column] = [each for each in failures.TAB.columns if each.title == title]
    return [column.cell(row) for row in rows]


def test_what_may_have_been_carried_out_comes_first_and_what_needs_nothing_last(settings, real_redis):
    settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
    for number in range(5):
        fail(get_profile, {"id": "x"}, NotFound("get_profile", "default", 404, []), task_id=f"task-{number}")
    fail(create_profile, ADA, refused(), task_id="wrong")
    fail(create_profile, ADA, Unavailable("create_profile", "eu", "down"), "eu", task_id="down")
    fail(create_list, {"name": "News"}, LOST, task_id="lost")

    rows = failures.read().rows

    assert [cell.text for cell in cells("What happened", rows)] == [
        "Outcome unknown",
        "Klaviyo did not answer",
        "Refused as wrong",
        "Not found",
    ]
    assert [cell.text for cell in cells("Account", rows)] == ["default", "eu", "default", "default"]
    assert cells("What to do", rows)[0].text == (
        "May have been carried out. Look at the lists of this name. If they were carried out, drop them; "
        "if not, repeat them. If only some were: drop all, and call the others again."
    )


def test_no_advice_asks_to_repeat_a_part_of_a_group_for_which_there_is_no_button():
    told = advice(Group("get_profile-1", "get_profile", "NotFound", "404")).to_do

    assert told == (
        "Repeat them if what they name has been created since: what is still missing fails again. If not, drop them."
    )


def test_a_group_of_many_failures_says_that_there_may_be_other_accounts(settings, real_redis):
    for number in range(failures.MAX_READ + 1):
        fail(create_profile, ADA, refused(), task_id=f"task-{number}")

    assert failures.read().rows[0].account == "default, …"


def test_the_list_whose_creation_is_unknown_is_named_on_its_page(settings, real_redis):
    fail(create_list, {"name": "News", "opt_in_process": "single_opt_in"}, LOST, task_id="lost")

    page = failures.read_group(failures.read().rows[0].count.group.id)

    assert page.shown[0].parameters == "name: News, opt_in_process"


@pytest.mark.parametrize(
    ("action", "given", "told"),
    [
        (send_campaign, {"id": "01CAMP"}, ["id: 01CAMP"]),
        (bulk_subscribe_profiles, {"list_id": "Y6nRLr", "profiles": [ADA]}, ["list_id: Y6nRLr", "profiles"]),
        (create_list, {"name": "for ada@example.com"}, ["name: for ***"]),
        (create_list, {"name": "x" * 200}, [f"name: {'x' * MAX_CHARACTERS}"]),
        (create_profile, {**ADA, "title": "Countess", "external_id": "7"}, ["email", "title", "external_id"]),
        (get_profile, {"id": "01PERSON"}, ["id"]),
        (create_event, {"metric": "Placed Order", "profile": ADA}, ["metric", "profile"]),
        (create_list, {"name": ["not", "text"], "unknown": "x"}, ["name", "unknown"]),
    ],
)
def test_of_a_call_only_ids_and_names_of_the_shops_own_are_shown(action, given, told):
    assert list(identify(action.declaration, given)) == told


def test_an_error_without_advice_of_its_own_is_one_of_the_program():
    assert advice(Group("a-1", "a", "ZeroDivisionError", "why")).happened == "Error in the program"
