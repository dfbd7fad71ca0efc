"""What commands and pages say where accounts are divided over several Redis, and where one of these is away."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress

import httpx
import pytest

from cli.dashboard import accounts, failures, imports, jobs, limits, schedules
from cli.dashboard.snapshots import read_everywhere
from cli.metrics.endpoint import collect
from schedules.store.migrate import upgrade
from tasks.jobs.ledger import get_ledger
from tasks.metrics import get_metrics
from tasks.profiles import create_profile
from tests.cli.typed import klaviyo, run
from tests.failing import ADA, fail, refused
from tests.live.nodes import free_ports
from worker.api.jsonapi import Request
from worker.app import app
from worker.one_per_process import forget
from worker.redis.connection import AWAY
from worker.redis.homes import at_home, at_redis

REQUEST = Request("POST", "/api/profile-bulk-import-jobs", {}, b'{"data":{}}')

#: What each command that reads all Redis is called with.
READERS = (
    ("limits", "--json"),
    ("waiting", "--json"),
    ("failures", "--json"),
    ("jobs", "--json"),
    ("imports", "--json"),
    ("accounts", "--json"),
    ("schedules", "--json"),
)


@pytest.fixture
def both(two_redis, monkeypatch):
    """A task waits and one has failed, on each of two Redis."""
    for alias in ("outlet", "shop"):
        get_metrics.on(alias).delay()
        with at_home(alias):
            # There, it was a worker that knows all tasks.
            monkeypatch.setattr(app.backend, "app", app)
            fail(create_profile, ADA, refused(), account=alias, task_id=f"failed-{alias}")
    return two_redis


def move_away(settings, url):
    settings.setenv("KLAVIYO_REDIS_URLS__EU", url)
    forget()


@pytest.fixture
def eu_is_away(both, settings):
    """Nobody listens where the second Redis was."""
    [port] = free_ports(1)
    move_away(settings, f"redis://user:secret@127.0.0.1:{port}/0")
    return f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def eu_is_silent(both, settings):
    """Where the second Redis was, connections are taken and never answered; the value is how many there were."""
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take():
            while True:
                with suppress(OSError):
                    taken.append(server.accept()[0])
                    continue
                return

        threading.Thread(target=take, daemon=True).start()
        move_away(settings, f"redis://127.0.0.1:{server.getsockname()[1]}/0?socket_timeout=1")
        yield taken
        server.shutdown(socket.SHUT_RDWR)
    for each in taken:
        each.close()


def group_of_both():
    [group] = json.loads(run("failures", "--json").stdout)
    return group


def test_failures_of_one_action_and_reason_are_one_group_wherever_they_are_kept(both):
    group = group_of_both()
    shown = json.loads(run("failures", "show", group["id"], "--json").stdout)

    assert group["failures"] == 2
    assert [each["account"] for each in shown] == ["outlet", "shop"]
    assert len(json.loads(run("failures", "show", group["id"], "--json", "--most", "1").stdout)) == 2


def test_failures_are_replayed_where_their_accounts_live(both):
    main, eu = both

    told = run("failures", "replay", group_of_both()["id"])

    assert ": 2 tasks wait again." in told.stderr
    assert (main.redis.hlen("klaviyo:waiting"), eu.redis.hlen("klaviyo:waiting")) == (2, 2)


def test_failures_are_dropped_everywhere(both):
    assert "2 dropped." in run("failures", "drop", group_of_both()["id"], "--yes").stderr
    assert "No failed task is kept." in run("failures").stderr


def test_the_page_of_failures_has_those_of_all_and_drops_them(both):
    [row] = read_everywhere(failures.TAB).rows

    assert (row.count.failures, row.accounts) == (2, ["outlet", "shop"])
    assert [each.account for each in failures.read_group(row.count.group.id).shown] == ["outlet", "shop"]
    assert failures.drop_group(row.count.group.id) == ["2 dropped."]


def test_a_job_has_one_row_and_the_newest_come_first_wherever_they_are(two_redis):
    for alias in ("shop", "outlet", "stored"):
        with at_home(alias):
            get_ledger().open(alias, "bulk_import_profiles", alias, REQUEST)

    assert [each.job.account for each in read_everywhere(jobs.TAB).rows] == ["stored", "outlet", "shop"]


@pytest.mark.parametrize("words", READERS, ids=lambda words: words[0])
def test_a_command_shows_what_the_others_say_and_names_the_one_that_is_away(eu_is_away, words):
    told = run(*words)

    assert told.exit_code == 1
    assert "outlet" in told.stdout or json.loads(told.stdout) != [] or words[0] in ("jobs", "imports")
    assert told.stderr.count("Nothing here is about the Redis eu (account shop and any account stored there)") == 1
    assert f"Redis cannot be reached at {eu_is_away} (ConnectionError)." in told.stderr
    assert "secret" not in told.output


@pytest.mark.parametrize("tab", [limits.TAB, failures.TAB, jobs.TAB, imports.TAB, accounts.TAB, schedules.TAB],
                         ids=lambda tab: tab.name)  # fmt: skip
def test_a_page_shows_what_the_others_say_and_names_the_one_that_is_away(eu_is_away, tab):
    reading = read_everywhere(tab)

    assert reading.rows or tab in (jobs.TAB, imports.TAB)
    assert [note for note in reading.notes if eu_is_away in note]
    assert "secret" not in str(reading.notes)


def test_the_page_of_a_group_has_the_failures_of_the_others_and_says_what_is_missing(eu_is_away):
    [row] = read_everywhere(failures.TAB).rows

    page = failures.read_group(row.count.group.id)

    assert [each.account for each in page.shown] == ["outlet"]
    assert eu_is_away in page.missing[0]
    assert failures.drop_group(row.count.group.id) == ["1 dropped."]
    with pytest.raises(AWAY):  # the rest of it is where nobody can look
        failures.read_group(row.count.group.id)


def test_a_redis_that_never_answers_is_waited_for_once_and_not_at_once_again(eu_is_silent):
    readings = [read_everywhere(tab) for tab in (limits.TAB, jobs.TAB, failures.TAB)]

    assert len(eu_is_silent) == 1
    assert readings[0].waited_s >= 1.0
    assert [each.waited_s for each in readings[1:]] == [0.0, 0.0]
    assert all("Redis eu" in each.notes[0] for each in readings)


def test_what_is_done_everywhere_is_done_at_the_others_and_the_rest_is_said(eu_is_away):
    told = run("pause", "--tier", "L")

    assert told.exit_code == 1
    assert "is paused" in told.stderr
    assert "Redis eu" in told.stderr


def test_an_account_is_not_added_while_one_that_may_have_it_is_away(eu_is_away):
    told = run("accounts", "add", "stored", typed="pk_again\n")

    assert told.exit_code == 1
    assert eu_is_away in told.stderr
    with at_redis("main"):
        assert "stored" not in run("accounts", "--json").stdout


def test_what_is_asked_of_an_account_names_the_redis_on_which_it_lives(eu_is_away):
    told = run("pause", "--account", "shop")

    assert told.exit_code == 1
    assert f"Redis cannot be reached at {eu_is_away}" in told.stderr
    assert "or set KLAVIYO_REDIS_URLS__EU." in told.stderr


def test_a_job_is_not_said_to_be_unknown_while_one_that_may_have_it_is_away(eu_is_away):
    told = run("jobs", "nobody-knows-it")

    assert told.exit_code == 1
    assert eu_is_away in told.stderr
    assert "There is no job" not in told.stderr


def test_where_all_are_away_nothing_is_shown_and_the_first_is_named(eu_is_away, settings):
    settings.setenv("KLAVIYO_REDIS_URL", eu_is_away)
    forget()

    told = run("limits", "--json")

    assert (told.exit_code, told.stdout) == (1, "")
    assert "Redis cannot be reached" in told.stderr


def test_the_metrics_of_all_say_of_which_each_is(both):
    text = collect()[0].decode()

    for name, alias in (("main", "outlet"), ("eu", "shop")):
        assert f'klaviyo_kept_failures{{redis="{name}"}} 1.0' in text
        assert f'klaviyo_waiting_tasks{{account="{alias}",bucket="get_metrics",lane="now",redis="{name}"}} 1.0' in text
        assert f'klaviyo_collector_up{{part="limits",redis="{name}"}} 1.0' in text
    assert text.count("# TYPE klaviyo_kept_failures gauge") == 1


def test_the_metrics_of_one_that_is_away_are_missing_and_told_as_down(eu_is_away):
    text = collect()[0].decode()

    assert 'klaviyo_collector_up{part="limits",redis="eu"} 0.0' in text
    assert 'klaviyo_collector_up{part="limits",redis="main"} 1.0' in text
    assert 'klaviyo_kept_failures{redis="main"} 1.0' in text
    assert 'klaviyo_kept_failures{redis="eu"}' not in text


@pytest.fixture
def accounts_answer(settings, monkeypatch, tmp_path):
    """A Klaviyo at which every key is good, and a store."""
    settings.delenv("KLAVIYO_API_KEY")
    settings.delenv("KLAVIYO_COMPANY_ID", raising=False)
    settings.setenv("KLAVIYO_STORE_URL", f"sqlite:///{tmp_path}/store.db")
    upgrade(f"sqlite:///{tmp_path}/store.db")
    forget()
    answer = {"data": [{"type": "account", "id": "SHP001", "attributes": {"contact_information": {}}}]}
    monkeypatch.setattr("worker.execution.get_client", klaviyo(lambda request: httpx.Response(200, json=answer)))


def checked(*words):
    told = run("check", *words)
    return told.exit_code, " ".join(told.stdout.split())


def test_check_checks_every_redis_and_account_and_says_that_a_company_is_divided(two_redis, accounts_answer):
    main, eu = two_redis

    code, said = checked()

    for node in ("main", "eu"):
        assert f"Redis ({node})" in said
    for alias in ("outlet", "shop", "stored"):
        assert f"account {alias} key valid" in said
    assert eu.redis.exists("klaviyo:bucket:shop:get_accounts")
    assert not main.redis.exists("klaviyo:bucket:shop:get_accounts")
    assert "accounts outlet (on main), shop (on eu) and stored (on eu) have keys of the company SHP001" in said
    assert code == 0


def test_check_checks_what_lives_elsewhere_while_one_is_away(eu_is_away, accounts_answer):
    code, said = checked()

    assert f"✗ Redis (eu) Redis cannot be reached at {eu_is_away}" in said
    assert "account outlet key valid" in said
    assert "account shop" not in said
    assert code == 1


def test_check_refuses_one_redis_under_two_addresses(two_redis, settings, accounts_answer):
    _, eu = two_redis
    settings.setenv("KLAVIYO_REDIS_URLS__US", f"redis://localhost:{eu.port}/0")
    forget()

    code, said = checked()

    assert "eu and us are one Redis under two addresses, so that everything on it is there twice" in said
    assert code == 2
