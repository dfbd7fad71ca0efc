"""The programs of docs/webhooks.md receive webhooks, each in its framework."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from email.utils import formatdate
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from tests.worker.webhook_requests import SECRET, body_of, event, headers_of

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
OURS = "https://app.example"


def program(heading):
    """Run the first program below a heading, and return its names."""
    [_, section] = re.split(rf"^# {heading}$|^## {heading}$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    module = ModuleType("program")
    exec(section.partition("```python\n")[2].partition("```")[0], vars(module))
    return module


@pytest.fixture
def shared(settings, fake_redis, monkeypatch):
    """What all three import."""
    settings.setenv("WEBHOOK_SECRETS", f"{SECRET} another-secret-16")
    module = program("Receiving webhooks")
    monkeypatch.setitem(sys.modules, "klaviyo_webhooks", module)
    return module


def post_to_asgi(app):
    def post(body, headers):
        async def sending():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=OURS) as client:
                return (await client.post("/klaviyo", content=body, headers=headers)).status_code

        return asyncio.run(sending())

    return post


def post_to_django(urls):
    import django
    from django.conf import settings
    from django.test import Client, override_settings

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"])
        django.setup()

    def post(body, headers):
        with override_settings(ROOT_URLCONF=urls):
            client = Client(enforce_csrf_checks=True)
            return client.post("/klaviyo", body, "application/json", headers=headers).status_code

    return post


FRAMEWORKS = {
    "Starlette": lambda module: post_to_asgi(module.app),
    "FastAPI": lambda module: post_to_asgi(module.app),
    "Django": post_to_django,
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_program_handles_each_event_of_a_webhook_once(framework, shared):
    post = FRAMEWORKS[framework](program(framework))
    body, stamp = body_of(event("e-1"), event("e-2")), formatdate(time.time(), usegmt=True)
    genuine = headers_of(body, stamp)

    assert [post(body, genuine), post(body, genuine)] == [202, 202]
    assert post(body, headers_of(body, stamp, secret="guessed-secret-16")) == 401
    assert [topic for topic, _ in shared.handled] == ["event:klaviyo.opened_email"] * 2
