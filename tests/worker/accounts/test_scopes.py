"""What an account may not do is said before anything is published."""

from __future__ import annotations

import json

import httpx
import pytest
from pydantic import SecretStr

from tasks.jobs import run_job
from tasks.lists import get_lists
from tasks.profiles import bulk_import_profiles, create_profile, get_profiles
from worker import execution
from worker.accounts.credentials import Grant
from worker.accounts.lookup import account
from worker.accounts.scopes import learn
from worker.accounts.stored import AccountStore, get_account_store
from worker.errors import Forbidden, ScopeMissing
from worker.execution import Call, exchange, settle_lease
from worker.governor import get_governor
from worker.http_client import Response
from worker.one_per_process import forget
from worker.settings import get_settings

DETAIL = "Your API key is missing the required scopes: profiles:write."


@pytest.fixture
def redis(settings, client, monkeypatch):
    settings.setenv("KLAVIYO_SECRET_KEY", "k" * 40)
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    return client


def granted(*scopes):
    grant = Grant("g", SecretStr("at"), SecretStr("rt"), 0.0, 3600.0, frozenset(scopes))
    return get_account_store().change("shop", grant=grant)


def refusal(detail=DETAIL):
    return Forbidden("create_profile", "default", 403, [{"detail": detail}])


def learned(detail=DETAIL, needed=("profiles:write",)):
    return learn(account(get_settings()), refusal(detail), needed)


CALLS = {
    "an action": lambda: create_profile.on("shop").delay(email="ada@example.com"),
    "a job": lambda: run_job(bulk_import_profiles).on("shop").delay(profiles=[{"email": "ada@example.com"}]),
    "a call in this process": lambda: create_profile.on("shop")(email="ada@example.com"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_scope_that_a_grant_lacks_is_named_with_the_command_that_widens_it(redis, call):
    granted("lists:read", "lists:write")

    with pytest.raises(ScopeMissing) as refused:
        CALLS[call]()

    said = str(refused.value)
    assert "the scope profiles:write, which the credentials of account shop do not have" in said
    assert "run `klaviyo accounts authorize shop --scope profiles:write`" in said
    assert get_governor().count() == 0


def test_pages_that_are_collected_need_the_scope_of_their_action(redis):
    granted("lists:read")

    with pytest.raises(ScopeMissing, match="get_profiles needs the scope profiles:read"):
        get_profiles.on("shop").collect()


def test_a_wider_grant_is_noticed_at_the_very_next_call(redis):
    granted("lists:read")
    with pytest.raises(ScopeMissing):
        CALLS["an action"]()
    grant = Grant("g", SecretStr("at"), SecretStr("rt"), 0.0, 3600.0, frozenset({"profiles:write"}))
    AccountStore(lambda: redis).change("shop", grant=grant)  # another process

    CALLS["an action"]()

    assert get_governor().count() == 1


def test_a_grant_whose_scopes_klaviyo_has_not_told_is_not_judged(redis):
    granted()

    CALLS["an action"]()


def test_what_a_key_lacks_is_learned_from_a_refusal_that_names_it(redis):
    assert learned() == ["profiles:write"]

    with pytest.raises(ScopeMissing, match=r"account default.*make a key that has them and set KLAVIYO_API_KEY"):
        create_profile.delay(email="ada@example.com")
    get_lists.delay()


def test_another_process_learns_it_too(redis):
    other = AccountStore(lambda: redis)
    learned()

    assert other.lacking("default").scopes == {"profiles:write"}


@pytest.mark.parametrize("detail", ["Your plan does not include this.", "It needs campaigns:read.", ""])
def test_a_refusal_that_names_no_scope_of_the_action_teaches_nothing(redis, detail):
    assert learned(detail) == []

    create_profile.delay(email="ada@example.com")


@pytest.mark.parametrize("request_of", [get_lists, create_profile])
def test_whatever_makes_a_request_it_teaches_what_the_key_lacks(redis, monkeypatch, request_of):
    """A task, a look-up before it, a call in this process, the first request of a job, many calls in one."""
    [scope] = request_of.declaration.scopes
    said = json.dumps({"errors": [{"detail": f"Your API key is missing the required scopes: {scope}."}]}).encode()
    monkeypatch.setattr(execution, "send", lambda *_: Response(403, httpx.Headers(), said))
    monkeypatch.setattr(execution, "get_client", lambda: None)
    params = {"email": "ada@example.com"} if request_of is create_profile else {}
    call = Call(request_of.declaration, "default", request_of.declaration.bind(params), "id")
    governor = get_governor()

    with pytest.raises(Forbidden):
        exchange(call, governor, get_settings(), settle_lease, [])

    assert get_account_store().lacking("default").scopes == {scope}


def test_it_is_forgotten_with_the_key(redis, settings):
    learned()
    settings.setenv("KLAVIYO_API_KEY", "pk_another")
    forget()

    create_profile.delay(email="ada@example.com")
    assert get_governor().count() == 1
