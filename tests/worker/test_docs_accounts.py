"""The two routes of docs/accounts.md connect an account to Klaviyo."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import httpx
import pytest

from tests.sandbox.in_process import Clock, Sandbox
from worker.accounts import token_endpoint
from worker.accounts.stored import get_account_store
from worker.one_per_process import forget

PAGE = Path(__file__).parents[2] / "docs" / "accounts.md"
OURS = "https://app.example"


@pytest.fixture
def sandbox(settings, client, monkeypatch):
    for name, value in {
        "SECRET_KEY": "k" * 40, "CLIENT_ID": "sandbox-app", "CLIENT_SECRET": "sandbox-secret",
        "BASE_URL": "http://sandbox", "OAUTH_REDIRECT_URI": f"{OURS}/klaviyo/callback",
    }.items():  # fmt: skip
        settings.setenv(f"KLAVIYO_{name}", value)
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    made = Sandbox(clock=Clock(now=time.time())).unlimited()
    monkeypatch.setattr(token_endpoint, "session", lambda: httpx.Client(transport=httpx.MockTransport(answer)))

    def answer(request):
        found = made.request(request.method, request.url.path, content=request.content, headers=dict(request.headers))
        return httpx.Response(found.status_code, content=found.content)

    yield made
    made.close()


@pytest.fixture
def app():
    [code] = re.findall(r"```python\n(from starlette.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names = {}
    exec(code, names)
    return names["app"]


def browse(app, *paths, cookies=None):
    """The answers of the application to one browser."""

    async def visit():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=OURS, cookies=cookies) as browser:
            return [await browser.get(path() if callable(path) else path) for path in paths], browser.cookies

    return asyncio.run(visit())


def consent(sandbox, address):
    """Where Klaviyo sends somebody who has consented on account ``a``."""
    given = sandbox.request("GET", f"{address.removeprefix('http://sandbox')}&account=a")
    return given.headers["location"].removeprefix(OURS)


def test_a_customer_connects_their_account(sandbox, app):
    [began], cookies = browse(app, "/connect/shop-7")
    back = consent(sandbox, began.headers["location"])

    [connected, again], _ = browse(app, back, back, cookies=cookies)

    assert (connected.status_code, connected.text) == (200, "Klaviyo is connected to shop-7.")
    assert get_account_store().read("shop-7").grant
    assert (again.status_code, "begin another one" in again.text) == (400, True)


def test_a_consent_that_another_browser_has_begun_connects_nothing(sandbox, app):
    [began], _ = browse(app, "/connect/shop-7")
    back = consent(sandbox, began.headers["location"])

    [refused], _ = browse(app, back)

    assert refused.status_code == 400
    assert get_account_store().read("shop-7") is None
