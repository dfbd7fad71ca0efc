"""Access tokens: refreshed once, ahead of time, and lost by nothing that Klaviyo or the network does."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace

import httpx
import pytest
from pydantic import SecretStr

from tests.sandbox.in_process import Clock, Sandbox
from worker.accounts import token_endpoint, tokens
from worker.accounts.credentials import Grant
from worker.accounts.stored import get_account_store
from worker.accounts.token_endpoint import Tokens
from worker.accounts.tokens import authorized, may_renew, refreshed_before_s, renew
from worker.errors import CredentialsFailed, TokenPending
from worker.governor import get_governor
from worker.one_per_process import forget

HOUR = 3_600.0


class Klaviyo:
    """The token endpoint of a sandbox, as this process reaches it, and what has been asked of it."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(clock=Clock(now=time.time())).unlimited()
        self.asked = 0
        self.lock = threading.Lock()

    def answer(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            self.asked += 1
            headers = {name: request.headers[name] for name in ("authorization", "content-type")}
            try:
                answer = self.sandbox.request(
                    "POST", request.url.path, content=request.content, headers={**headers, "Authorization": None}
                )
            except ConnectionResetError:
                raise httpx.ReadError("cut", request=request) from None
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def fault(self, kind: str, **more: object) -> None:
        self.sandbox.post("/_sandbox/faults", {"fault": kind, "operation": "oauth_token", **more})


@pytest.fixture
def now(monkeypatch):
    """The time by which tokens expire, which a test moves."""
    clock = SimpleNamespace(now=time.time())
    made = SimpleNamespace(time=lambda: clock.now, monotonic=time.monotonic)
    monkeypatch.setattr(tokens, "time", made)
    return clock


@pytest.fixture
def klaviyo(settings, client, monkeypatch, now):
    settings.setenv("KLAVIYO_SECRET_KEY", "k" * 40)
    settings.setenv("KLAVIYO_CLIENT_ID", "sandbox-app")
    settings.setenv("KLAVIYO_CLIENT_SECRET", "sandbox-secret")
    settings.setenv("KLAVIYO_BASE_URL", "http://sandbox")
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    made = Klaviyo()
    monkeypatch.setattr(
        token_endpoint, "session", lambda: httpx.Client(transport=httpx.MockTransport(made.answer))
    )  # fmt: skip
    yield made
    made.sandbox.close()


@pytest.fixture
def owner(klaviyo, now):
    """An account whose token holds for an hour from now."""
    grant = Grant("g1", SecretStr("at_old"), SecretStr("rt_sandbox_a"), now.now, now.now + HOUR, frozenset({"a"}))
    return get_account_store().change("a", grant=grant)


def find():
    return get_account_store().find("a")


def test_a_token_that_holds_is_used_as_it_is(klaviyo, owner):
    assert authorized(owner, "get_lists", get_governor()) is owner
    assert klaviyo.asked == 0


def test_a_token_is_refreshed_ahead_of_its_expiry_and_stored_before_it_is_used(klaviyo, owner, now):
    now.now += HOUR - 60

    renewed = authorized(owner, "get_lists", get_governor())

    assert klaviyo.asked == 1
    assert renewed.authorization("get_lists") != owner.authorization("get_lists")
    assert get_account_store().read("a") == renewed
    assert (renewed.fingerprint, renewed.grant.scopes) == (owner.fingerprint, owner.grant.scopes)
    assert renewed.grant.expires == pytest.approx(now.now + HOUR)


def test_the_moments_of_a_thousand_refreshes_are_spread_over_minutes():
    grant = Grant("g", SecretStr("a"), SecretStr("r"), 0.0, HOUR, frozenset())
    before = sorted(refreshed_before_s(f"shop-{number}", grant) for number in range(1000))

    assert 60 <= before[0] < 70
    assert 290 < before[-1] <= 300
    assert max(after - each for each, after in pairwise(before)) < 5


def test_whoever_asks_a_token_is_refreshed_once(klaviyo, owner, now):
    now.now += HOUR + 1

    def ask(_):
        while True:
            try:
                return authorized(owner, "get_lists", get_governor()).authorization("get_lists")
            except TokenPending:
                time.sleep(0.01)

    with ThreadPoolExecutor(32) as pool:
        used = set(pool.map(ask, range(64)))

    assert klaviyo.asked == 1
    assert used == {find().authorization("get_lists")}


def test_while_somebody_else_refreshes_it_a_token_that_holds_is_still_used(klaviyo, owner, now, client):
    now.now += HOUR - 60
    client.set("klaviyo:accounts:refreshing:a", "somebody")

    assert authorized(owner, "get_lists", get_governor()) is owner


def test_while_somebody_else_refreshes_an_expired_one_a_task_waits_without_an_attempt(
    klaviyo, owner, now, client, monkeypatch
):
    now.now += HOUR
    client.set("klaviyo:accounts:refreshing:a", "somebody")
    monkeypatch.setattr(tokens, "PATIENCE_S", 0.0)

    with pytest.raises(TokenPending, match="account a waits for a new access token: it is being requested") as waits:
        renew(owner, "get_lists", get_governor(), patience_s=0.0)
    assert waits.value.retry_after == 1.0


def test_a_refresh_token_that_klaviyo_replaces_is_used_from_then_on(klaviyo, owner, monkeypatch):
    used = []

    def replacing(refresh_token):
        used.append(refresh_token.get_secret_value())
        return Tokens(SecretStr(f"at_{len(used)}"), SecretStr(f"rt_{len(used)}"), HOUR, frozenset())

    monkeypatch.setattr(tokens, "refresh", replacing)

    renew(renew(owner, "get_lists", get_governor()), "get_lists", get_governor())

    assert used == ["rt_sandbox_a", "rt_1"]
    assert find().grant.refresh_token.get_secret_value() == "rt_2"


@pytest.mark.parametrize("kind", ["cut_after_commit", "reset", "malformed"])
def test_a_refresh_whose_answer_was_lost_is_repeated_with_the_same_refresh_token(klaviyo, owner, now, client, kind):
    now.now += HOUR
    klaviyo.fault(kind)

    with pytest.raises(TokenPending):
        authorized(owner, "get_lists", get_governor())
    with pytest.raises(TokenPending, match="its budget of token requests is used up"):
        authorized(owner, "get_lists", get_governor())
    client.delete("klaviyo:blocked")

    assert authorized(owner, "get_lists", get_governor()).authorization("x") != owner.authorization("x")
    assert klaviyo.asked == 2


@pytest.mark.parametrize("status", [500, 503])
def test_an_outage_of_the_token_endpoint_fails_nothing(klaviyo, owner, now, status):
    now.now += HOUR
    klaviyo.fault("status", status=status)

    with pytest.raises(TokenPending, match=f"it answered {status}"):
        authorized(owner, "get_lists", get_governor())


def test_a_429_blocks_the_bucket_for_as_long_as_it_says(klaviyo, owner, now):
    now.now += HOUR
    klaviyo.fault("throttle", retry_after=30)

    with pytest.raises(TokenPending) as first:
        authorized(owner, "get_lists", get_governor())
    with pytest.raises(TokenPending) as second:
        authorized(owner, "get_lists", get_governor())

    assert first.value.retry_after == 30
    assert 25 < second.value.retry_after <= 31
    assert klaviyo.asked == 1


def test_no_more_tokens_are_requested_than_klaviyo_allows(klaviyo, owner, now, client):
    for _ in range(10):
        owner = renew(owner, "get_lists", get_governor())

    with pytest.raises(TokenPending, match="its budget of token requests is used up"):
        renew(owner, "get_lists", get_governor())
    assert klaviyo.asked == 10


def test_a_withdrawn_grant_says_which_command_brings_it_back(klaviyo, owner, now):
    now.now += HOUR
    klaviyo.sandbox.post("/_sandbox/tokens", {"account": "a", "drop": "refresh"})

    with pytest.raises(CredentialsFailed, match=r"withdrawn.*\(invalid_grant\): run `klaviyo accounts authorize a`"):
        authorized(owner, "get_lists", get_governor())


def test_a_wrong_application_is_not_taken_for_a_withdrawn_grant(settings, klaviyo, owner, now):
    now.now += HOUR
    settings.setenv("KLAVIYO_CLIENT_SECRET", "another")
    forget()

    with pytest.raises(CredentialsFailed, match=r"does not know the application \(invalid_client\)"):
        authorized(owner, "get_lists", get_governor())


def test_whoever_was_suspended_in_a_refresh_overwrites_nothing_newer(klaviyo, owner, now, client, monkeypatch):
    now.now += HOUR
    newest = SecretStr("at_of_a_new_grant")

    def meanwhile(refresh_token):
        issued = token_endpoint.refresh(refresh_token)
        client.delete("klaviyo:accounts:refreshing:a")  # its lock has run out
        get_account_store().change("a", grant=Grant("g2", newest, newest, now.now, now.now + HOUR, frozenset()))
        return issued

    monkeypatch.setattr(tokens, "refresh", meanwhile)

    assert authorized(owner, "get_lists", get_governor()).grant.id == "g2"
    assert find().grant.access_token == newest


def test_a_refusal_of_what_was_replaced_meanwhile_stops_nothing(klaviyo, owner, now, monkeypatch):
    now.now += HOUR

    def meanwhile(refresh_token):
        get_account_store().change("a", grant=owner.grant)
        raise token_endpoint.TokenRefused("invalid_grant")

    monkeypatch.setattr(tokens, "refresh", meanwhile)

    assert authorized(owner, "get_lists", get_governor()).generation > owner.generation


def test_a_token_that_is_new_is_not_replaced_when_it_is_refused(owner, now):
    assert not may_renew(owner)
    now.now += 61
    assert may_renew(owner)
