"""An account lives on one Redis of several: what is done for it is done there, whoever does it."""

from __future__ import annotations

import pytest
from celery import chain
from pydantic import SecretStr

from tasks.profiles import create_profile
from worker.accounts import oauth
from worker.accounts.credentials import Grant
from worker.accounts.lookup import account, aliases
from worker.accounts.stored import get_account_store
from worker.accounts.token_endpoint import Tokens
from worker.app import app
from worker.errors import SettingsError
from worker.governor import get_governor
from worker.one_per_process import forget
from worker.redis.connection import get_redis
from worker.redis.homes import at_each, at_home, here, home_of
from worker.settings import get_settings


def test_a_consent_of_another_klaviyo_account_is_refused_wherever_the_account_lives(two_redis, settings, monkeypatch):
    settings.setenv("KLAVIYO_CLIENT_ID", "app")
    settings.setenv("KLAVIYO_CLIENT_SECRET", "secret")
    settings.setenv("KLAVIYO_OAUTH_REDIRECT_URI", "https://shop.example/consent")
    get_settings.cache_clear()
    issued = Tokens(SecretStr("at"), SecretStr("rt"), 3600.0, frozenset())
    monkeypatch.setattr(oauth, "redeem", lambda *_: issued)
    monkeypatch.setattr(oauth, "company_of", lambda _: "OTHER1")
    before = Grant("g", SecretStr("at"), SecretStr("rt"), 0.0, 1.0, frozenset(), "KNOWN1")
    with at_home("stored"):
        get_account_store().change("stored", api_key=None, grant=before)
    _, state = oauth.authorization_url("stored")

    with pytest.raises(oauth.OtherCompany):
        oauth.exchange("code", state)
    with at_home("stored"):
        assert get_account_store().read("stored").grant == before


def waiting(node):
    return {key.partition("|")[0] for key in node.redis.hkeys("klaviyo:waiting")}


def test_a_call_goes_where_its_account_lives(two_redis):
    main, eu = two_redis

    ids = {alias: create_profile.on(alias).delay(email="ada@example.com").id for alias in ("shop", "outlet", "stored")}

    assert waiting(main) == {ids["outlet"]}
    assert waiting(eu) == {ids["shop"], ids["stored"]}


def test_many_calls_and_those_on_celerys_way_do_too(two_redis):
    main, eu = two_redis

    [many] = create_profile.on("shop").delay_many([{"email": "ada@example.com"}])
    celerys = create_profile.on("shop").apply_async(None, {"email": "ada@example.com"}, ignore_result=True)

    assert waiting(eu) == {many.id, celerys.id}
    assert waiting(main) == set()


def test_remote_control_reaches_each_redis_though_a_task_was_first_sent_elsewhere(two_redis):
    heard = [node.redis.pubsub(ignore_subscribe_messages=True) for node in two_redis]
    for each in heard:
        each.psubscribe("*")
        each.get_message(timeout=10)
    with at_home("shop"):
        app.send_task("klaviyo.anything", queue="klaviyo.l", countdown=60)

    app.control.broadcast("ping")

    assert [each.get_message(timeout=10) is not None for each in heard] == [True, True]
    for each in heard:
        each.close()


def test_a_result_is_waited_for_where_the_account_lives(two_redis):
    _, eu = two_redis
    result = create_profile.on("shop").delay(email="ada@example.com")
    with at_home("shop"):
        app.backend.store_result(result.id, {"data": None}, "SUCCESS")

    assert eu.redis.exists(f"celery-task-meta-{result.id}")
    assert result.get(timeout=60) == {"data": None}


def test_a_chain_that_would_be_parted_is_refused_and_one_at_home_is_not(two_redis):
    main, eu = two_redis
    parts = [create_profile.on("shop").si(email=f"{name}@example.com") for name in ("ada", "grace")]

    with pytest.raises(SettingsError, match="lives on the Redis 'eu', but its chain, group or chord is on 'main'"):
        chain(*parts).apply_async()
    assert waiting(main) | waiting(eu) == set()

    with at_home("shop"):
        chain(*parts).apply_async()
    assert len(waiting(eu)) == 1


def test_each_redis_knows_the_accounts_that_live_there(two_redis):
    known = at_each(lambda: aliases(get_settings()))

    assert known == {"main": ["default", "outlet"], "eu": ["shop", "stored"]}
    assert account(get_settings(), "stored").key() == "pk_stored"
    assert (home_of("stored"), home_of("shop"), home_of(None), home_of("nobody")) == ("eu", "eu", "main", "main")


def test_a_worker_of_another_redis_is_at_home_there(two_redis, settings):
    settings.setenv("KLAVIYO_REDIS_NAME", "eu")
    forget()
    _, eu = two_redis

    assert here() == "eu"
    assert aliases(get_settings()) == ["shop", "stored"]
    assert get_redis().connection_pool.connection_kwargs["port"] == eu.port
    assert get_governor() is get_governor()


def test_a_redis_that_nobody_knows_is_one_sentence(two_redis, settings):
    settings.setenv("KLAVIYO_ACCOUNTS__SHOP__REDIS", "us")
    forget()

    with pytest.raises(
        SettingsError, match=r"KLAVIYO_ACCOUNTS__SHOP__REDIS: there is no Redis 'us' \(known: main, eu;"
    ):
        get_settings()
