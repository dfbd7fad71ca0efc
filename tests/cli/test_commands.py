"""The commands as a user types them. No network: Redis is a fake, and nothing is asked of Klaviyo."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import flower.app
import flower.command
import flower.views
import httpx
import pytest
import redis
from celery.exceptions import TaskRevokedError, TimeoutError
from celery.signals import beat_init, celeryd_after_setup
from redbeat.schedulers import acquire_distributed_beat_lock

import schedules.beat  # noqa: F401  it takes RedBeat's own receiver off the signal
import worker.celery  # noqa: F401  what Celery's commands load
from cli.flower.extension import Broker
from tests.cli.typed import klaviyo, run
from worker import governor
from worker.action import ACTIONS
from worker.governor import Governor
from worker.one_per_process import forget
from worker.pauses import describe, how_to_resume
from worker.tiers import Bucket, Limits, Line

pytestmark = pytest.mark.usefixtures("settings")


class TestActions:
    def test_all_actions_are_listed_by_section(self):
        shown = run("actions").stdout
        assert {"Profiles", "Events", "Data privacy"} <= {line.strip() for line in shown.splitlines()}
        for name in ("create_profile", "get_events", "get_tags"):
            assert name in shown

    def test_a_search_lists_what_has_the_word_in_its_name_or_path(self):
        shown = run("actions", "bulk-import").stdout
        assert "bulk_import_profiles" in shown
        assert "create_event" not in shown

    def test_an_action_is_shown_with_its_limits_scopes_and_parameters(self):
        shown = run("actions", "create_event").stdout
        for part in (
            "POST /api/events",
            "350/s 3500/m",
            "XL",
            "events:write",
            "--unique-id",
            "data__attributes__value",
        ):
            assert part in shown

    def test_the_name_of_2024_shows_the_action_it_became(self):
        assert run("actions", "spawn_bulk_profile_import_job").stdout.startswith("bulk_import_profiles")

    def test_json_has_every_action_with_wire_paths_and_aliases(self):
        told = {each["name"]: each for each in json.loads(run("actions", "--json").stdout)}
        assert set(told) == set(ACTIONS)
        profile = told["create_profile"]
        assert (profile["method"], profile["path"], profile["tier"]) == ("POST", "/api/profiles", "L")
        email = next(each for each in profile["parameters"] if each["name"] == "email")
        assert email["wire"] == "data.attributes.email"
        assert email["aliases"] == ["data__attributes__email"]
        assert told["bulk_import_profiles"]["aliases"] == ["spawn_bulk_profile_import_job"]
        assert {"name": "include=lists", "limits": "1/s 15/m", "when": "include=lists"} in told["get_profile"][
            "buckets"
        ]

    def test_an_unknown_name_is_one_sentence_and_exit_code_2(self):
        result = run("actions", "nonesuch")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.strip() == "No action matches 'nonesuch'. `klaviyo actions` lists them all."


class TestCall:
    @pytest.fixture
    def published(self, monkeypatch):
        """Record what would have been published: name, parameters and options of each task."""
        calls = []

        class Published:
            id = "a-task-id"

        def apply_async(task, args=None, kwargs=None, **options):
            calls.append((task.declaration.name, task.declaration.bind(kwargs), options))
            return Published()

        monkeypatch.setattr("worker.action_task.ActionTask.apply_async", apply_async)
        return calls

    def test_options_become_parameters_and_the_tasks_id_is_printed(self, published):
        result = run("call", "create_profile", "--email", "ada@example.com", "--first-name", "Ada")
        assert (result.exit_code, result.stdout) == (0, "a-task-id\n")
        assert published[0][:2] == ("create_profile", {"email": "ada@example.com", "first_name": "Ada"})

    def test_flat_names_json_values_numbers_and_lists_are_understood(self, published):
        run(
            "call", "create_profile", "--data--attributes--email=ada@example.com", "--properties", '{"plan": "pro"}',
            "--data--attributes--location--city", "London", "--fields-profile", "email,id", "--fields-profile=created",
        )  # fmt: skip
        assert published[0][1] == {
            "email": "ada@example.com",
            "properties": {"plan": "pro"},
            "location": {"city": "London"},
            "fields_profile": ["email", "id", "created"],
        }
        run("call", "get_profiles", "--page-size", "50")
        assert published[1][1] == {"page_size": 50}

    def test_json_gives_what_options_cannot(self, published):
        run("call", "create_profile", "--json", '{"email": "ada@example.com", "title": null}')
        assert published[0][1] == {"email": "ada@example.com", "title": None}

    def test_a_time_travels_with_the_task_and_contradicts_now(self, published):
        run("call", "get_tags", "--countdown", "60", "--expires", "600.5")
        assert published[0][2].items() >= {"countdown": 60.0, "expires": 600.5}.items()

        run("call", "get_tags", "--countdown", "1h", "--expires", "2d")
        assert published.pop()[2].items() >= {"countdown": 3600.0, "expires": 172_800.0}.items()

        told = run("call", "get_tags", "--now", "--expires", "5")
        assert (told.exit_code, len(published)) == (2, 1)
        assert "leave out --countdown and --expires" in told.stderr

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--countdown", "soon"], "'soon' is not a span of time: write it like 90s, 5m, 2h or 3d."),
            (["--expires=-3"], "'-3' is not a span of time"),
            (["--countdown", "9", "--expires", "3"], "it would expire in 3 seconds, before its countdown of 9 seconds"),
        ],
    )
    def test_a_time_at_which_nothing_could_be_sent_is_refused(self, published, words, said):
        result = run("call", "get_tags", *words)
        assert (result.exit_code, published) == (2, [])
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1

    @pytest.fixture
    def ends(self, published, fake_redis, monkeypatch):
        """Say how each wait for the task's result ends."""
        ends = []

        class Result:
            def get(self, timeout):
                end = ends.pop(0)
                if isinstance(end, BaseException):
                    raise end
                return end

        monkeypatch.setattr("cli.call.command.app", SimpleNamespace(AsyncResult=lambda id: Result()))
        return ends

    def test_a_result_is_waited_for_and_printed(self, ends):
        ends += [TimeoutError(), {"data": []}]
        result = run("call", "get_tags", "--wait")
        assert (result.exit_code, json.loads(result.stdout), result.stderr) == (0, {"data": []}, "")

    def test_ctrl_c_ends_the_waiting_with_the_exit_code_that_a_shell_knows(self, ends):
        ends += [KeyboardInterrupt()]
        result = run("call", "get_tags", "--wait")
        assert (result.exit_code, result.stdout) == (130, "")
        assert result.stderr == "No longer waiting; task a-task-id continues.\n"

    @pytest.mark.parametrize("reason", ["expired", "dropped by an operator"])
    def test_a_task_that_is_revoked_while_it_is_awaited_is_one_sentence(self, ends, reason):
        ends += [TaskRevokedError(reason)]
        result = run("call", "get_tags", "--wait")
        said = f"Task a-task-id has ended as REVOKED ({reason}): it was not sent.\n"
        assert (result.exit_code, result.stdout, result.stderr) == (1, "", said)

    def test_a_pause_that_holds_up_an_awaited_task_is_shown_once_with_how_to_resume_it(self, ends, fake_redis):
        for what in ("action:get_tags", "action:create_event"):
            Governor(fake_redis).pause(what, "ann", "for now", since=1.0)
        ends += [TimeoutError(), TimeoutError(), {"data": []}]
        result = run("call", "get_tags", "--wait")
        assert result.exit_code == 0
        assert result.stderr.count("The task is waiting. The action get_tags has been paused since") == 1
        assert "klaviyo resume --action get_tags" in result.stderr
        assert "create_event" not in result.stderr

    def test_account_and_lane_travel_with_the_task(self, published, settings):
        settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
        run("call", "get_tags", "--account", "eu", "--lane", "bulk")
        assert published[0][2] == {"klaviyo_account": "eu", "klaviyo_lane": "bulk"}

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["create_profile", "--emial", "ada@example.com"], "did you mean 'email'"),
            (["create_profile", "--email"], "parameter 'email' has no value"),
            (["create_profile", "ada@example.com"], "there is a value without an option"),
            (["create_profile", "--properties", "{secret"], "parameter 'properties' takes JSON"),
            (["create_profile", "--json", "[1]"], "--json takes an object"),
            (["create_profile", "--email", "a@b.example", "--json", '{"email": "a@b.example"}'], "is given twice"),
            (["create_profile", "--email", "a@b.example", "--email", "b@b.example"], "is given 2 times"),
            (["creat_profile", "--email", "a@b.example"], "Did you mean create_profile?"),
            (["get_tags", "--lane", "fast"], "There is no lane 'fast'"),
        ],
    )
    def test_a_wrong_call_is_one_sentence_without_values_and_publishes_nothing(self, published, words, said):
        result = run("call", *words)
        assert result.exit_code == 2
        assert said in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
        assert not {"ada@example.com", "secret"} & set(result.stderr.split())
        assert published == []

    def test_an_account_that_is_not_configured_is_reported_with_its_variable(self, fake_redis):
        result = run("call", "get_tags", "--account", "eu")
        assert result.exit_code == 2
        assert "KLAVIYO_ACCOUNTS__EU__API_KEY" in result.stderr

    def test_now_prints_the_envelope(self, fake_redis, monkeypatch):
        tags = {"data": [{"type": "tag", "id": "1", "attributes": {"name": "vip"}}]}
        monkeypatch.setattr("worker.execution.get_client", klaviyo(lambda request: httpx.Response(200, json=tags)))
        result = run("call", "get_tags", "--now")
        assert result.exit_code == 0
        assert json.loads(result.stdout) == {**tags, "error": None, "successful": True}

    def test_a_refusal_by_klaviyo_is_one_sentence_and_exit_code_1(self, fake_redis, monkeypatch):
        gone = {"errors": [{"detail": "No such tag.", "source": {"pointer": "/data/id"}}]}
        monkeypatch.setattr("worker.execution.get_client", klaviyo(lambda request: httpx.Response(404, json=gone)))
        result = run("call", "get_tag", "--id", "1", "--now")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "Klaviyo answered 404: No such tag" in result.stderr

    def test_without_redis_it_says_what_to_do_and_hides_the_password(self):
        result = run("call", "get_tags")
        assert result.exit_code == 1
        assert "Redis cannot be reached at redis://127.0.0.1:1/0" in result.stderr
        assert "hidden" not in result.output


