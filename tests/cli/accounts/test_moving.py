"""A stored account moves from one Redis to another: what hinders that, what is carried over, and how it is taken up."""

from __future__ import annotations

import time

import pytest
from pydantic import SecretStr

from cli.accounts.moving import begin_move, finish_move, what_is_left
from cli.failures.groups import replay_all
from schedules.sync import request_sync
from tasks.metrics import get_metrics
from tasks.profiles import create_profile
from tests.cli.typed import run
from tests.failing import ADA, fail, refused
from tests.live.system import until
from worker.accounts.credentials import Grant
from worker.accounts.lookup import account, aliases
from worker.accounts.stored import AccountStore, get_account_store
from worker.app import app
from worker.errors import SettingsError
from worker.failures.kept import failures_of, failures_of_account
from worker.failures.replay import replay
from worker.governor import RequestEnd, get_governor
from worker.one_per_process import forget
from worker.redis.connection import get_redis
from worker.redis.homes import at_each, at_redis, home_of
from worker.settings import get_settings
from worker.tiers import QUEUES


@pytest.fixture
def begun(two_redis):
    """The stored account has begun something on the Redis from which it moves; another one moves nowhere."""
    with at_redis("eu"):
        get_governor().beat("worker", 0, list(QUEUES), 10)
    return get_metrics.on("stored").delay().id


def answered(name, task_id, end=RequestEnd(used=True)):  # noqa: B008  frozen
    """A worker of a Redis makes the request of a task, now."""
    with at_redis(name):
        governor = get_governor()
        governor.beat("worker", 100, list(QUEUES), 10_000)

        def claimed() -> bool:
            governor.tick()
            return bool(governor.claim(task_id, 60_000, True, "holder").state == "ok")

        until(claimed, 10, "a lease")
        governor.close_lease(task_id, end, "holder")
        get_redis().delete(*QUEUES)


@pytest.mark.parametrize("reason", ["", "no token yet"])
def test_a_429_goes_with_the_account_and_what_else_blocks_it_stays(begun, reason):
    begin_move("stored", "main")
    answered("eu", begun, RequestEnd(used=False, block=600.0, block_reason=reason))

    finish_move("stored", "eu", "main")

    assert bool(get_redis().hexists("klaviyo:blocked", "stored:get_metrics")) is not bool(reason)


def test_new_calls_wait_where_it_goes_until_what_was_begun_has_ended(begun):
    assert begin_move("stored", "main") == "eu"
    new = get_metrics.on("stored").delay().id

    assert home_of("stored") == "main"
    assert aliases(get_settings()) == ["default", "outlet", "stored"]
    assert get_governor().message(new)
    assert "account:stored" in [pause.what for pause in get_governor().paused()]
    with at_redis("eu"):
        assert what_is_left("stored") == {"tasks": 1}
        assert account(get_settings(), "stored").key() == "pk_stored", "what was begun still needs its key"
        assert aliases(get_settings()) == ["shop"]
    answered("eu", begun)
    with at_redis("eu"):
        assert what_is_left("stored") == {}


def test_an_account_that_moves_away_from_here_is_called_where_it_goes(two_redis):
    get_account_store().change("leaving", api_key=SecretStr("pk_leaving"))

    assert begin_move("leaving", "eu") == "main"

    assert home_of("leaving") == "eu"


def test_its_windows_come_with_it_by_the_clock_of_where_it_goes(begun):
    begin_move("stored", "main")
    answered("eu", begun)
    before = time.time() * 1000

    finish_move("stored", "eu", "main")

    [at] = get_redis().lrange("klaviyo:ring:stored:get_metrics", 0, -1)
    assert before - 5_000 < int(at) < time.time() * 1000
    assert get_governor().paused() == []
    with at_redis("eu"):
        assert get_account_store().read("stored") is None


def test_what_it_has_sent_since_its_windows_came_is_not_forgotten_where_the_end_of_the_move_comes_twice(
    begun, monkeypatch
):
    begin_move("stored", "main")
    answered("eu", begun)
    with monkeypatch.context() as killed:
        # Its calls go on, and the old Redis has not heard of the end.
        killed.setattr(AccountStore, "remove", lambda *_: None)
        finish_move("stored", "eu", "main")
    [came] = get_redis().lrange("klaviyo:ring:stored:get_metrics", 0, -1)
    sent_since = int(came) + 1_000
    get_redis().lpush("klaviyo:ring:stored:get_metrics", sent_since)

    finish_move("stored", begin_move("stored", "main"), "main")

    assert get_redis().lrange("klaviyo:ring:stored:get_metrics", 0, -1) == [b"%d" % sent_since, came]


def test_what_has_failed_comes_with_it_and_is_replayed_where_it_lives(begun, monkeypatch):
    with at_redis("eu"):
        monkeypatch.setattr(app.backend, "app", app)
        for alias in ("stored", "shop"):
            fail(create_profile, ADA, refused(), account=alias, task_id=f"failed-{alias}")
        [(_, before)] = failures_of_account("stored")
    begin_move("stored", "main")
    answered("eu", begun)

    finish_move("stored", "eu", "main")

    [(group, after)] = failures_of_account("stored")
    assert after == before
    with at_redis("eu"):
        assert [each.account for each in failures_of(group.id)] == ["shop"]
    assert replay_all(group).tasks == 2
    assert "create_profile" in str(get_redis().hvals("klaviyo:waiting"))


