"""What a worker says at its start of how accounts are divided over several Redis."""

from __future__ import annotations

import time

import worker.celery
from tasks.metrics import get_metrics
from tests.live.nodes import free_ports
from worker.accounts.companies import learn_company
from worker.accounts.lookup import account
from worker.one_per_process import forget
from worker.process.divided import check_division
from worker.redis.called import RUNNING_S, note_names
from worker.redis.homes import at_home, at_redis
from worker.settings import get_settings


def said():
    return [finding.text for finding in check_division(get_settings())]


def test_nothing_is_said_where_all_is_well(two_redis):
    for alias in ("shop", "outlet", "stored"):
        get_metrics.on(alias).delay()

    assert said() == []


def test_tasks_of_an_account_whose_setting_was_changed_while_they_waited_are_told(two_redis, settings):
    get_metrics.on("shop").delay()
    settings.setenv("KLAVIYO_ACCOUNTS__SHOP__REDIS", "main")
    forget()

    [told] = said()
    assert told.startswith(
        "1 of its tasks waits on the Redis eu, though it lives on main: neither knows what the other"
    )
    assert "`klaviyo pause --account shop` holds up those on main" in told


def test_a_worker_says_so_in_its_log(two_redis, caplog):
    for alias in ("outlet", "shop"):
        with at_home(alias):
            learn_company(account(get_settings(), alias), "SHP001")

    worker.celery._log_findings(check_division(get_settings()))

    assert "limits: accounts outlet (on main) and shop (on eu) have keys of the company SHP001" in caplog.text


def test_one_that_is_away_keeps_nothing_from_being_said_of_the_others(two_redis, settings):
    main, _ = two_redis
    [port] = free_ports(1)
    settings.setenv("KLAVIYO_REDIS_URLS__EU", f"redis://127.0.0.1:{port}/0")
    settings.setenv("KLAVIYO_REDIS_URLS__US", f"redis://localhost:{main.port}/0")
    forget()

    assert said()[0].startswith("main and us are one Redis under two addresses")


def test_a_worker_that_calls_a_redis_by_another_name_is_noticed_by_all_others(two_redis, settings):
    settings.setenv("KLAVIYO_REDIS_NAME", "eu")
    settings.setenv("KLAVIYO_REDIS_URLS__EU", get_settings().redis_called("main").url)  # the two are swapped
    forget()
    note_names(get_settings())
    settings.setenv("KLAVIYO_REDIS_NAME", "main")
    settings.setenv("KLAVIYO_REDIS_URLS__EU", f"redis://127.0.0.1:{two_redis[1].port}/0")
    forget()

    [told] = said()
    assert told.startswith(
        f"running workers call the one at redis://127.0.0.1:{two_redis[0].port}/0 eu, and here it is"
    )


def test_a_worker_whose_clock_is_slow_is_noticed_all_the_same(two_redis, settings, monkeypatch):
    settings.setenv("KLAVIYO_REDIS_URLS__US", "redis://127.0.0.1:1/0")
    settings.setenv("KLAVIYO_REDIS_NAME", "us")
    forget()
    right = time.time
    with monkeypatch.context() as patched:
        patched.setattr("time.time", lambda: right() - 3_600)
        with at_redis("main"):
            note_names(get_settings())
    settings.delenv("KLAVIYO_REDIS_NAME")
    forget()

    assert any(each.startswith("running workers call the one at") for each in said())


def test_a_redis_that_was_taken_out_of_the_settings_is_remembered_where_others_knew_it(two_redis, settings):
    note_names(get_settings())
    assert said() == []
    for name in ("KLAVIYO_REDIS_URLS__EU", "KLAVIYO_ACCOUNTS__SHOP__REDIS"):
        settings.delenv(name)
    forget()

    [told] = said()
    assert told.startswith("workers had one called eu in their settings until 20")
    assert "set KLAVIYO_REDIS_URLS__EU again" in told


def test_a_full_redis_takes_no_names_and_holds_up_no_worker(two_redis):
    server = two_redis[0].redis
    memory = server.config_get("maxmemory")
    server.config_set("maxmemory", 1)
    try:
        note_names(get_settings())
        assert not server.exists("klaviyo:homes")
    finally:
        server.config_set("maxmemory", memory["maxmemory"])


def test_what_a_worker_that_has_ended_called_it_is_forgotten_soon(two_redis, settings, monkeypatch):
    settings.setenv("KLAVIYO_REDIS_URLS__US", "redis://127.0.0.1:1/0")
    settings.setenv("KLAVIYO_REDIS_NAME", "us")
    forget()
    with monkeypatch.context() as patched:
        patched.setattr("worker.redis.called._now", lambda: time.time() - RUNNING_S - 1)
        with at_redis("main"):
            note_names(get_settings())
    settings.delenv("KLAVIYO_REDIS_NAME")
    forget()

    assert said() == []