class TestLimits:
    def line(self, name="get_tags", limits="3/s 60/m", account="default"):
        return Line(account, (Bucket(name, Limits.parse(limits)),))

    def rows(self):
        return {row["name"]: row for row in json.loads(run("limits", "--json").stdout)}

    def test_before_the_first_call_there_is_nothing_to_show(self, fake_redis):
        result = run("limits")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "nothing to show" in result.stderr

    def test_used_waiting_and_in_flight_are_shown_for_each_bucket(self, fake_redis):
        line = self.line()
        taken = Governor(fake_redis)
        assert taken.reserve((line.name, line.spec), "now-1", 60_000) == 0
        for number in range(5):
            taken.wait((line.name, line.spec), "now" if number < 3 else "bulk", f"t{number}", message(100.0 - number))
        taken.wait((line.name, line.spec), "bulk", "t9", message(0.0), delay=60.0)
        row = self.rows()["default:get_tags"]
        assert [(each["limit"], each["per"]) for each in row["windows"]] == [(3, "s"), (60, "m")]
        assert row["in_flight"] == row["windows"][0]["used"] == row["windows"][1]["used"] == 1
        assert (row["now"], row["bulk"], row["later"], row["tier"]) == (3, 2, 1, "S")

    def test_the_oldest_waits_since_it_was_wanted(self, fake_redis):
        line = self.line()
        seconds, _ = fake_redis.time()
        taken = Governor(fake_redis)
        taken.wait((line.name, line.spec), "bulk", "old", message(seconds - 300.0))
        taken.wait((line.name, line.spec), "now", "new", message(seconds - 20.0))
        assert 299 <= self.rows()["default:get_tags"]["oldest_seconds"] <= 310
        assert "5 min" in run("limits").stdout

    def test_a_blocked_bucket_says_for_how_long(self, fake_redis):
        line = self.line()
        taken = Governor(fake_redis)
        assert taken.reserve((line.name, line.spec), "t1", 60_000) == 0
        taken.close_lease("t1", governor.RequestEnd(used=False, block=64_800.0))
        assert 64_700 < self.rows()["default:get_tags"]["blocked_seconds"] <= 64_800
        assert "18.0 h" in run("limits").stdout
        assert self.rows()["default:get_tags"]["why"] == "Klaviyo answered 429"

    def test_a_bucket_that_klaviyo_did_not_block_says_what_blocks_it(self, fake_redis):
        line = self.line()
        taken = Governor(fake_redis)
        assert taken.reserve((line.name, line.spec), "t1", 60_000) == 0
        taken.close_lease("t1", governor.RequestEnd(used=False, block=30.0, block_reason="no token yet"))
        assert self.rows()["default:get_tags"]["why"] == "no token yet"

    def test_a_combination_of_buckets_has_a_row_for_those_who_wait_for_all_of_them(self, fake_redis):
        buckets = (Bucket("get_profile", Limits.parse("75/s 750/m")), Bucket("include=lists", Limits.parse("1/s 15/m")))
        line = Line("default", buckets)
        Governor(fake_redis).wait((line.name, line.spec), "now", "t1", message(1.0))
        rows = self.rows()
        assert rows["default:get_profile+include=lists"]["now"] == 1
        assert rows["default:get_profile"]["now"] == rows["default:include=lists"]["now"] == 0
        assert rows["default:include=lists"]["windows"][1] == {"used": 0, "limit": 15, "per": "m"}


