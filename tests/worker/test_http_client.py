"""One request over HTTP: what it carries, and what a failure tells of whether Klaviyo has seen it."""

from __future__ import annotations

from contextlib import closing

import httpx
import pytest
from pydantic import SecretStr

from worker.accounts.credentials import Account
from worker.api.jsonapi import Request
from worker.errors import SettingsError, Unavailable
from worker.http_client import make_client, send
from worker.settings import Settings

ACCOUNT = Account("default", SecretStr("pk_secret"), "ABC123")
PRIVATE = Request("GET", "/api/lists", {}, None)
PUBLIC = Request("POST", "/client/events", {}, b"{}")


@pytest.fixture
def sent():
    """Sends a request; what Klaviyo gets of it."""

    def make(request, account=ACCOUNT, end=None):
        seen = []

        def answer(given):
            seen.append(given)
            if end:
                raise end("it broke", request=given)
            return httpx.Response(200)

        with closing(make_client(Settings(_env_file=None), httpx.MockTransport(answer))) as client:
            send(client, account, "an_action", request)
        return seen[0]

    return make


@pytest.mark.parametrize(
    ("end", "seen"),
    [
        (httpx.ConnectError, False), (httpx.ConnectTimeout, False), (httpx.PoolTimeout, False),
        (httpx.ReadTimeout, True), (httpx.ReadError, True), (httpx.WriteError, True), (httpx.WriteTimeout, True),
        (httpx.RemoteProtocolError, True), (httpx.CloseError, True),
    ],
)  # fmt: skip
def test_only_a_connection_that_was_never_made_says_that_nothing_was_sent(sent, end, seen):
    with pytest.raises(Unavailable) as lost:
        sent(PRIVATE, end=end)

    assert lost.value.sent is seen
    assert end.__name__ not in lost.value.reason  # which is for an operator


def test_a_private_operation_carries_the_key_and_no_company(sent):
    request = sent(PRIVATE)

    assert request.headers["authorization"] == "Klaviyo-API-Key pk_secret"
    assert "company_id" not in request.url.params


def test_a_public_operation_carries_the_company_and_no_key(sent):
    request = sent(PUBLIC)

    assert "authorization" not in request.headers
    assert request.url.params["company_id"] == "ABC123"


def test_a_public_operation_without_a_company_says_what_to_set(sent):
    with pytest.raises(SettingsError, match="KLAVIYO_ACCOUNTS__EU__COMPANY_ID"):
        sent(PUBLIC, Account("eu", SecretStr("pk_secret"), None))
