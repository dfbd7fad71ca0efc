"""`klaviyo failures`, against a real server."""

from __future__ import annotations

import json

import pytest

from tasks.lists import create_list
from tasks.profiles import create_profile
from tests.cli.typed import run
from tests.failing import ADA, LOST, fail, refused


@pytest.fixture(autouse=True)
def server(settings, real_redis):
    return real_redis


@pytest.fixture
def groups(server):
    """Three groups: two profiles that were refused for one reason, one for another, and a list that may be there."""
    fail(create_profile, ADA, refused(), task_id="first")
    fail(create_profile, ADA, refused(), lane="bulk", task_id="second")
    fail(create_profile, ADA, refused("/data/attributes/phone_number"), task_id="third")
    fail(create_list, {"name": "News"}, LOST, task_id="list")
    return [each["id"] for each in json.loads(run("failures", "--json").stdout)]


def waiting(server):
    return server.hlen("klaviyo:waiting")


def test_nothing_that_failed_is_a_sentence():
    assert "No failed task is kept." in run("failures").stderr


@pytest.mark.parametrize("verb", ["show", "replay", "drop"])
def test_nothing_to_show_to_repeat_or_to_drop_is_a_sentence(verb):
    assert "No failed task is kept." in run("failures", verb, "all").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--dry-run",), "--dry-run goes with replay or drop"),
        (("show", "all", "--dry-run"), "--dry-run goes with replay or drop"),
        (("drop", "all", "--yes-again"), "--yes-again goes with replay"),
        (("replay", "all", "--yes"), "--yes goes with drop"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(groups, words, said):
    told = run("failures", *words)

    assert (told.exit_code, told.stdout) == (2, "")
    assert said in told.stderr


def test_how_many_would_be_dropped_is_there_as_json(groups):
    told = run("failures", "drop", "all", "--dry-run", "--json")

    assert sum(json.loads(told.stdout).values()) == 4


def test_groups_are_shown_the_largest_first_with_the_reason(groups):
    told = run("failures").stdout

    assert told.index(groups[0]) < told.index(groups[1])
    assert "Klaviyo answered 400: Invalid input [/data/attributes/email]" in told
    assert "look at the lists of this name" in told


def test_a_group_shows_its_tasks_with_the_names_of_their_parameters_and_no_value(groups):
    told = run("failures", "show", groups[0])

    assert "first" in told.stdout
    assert "bulk" in told.stdout
    assert "email" in told.stdout
    assert "ada@example.com" not in told.output


def test_no_more_tasks_are_shown_than_asked_for_and_the_rest_is_counted(groups):
    told = run("failures", "show", groups[0], "--most", "1")

    assert "second" not in told.stdout
    assert "the first 1 of 2" in told.stderr


def test_a_group_as_json_has_stable_keys(groups):
    [first, _] = json.loads(run("failures", "show", groups[0], "--json").stdout)

    assert first | {"failed": 0} == {
        "id": "first", "group": groups[0], "task": "klaviyo.create_profile", "account": "default", "lane": "now",
        "failed": 0, "error": str(refused()), "parameters": ["email"],
    }  # fmt: skip


def test_one_command_replays_every_group_but_what_may_have_been_carried_out(groups, server):
    told = run("failures", "replay", "all")

    assert told.exit_code == 1
    assert f"{groups[0]}: 2 tasks wait again." in told.stderr
    assert "--yes-again repeats them" in told.stderr.replace("\n", " ")
    assert waiting(server) == 3

    assert run("failures", "replay", "all", "--yes-again").exit_code == 0
    assert waiting(server) == 4


def test_a_rehearsal_counts_and_repeats_nothing(groups, server):
    told = run("failures", "replay", groups[0], "--dry-run")

    assert (told.exit_code, waiting(server)) == (0, 0)
    assert "2 tasks would wait again" in told.stderr


def test_dropping_asks_and_a_rehearsal_only_counts(groups):
    assert "2 failed tasks would be dropped" in run("failures", "drop", groups[0], "--dry-run").stderr
    assert run("failures", "drop", groups[0], typed="n\n").exit_code == 1
    assert groups[0] in run("failures", "--json").stdout

    assert "2 dropped" in run("failures", "drop", groups[0], "--yes").stderr
    assert groups[0] not in run("failures", "--json").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["repeat", "x"], "There is no `klaviyo failures repeat`: it is show, replay or drop."),
        (["replay"], "Name the groups, or `all`"),
        (["drop", "create_profile-1"], "There is no group create_profile-1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(words, said):
    told = run("failures", *words)

    assert told.exit_code == 2
    assert said in told.stderr