def message(since):
    """Return a message as kombu writes it, reduced to what is read."""
    return json.dumps({"body": "eyJub3QiOiAic2luY2UifQ==", "headers": {"klaviyo": {"lane": "now", "since": since}}})


def scopes():
    return {scope for action in ACTIONS.values() for scope in action.declaration.scopes}


ACCOUNT = {"type": "account", "id": "ABC123", "attributes": {"public_api_key": "ABC123"}}


class TestCheck:
    def answer(self, request):
        return httpx.Response(200, json={"data": [ACCOUNT] if request.url.path == "/api/accounts" else []})

    def test_everything_in_order_is_reported_line_by_line(self, fake_redis, monkeypatch):
        monkeypatch.setattr("worker.execution.get_client", klaviyo(self.answer))
        result = run("check")
        assert result.exit_code == 0
        for part in ("Valkey 9.1.2", "embedded", "noeviction", "key valid", "ABC123", "may read: accounts"):
            assert part in result.stdout
        assert "✗" not in result.stdout
        assert "pk_secret" not in result.output

    def test_a_misspelled_setting_is_a_warning_with_the_nearest_name(self, fake_redis, monkeypatch, settings):
        settings.setenv("KLAVIYO_CONCURENCY", "hidden")
        monkeypatch.setattr("worker.execution.get_client", klaviyo(self.answer))
        result = run("check")
        assert result.exit_code == 0
        assert "! settings" in result.stdout
        assert "KLAVIYO_CONCURENCY is no setting; did you mean KLAVIYO_CONCURRENCY?" in result.stdout
        assert "hidden" not in result.output

    def test_a_wrong_key_stops_with_what_to_do(self, fake_redis, monkeypatch):
        monkeypatch.setattr("worker.execution.get_client", klaviyo(lambda request: httpx.Response(401, json={})))
        result = run("check")
        assert result.exit_code == 1
        assert "Klaviyo does not accept its key" in result.stdout
        assert "KLAVIYO_API_KEY" in result.stdout

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (httpx.Response(401, json={}), "Klaviyo does not accept its key"),
            (httpx.Response(200, json={"data": [{**ACCOUNT, "id": "OTHER1", "attributes": {}}]}), "belongs to OTHER1"),
            (httpx.Response(410, json={}), "Klaviyo answered 410"),
            (httpx.Response(429, json={}, headers={"Retry-After": "5"}), "Klaviyo answered 429"),
        ],
    )
    def test_of_several_accounts_each_is_checked_whatever_is_wrong_with_another(
        self, fake_redis, monkeypatch, settings, answer, said
    ):
        settings.setenv("KLAVIYO_COMPANY_ID", "ABC123")
        settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
        forget()

        def answers(request):
            mine = "pk_eu" in request.headers["Authorization"] or request.url.path != "/api/accounts"
            return self.answer(request) if mine else answer

        monkeypatch.setattr("worker.execution.get_client", klaviyo(answers))
        result = run("check")
        told = " ".join(result.stdout.split())
        assert result.exit_code == 1
        assert said in told
        assert told.count("may read: accounts") == 1

    def test_a_company_id_of_another_account_stops(self, fake_redis, monkeypatch, settings):
        settings.setenv("KLAVIYO_COMPANY_ID", "XYZ789")
        forget()
        monkeypatch.setattr("worker.execution.get_client", klaviyo(self.answer))
        result = run("check")
        assert result.exit_code == 1
        assert "KLAVIYO_COMPANY_ID=ABC123" in result.stdout

    def test_scopes_that_are_missing_are_named(self, fake_redis, monkeypatch):
        def answer(request):
            lacks = request.url.path == "/api/lists" or (request.method == "PATCH" and "/tags/" in request.url.path)
            return httpx.Response(403, json={}) if lacks else self.answer(request)

        monkeypatch.setattr("worker.execution.get_client", klaviyo(answer))
        result = run("check")
        assert result.exit_code == 0
        assert "may not read: lists." in result.stdout
        assert "may not write: tags." in result.stdout
        told = " ".join(result.stdout.split())
        assert all(scope.partition(":")[0] in told for scope in scopes())

    def test_a_scope_is_not_granted_by_an_answer_that_says_nothing_of_it(self, fake_redis, monkeypatch):
        def answer(request):
            failed = {"errors": [{"detail": "It is down."}]}
            down = request.url.path.endswith(("/forms", "/lists")) or "/coupons/" in request.url.path
            return httpx.Response(503, json=failed) if down else self.answer(request)

        monkeypatch.setattr("worker.execution.get_client", klaviyo(answer))
        told = " ".join(run("check").stdout.split())
        for scope in ("coupons:write", "forms:read", "forms:write", "lists:read"):
            assert f"{scope} could not be checked: Klaviyo answered 503: It is down. " in told
        granted = told.partition("may read:")[2]
        assert "forms" not in granted
        assert "coupons, " in granted.partition("may write:")[0]
        assert "coupons, " not in granted.partition("may write:")[2]

    @pytest.mark.parametrize("what", ["action:default:create_event", "tier:klaviyo.xl"])
    def test_a_pause_is_a_warning_and_the_other_scopes_are_tried(self, fake_redis, monkeypatch, what):
        monkeypatch.setattr("worker.execution.get_client", klaviyo(self.answer))
        for each in (what, "action:other:create_event"):
            Governor(fake_redis).pause(each, "ann", "for now", since=1.0)
        result = run("check")
        told = " ".join(result.stdout.split())
        assert result.exit_code == 0
        held = f"The {describe(what)} is paused by ann: for now. {how_to_resume(what)}"
        assert f"events:write could not be checked. {held}" in told
        assert "may read: accounts" in told
        assert "may write: " in told

    def test_a_paused_account_is_not_checked_but_the_others_are(self, fake_redis, monkeypatch, settings):
        settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
        forget()
        monkeypatch.setattr("worker.execution.get_client", klaviyo(self.answer))
        Governor(fake_redis).pause("account:default", "ann", "for now", since=1.0)
        result = run("check")
        told = " ".join(result.stdout.split())
        assert result.exit_code == 0
        assert "its key and scopes were not checked" in told
        assert told.count("may read: accounts") == 1

    def test_a_redis_that_may_throw_tasks_away_stops(self, fake_redis, monkeypatch):
        told = {"redis_version": "7.2.4", "maxmemory_policy": "allkeys-lru", "tcp_port": 6379}
        monkeypatch.setattr(fake_redis, "info", lambda: told)
        result = run("check")
        assert result.exit_code == 1
        assert "maxmemory-policy is allkeys-lru" in result.stdout
        assert "Set it to noeviction" in result.stdout

    def test_calls_in_a_queue_that_nobody_reads_are_reported_with_what_to_do(self, fake_redis, monkeypatch):
        monkeypatch.setattr("worker.execution.get_client", klaviyo(self.answer))
        names = ["klaviyo.create_profile", "shop.ship", "klaviyo.job", "klaviyo.create_profile"]
        fake_redis.rpush("celery", *[json.dumps({"headers": {"task": name}}) for name in names], "none", "[]", "{}")
        result = run("check")
        assert result.exit_code == 0
        assert "klaviyo.create_profile × 2, klaviyo.job × 1" in result.stdout
        assert 'queue="klaviyo"' in result.stdout
        assert "shop" not in result.stdout
        assert fake_redis.llen("celery") == 7

    def test_an_old_redis_stops(self, fake_redis, monkeypatch):
        monkeypatch.setattr(fake_redis, "info", lambda: {"redis_version": "5.0.7"})
        result = run("check")
        assert result.exit_code == 1
        assert "at least 6.2 is needed" in result.stdout

    def test_a_klaviyo_out_of_reach_stops(self, fake_redis, monkeypatch):
        def answer(request):
            raise httpx.ConnectError("no")

        monkeypatch.setattr("worker.execution.get_client", klaviyo(answer))
        result = run("check")
        assert result.exit_code == 1
        assert "cannot be reached" in result.stdout

    def test_no_redis_stops(self, monkeypatch):
        def refuse():
            raise redis.ConnectionError("no")

        gone = type("Gone", (), {"info": staticmethod(refuse), "get": lambda self, key: refuse()})
        for module in ("worker.process.checks", "schedules.store.outage"):
            monkeypatch.setattr(f"{module}.get_redis", gone)
        monkeypatch.setattr("worker.redis.patience.time.sleep", lambda seconds: pytest.fail("it waited for Redis"))
        result = run("check")
        assert result.exit_code == 1
        assert "hidden" not in result.output