def test_a_failure_is_not_replayed_where_nobody_knows_the_limits_of_its_account(begun, settings, monkeypatch):
    with at_redis("eu"):
        monkeypatch.setattr(app.backend, "app", app)
        fail(create_profile, ADA, refused(), account="shop", task_id="failed")
    settings.setenv("KLAVIYO_ACCOUNTS__SHOP__REDIS", "main")
    forget()

    with at_redis("eu"):
        [(group, _)] = failures_of_account("shop")
        done = replay(group)
        assert [each.id for each in failures_of(group.id)] == ["failed"]
    assert done.tasks == 0
    assert "account 'shop' lives on the Redis main by now" in str(done.impossible)


def test_what_was_begun_before_it_moved_can_be_dropped_where_it_waits(begun):
    begin_move("stored", "main")

    told = run("waiting", begun, "--drop", "--yes")

    assert "1 dropped; 1 were waiting before, 0 are now." in told.stderr
    with at_redis("eu"):
        assert what_is_left("stored") == {}


def test_a_token_that_was_refreshed_meanwhile_is_taken_over(two_redis):
    def grant(token, obtained):
        return Grant("one", SecretStr(token), SecretStr("rt"), obtained, obtained + 3_600, frozenset({"lists:read"}))

    with at_redis("eu"):
        get_account_store().change("shop2", grant=grant("old", 1.0))
    begin_move("shop2", "main")
    with at_redis("eu"):
        get_account_store().change("shop2", grant=grant("fresh", 2.0))

    finish_move("shop2", "eu", "main")

    assert account(get_settings(), "shop2").authorization("get_lists") == "Bearer fresh"


def test_a_key_that_was_replaced_meanwhile_stays(begun):
    begin_move("stored", "main")
    get_account_store().change("stored", api_key=SecretStr("pk_new"))
    assert begin_move("stored", "main") == "eu"

    answered("eu", begun)
    finish_move("stored", "eu", "main")

    assert account(get_settings(), "stored").key() == "pk_new"


def test_a_message_of_a_sync_counts_as_its_accounts(two_redis):
    with at_redis("eu"):
        request_sync("shop", ["profiles"])
        assert what_is_left("shop") == {"messages": 1}
        assert what_is_left("stored") == {}


def test_what_was_broken_off_goes_on_with_the_same_command(begun):
    assert begin_move("stored", "main") == "eu"
    assert begin_move("stored", "main") == "eu"

    answered("eu", begun)
    finish_move("stored", "eu", "main")

    with pytest.raises(SettingsError, match="account 'stored' already lives on main"):
        begin_move("stored", "main")
    assert account(get_settings(), "stored").key() == "pk_stored"


@pytest.mark.parametrize(
    ("name", "to", "said"),
    [
        ("nobody", "eu", "account 'nobody' is not stored"),
        ("stored", "eu", "account 'stored' already lives on eu"),
        ("stored", "us", r"there is no Redis 'us' \(known: main, eu\)"),
    ],
)
def test_what_cannot_move_is_reported(two_redis, name, to, said):
    with pytest.raises(SettingsError, match=said):
        begin_move(name, to)


def test_an_account_that_is_paused_does_not_move_since_what_waits_would_never_end(begun):
    with at_redis("eu"):
        get_governor().pause("account:stored", "somebody", "a refused key", since=time.time())

    with pytest.raises(SettingsError, match="is paused on eu"):
        begin_move("stored", "main")
    assert home_of("stored") == "eu"


def test_nor_does_one_of_which_an_action_is_paused(begun):
    with at_redis("eu"):
        get_governor().pause("action:stored:get_metrics", "somebody", "it costs too much", since=time.time())

    with pytest.raises(SettingsError, match="klaviyo resume --account stored --action get_metrics"):
        begin_move("stored", "main")


def test_what_was_paused_while_it_moved_stays_paused(begun):
    begin_move("stored", "main")
    get_governor().pause("account:stored", "somebody", "a campaign goes first", since=time.time())
    answered("eu", begun)

    finish_move("stored", "eu", "main")

    assert [pause.why for pause in get_governor().paused()] == ["a campaign goes first"]


def test_its_share_of_the_workers_moves_too(begun):
    assert run("accounts", "weigh", "stored", "3").exit_code == 0
    begin_move("stored", "main")

    assert [get_account_store().read("stored").weight for _ in at_each(lambda: None)] == [3, 3]


def test_an_account_does_not_move_to_the_redis_that_it_is_on_under_another_address(two_redis, settings):
    _, eu = two_redis
    settings.setenv("KLAVIYO_REDIS_URLS__US", f"redis://localhost:{eu.port}/0")
    forget()

    with pytest.raises(SettingsError, match="eu and us are one Redis under two addresses"):
        begin_move("stored", "us")
    with at_redis("eu"):
        assert get_account_store().read("stored").key() == "pk_stored"


def test_an_account_that_moves_away_from_others_of_its_company_is_reported(begun, settings):
    settings.setenv("KLAVIYO_ACCOUNTS__SHOP__API_KEY", "pk_stored")
    settings.setattr("cli.accounts.moving.QUIET_S", 0.1)
    forget()
    begin_move("stored", "main")
    answered("eu", begun)

    told = run("accounts", "move", "stored", "main")

    assert "accounts shop (on eu) and stored (on main) have keys of one company" in told.stderr


def test_an_account_that_shares_its_budget_stays_where_the_others_are(two_redis):
    with at_redis("eu"):
        get_account_store().change("twin", api_key=SecretStr("pk_stored"))
        get_redis().hset("klaviyo:shared", "twin", "stored")

    with pytest.raises(SettingsError, match="shares its budget with twin"):
        begin_move("stored", "main")
