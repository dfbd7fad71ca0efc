"""`klaviyo waiting`, `pause` and `resume`, against a real server."""

import base64
import json
import re
import time

import pytest

import tasks.registry  # noqa: F401  registers every action
from tests.cli.typed import run
from worker.action import ACTIONS
from worker.governor import Governor
from worker.one_per_process import forget
from worker.revocation import Effect

SECRET = "ada@example.com"


@pytest.fixture(autouse=True)
def governor(settings, client):
    settings.setenv("KLAVIYO_REDIS_URL", f"unix://{client.connection_pool.connection_kwargs['path']}")
    forget()
    return Governor(client)


def wait(governor, task_id, action, *, account="default", lane="now", age=0, called="", **kwargs):
    """Publish a task as if so many seconds ago, due in an hour."""
    line = ACTIONS[action].declaration.line(account, kwargs)
    wait = {"line": line.name, "spec": line.spec, "lane": lane, "account": account, "since": time.time() - age}
    body = base64.b64encode(json.dumps([[], kwargs, {}]).encode()).decode()
    headers = {"id": task_id, "task": f"klaviyo.{called or action}", "klaviyo": wait}
    message = json.dumps({"body": body, "headers": headers, "properties": {"body_encoding": "base64"}})
    governor.wait((line.name, line.spec), lane, task_id, message, 3600.0)


@pytest.fixture
def four(governor):
    wait(governor, "old", "create_profile", age=7200, email=SECRET)
    wait(governor, "bulk", "create_profile", lane="bulk", age=60, email=SECRET)
    wait(governor, "event", "create_event", age=50, metric="Bought")


def shown(*words):
    return [each["id"] for each in json.loads(run("waiting", "--json", *words).stdout)]


def test_what_waits_is_shown_oldest_first_without_its_values(four):
    told = run("waiting")

    assert told.stdout.index("old") < told.stdout.index("bulk") < told.stdout.index("event")
    assert "email" in told.stdout
    assert SECRET not in told.output
    assert "3 of 3 waiting tasks" in told.stderr


def test_nothing_waits():
    assert "0 of 0 waiting tasks" in run("waiting").stderr


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ["old", "bulk", "event"]),
        (("event", "old"), ["old", "event"]),
        (("--action", "create_profile"), ["old", "bulk"]),
        (("--action", "klaviyo.create_event"), ["event"]),
        (("--action", "create-profile"), ["old", "bulk"]),
        (("--action", "create_client_event"), []),
        (("--action", "job_spawn"), []),
        (("--account", "default"), ["old", "bulk", "event"]),
        (("--lane", "bulk"), ["bulk"]),
        (("--older", "1h"), ["old"]),
        (("--action", "create_profile", "--older", "30s"), ["old", "bulk"]),
    ],
)
def test_it_is_chosen_by_id_action_account_lane_and_age(four, words, found):
    assert shown(*words) == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lane", "blk"), "There is no lane 'blk': did you mean 'bulk'?"),
        (("--lane", "fast"), "There is no lane 'fast': it is 'now' or 'bulk'."),
        (("--action", "create_profil"), "There is no action 'create_profil'. Did you mean create_profile?"),
        (("--account", "eu"), "there is no account 'eu' (known: default)"),
        (("--lane", ""), "There is no lane ''"),
        (("--action", ""), "There is no action ''"),
        (("--account", ""), "there is no account ''"),
    ],
)
@pytest.mark.parametrize("how", [(), ("--json",), ("--drop", "--yes")])
def test_a_lane_an_action_or_an_account_that_is_none_is_refused(four, governor, words, said, how):
    told = run("waiting", *words, *how)

    assert (told.exit_code, told.stdout, governor.count()) == (2, "", 3)
    assert said in " ".join(told.stderr.split())


def test_it_is_chosen_by_each_name_of_an_action(governor):
    wait(governor, "new", "bulk_import_profiles")
    wait(governor, "former", "bulk_import_profiles", called="spawn_bulk_profile_import_job")

    for name in ("bulk_import_profiles", "spawn_bulk_profile_import_job"):
        assert sorted(shown("--action", name)) == ["former", "new"]


def test_it_is_chosen_by_each_spelling_of_an_account_even_once_that_is_removed(governor):
    wait(governor, "left", "create_event", account="eu-store", metric="Bought")

    for spelling in ("eu-store", "EU_STORE"):
        assert shown("--account", spelling) == ["left"]


def test_a_dry_run_drops_nothing(four, governor):
    assert (
        "2 of 3 waiting tasks would be dropped"
        in run("waiting", "--action", "create_profile", "--drop", "--dry-run").stderr
    )
    assert governor.count() == 3


@pytest.mark.parametrize(("how", "left"), [("--dry-run", 3), ("--yes", 2)])
def test_what_is_or_would_be_dropped_is_there_as_json(four, governor, how, left):
    assert shown("bulk", "--drop", how) == ["bulk"]
    assert governor.count() == left


@pytest.mark.parametrize("option", ["--dry-run", "--yes"])
def test_what_goes_with_dropping_is_refused_without_it(four, option):
    told = run("waiting", option)

    assert (told.exit_code, told.stdout) == (2, "")
    assert f"{option} goes with --drop" in told.stderr


