"""What `klaviyo check` says of stored accounts."""

from __future__ import annotations

import time

import httpx
import pytest
from pydantic import SecretStr

from schedules.store.migrate import upgrade
from tests.cli.typed import klaviyo, run
from worker.accounts.credentials import Grant
from worker.accounts.stored import get_account_store
from worker.one_per_process import forget

ACCOUNT = {"data": [{"type": "account", "id": "SHP001", "attributes": {"contact_information": {}}}]}
LACKS = {"errors": [{"detail": "Your API key is missing the required scopes: reviews:read."}]}


@pytest.fixture
def store(settings, client, monkeypatch, tmp_path):
    settings.setenv("KLAVIYO_SECRET_KEY", "k" * 40)
    settings.setenv("KLAVIYO_STORE_URL", f"sqlite:///{tmp_path}/store.db")
    upgrade(f"sqlite:///{tmp_path}/store.db")
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    monkeypatch.setattr("worker.execution.get_client", klaviyo(answer))
    return get_account_store()


def answer(request):
    """A Klaviyo at which every key and token is good, and no key may read reviews."""
    if request.url.path.startswith("/api/reviews"):
        return httpx.Response(403, json=LACKS)
    return httpx.Response(200, json=ACCOUNT)


def test_what_a_grant_is_not_for_is_known_without_trying(store):
    now = time.time()
    tokens = SecretStr("at_secret"), SecretStr("rt_secret")
    store.change("shop", grant=Grant("g", *tokens, now, now + 3600, frozenset({"accounts:read", "lists:read"})))

    said = " ".join(run("check", "--account", "shop").stdout.split())

    assert "token valid" in said
    assert "may read: accounts, lists" in said
    assert "To widen its grant, run `klaviyo accounts authorize shop --scope …`." in said
    _, _, barred = said.partition("cannot call ")
    assert " create_profile," in barred
    assert " get_lists," not in barred
    assert "secret" not in said


def test_what_a_key_is_found_to_lack_is_remembered_for_the_next_call(store):
    store.change("shop", api_key=SecretStr("pk_shop"))

    said = " ".join(run("check", "--account", "shop").stdout.split())

    assert "may not read: reviews. The scopes of a key cannot be changed: make a key that has them and run" in said
    assert "`klaviyo accounts rotate shop`" in said
    assert "cannot call 3 actions: get_review, get_reviews, update_review." in said
    assert store.lacking("shop").scopes == {"reviews:read", "reviews:write"}


def test_an_account_that_cannot_be_decrypted_is_reported(store, settings):
    store.change("shop", api_key=SecretStr("pk_shop"))
    settings.setenv("KLAVIYO_SECRET_KEY", "n" * 40)
    forget()

    found = run("check")

    assert found.exit_code == 1
    assert "encrypted with a key that KLAVIYO_SECRET_KEY does not hold. Until then its tasks wait." in found.stdout


def test_accounts_whose_keys_belong_to_one_company_are_reported(store):
    for alias in ("shop", "twin"):
        store.change(alias, api_key=SecretStr(f"pk_{alias}"))

    first = " ".join(run("check", "--account", "shop").stdout.split())
    second = " ".join(run("check", "--account", "twin").stdout.split())

    assert "shares Klaviyo's limits" not in first
    assert "shares Klaviyo's limits with account shop, whose key belongs to SHP001, too" in second