def test_a_wrong_setting_is_one_sentence_not_a_traceback():
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", "from cli import main; main()", "actions"],
        env={**os.environ, "PYTHONPATH": root, "KLAVIYO_REDIS_URL": "mysql://x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "KLAVIYO_REDIS_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    ["-A worker worker", "-A worker beat", "-A worker flower", "-A worker.app:app report", "-A worker inspect ping"],
)
def test_a_wrong_setting_ends_celerys_commands_with_one_sentence(words):
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "celery", *words.split()],
        cwd=root,
        env={**os.environ, "PYTHONPATH": root, "KLAVIYO_REDIS_URL": "redis://redis?databse=1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "The settings are wrong: KLAVIYO_REDIS_URL: 'databse' is not an option of such an address"
    )
    assert len(done.stderr.splitlines()) == 1


def test_an_application_that_imports_actions_under_a_wrong_setting_fails_at_once():
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", "import tasks.registry"],
        env={**os.environ, "PYTHONPATH": root, "KLAVIYO_TIMEZONE": "Mars"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1].startswith(
        "worker.errors.SettingsError: KLAVIYO_TIMEZONE: this is not a time zone"
    )
    assert "celery/" not in done.stderr


WORKER = SimpleNamespace(app=None)


def test_worker_beat_and_flower_tell_of_misspelled_settings_when_they_start(settings, caplog, own_logging):
    settings.setenv("KLAVIYO_CONCURENCY", "hidden")
    settings.setattr(flower.app.Flower, "start", lambda self: None)
    beat_init.disconnect(acquire_distributed_beat_lock)  # as beat's own scheduler does
    started = object.__new__(flower.command.Flower)
    started.troubles, started.io_loop = None, SimpleNamespace(add_callback=lambda _: None)
    for start in (
        lambda: celeryd_after_setup.send(sender="w1", instance=WORKER, conf=None),
        lambda: beat_init.send(sender=None),
        started.start,
    ):
        caplog.clear()
        start()
        assert [each.removeprefix("settings: ") for each in caplog.messages] == [
            "KLAVIYO_CONCURENCY is no setting; did you mean KLAVIYO_CONCURRENCY?"
        ]


def test_flowers_broker_page_asks_the_client_that_knows_our_addresses():
    assert flower.views.Broker is Broker