def test_dropping_asks_first(four, governor):
    assert run("waiting", "--drop", typed="n\n").exit_code == 1
    assert governor.count() == 3


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_an_id_that_is_not_waiting_is_reported_beside_those_that_are(four, how):
    told = run("waiting", "bulk", "NOSUCHID", *how)

    assert told.exit_code == 1
    assert "bulk" in told.stdout
    assert "No task with the id NOSUCHID is waiting: it has ended, or a worker has it." in told.stderr


@pytest.mark.parametrize("how", ["--yes", "--dry-run"])
def test_an_id_that_is_not_waiting_is_reported_when_it_is_to_be_dropped(four, governor, how):
    told = run("waiting", "bulk", "NOSUCHID", "--drop", how)

    assert told.exit_code == 1
    assert "No task with the id NOSUCHID is waiting: it has ended, or a worker has it." in told.stderr
    assert governor.count() == (2 if how == "--yes" else 3)


def test_what_is_dropped_ends_as_revoked(four, governor, client):
    told = run("waiting", "--lane", "bulk", "--drop", "--yes")

    assert "1 dropped; 3 were waiting before, 2 are now." in told.stderr
    assert shown() == ["old", "event"]
    meta = json.loads(client.get("celery-task-meta-bulk"))
    assert (meta["status"], meta["result"]["exc_message"]) == ("REVOKED", ["dropped by an operator"])


@pytest.mark.parametrize(
    ("words", "what", "said"),
    [
        (("--account", "default"), "account:default", "account default"),
        (("--action", "create_profile"), "action:create_profile", "action create_profile"),
        (
            ("--action", "create_profile", "--account", "default"),
            "action:default:create_profile",
            "action create_profile on account default",
        ),
        (("--action", "spawn_bulk_profile_import_job"), "action:bulk_import_profiles", "action bulk_import_profiles"),
        (("--tier", "xs"), "tier:klaviyo.xs", "tier XS"),
    ],
)
def test_a_pause_is_reported_with_its_reason_and_how_to_end_it(governor, words, what, said):
    paused = run("pause", *words, "--why", "an incident at Klaviyo").stderr

    [pause] = governor.paused()
    assert pause.what == what
    told = run("limits").stderr
    assert f"The {said} is paused" in paused
    assert f"The {said} has been paused since" in told
    [command] = re.findall(r"To resume it, run `klaviyo resume (.+)`\.", " ".join(paused.split()))
    assert f"an incident at Klaviyo. To resume it, run `klaviyo resume {command}`." in " ".join(told.split())
    run("resume", *command.split())
    assert governor.paused() == []


@pytest.mark.parametrize("what", ["account:gone", "action:gone:create_profile"])
def test_an_account_that_is_gone_since_it_was_paused_can_be_resumed(governor, what):
    governor.pause(what, "ann", "it is removed", since=1.0)
    [pause] = governor.paused()
    [command] = re.findall(r"`klaviyo resume (.+)`", pause.how_to_resume)

    result = run("resume", *command.split())

    assert (result.exit_code, governor.paused()) == (0, [])


def test_an_account_that_is_neither_known_nor_paused_cannot_be_resumed(governor):
    governor.pause("action:create_event", "ann", "for now", since=1.0)

    for words in (("--account", "nobody"), ("--action", "create_event", "--account", "")):
        assert run("resume", *words).exit_code == 2

    assert [pause.what for pause in governor.paused()] == ["action:create_event"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name one of"),
        (("create_event",), "create_event is an action: klaviyo pause --action create_event"),
        (("spawn_bulk_profile_import_job",), "--action spawn_bulk_profile_import_job"),
        (("xl",), "xl is a tier: klaviyo pause --tier XL"),
        (("default",), "default is an account: klaviyo pause --account default"),
        (("default", "create_event"), "default is an account"),
        (("nothing",), "There is no account, action or tier 'nothing'. Name one of --account"),
        (("--tier", "XXL"), "There is no tier 'XXL'"),
        (("--action", "create_profil"), "There is no action 'create_profil'. Did you mean create_profile?"),
        (("--account", "nobody"), "there is no account 'nobody'"),
        (("--tier", "XS", "--account", "default"), "Name one of"),
        (("--account", ""), "there is no account ''"),
        (("--action", "create_event", "--account", ""), "there is no account ''"),
        (("--action", "create_event", "--tier", ""), "Name one of"),
        (("--action", ""), "There is no action ''"),
        (("--tier", ""), "There is no tier ''"),
    ],
)
def test_what_is_no_account_action_or_tier_is_not_paused(governor, words, said):
    told = run("pause", *words)

    assert told.exit_code == 2
    assert said in told.stderr
    assert governor.paused() == []


def test_what_a_worker_has_taken_meanwhile_is_not_said_to_be_dropped(four, monkeypatch):
    monkeypatch.setattr("cli.waiting.revoke", lambda *told: Effect.FLAGGED)

    told = run("waiting", "--drop", "--yes")

    assert "0 dropped; 3 were waiting before" in told.stderr
    assert "3 were not: a worker has taken them" in told.stderr
