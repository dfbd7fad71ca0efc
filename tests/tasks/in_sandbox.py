"""A sandbox in this process, asked by actions: what they send is answered, without Redis and without waiting."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from sandbox.app import create_app
from sandbox.config import Config
from worker.action import ACTIONS

HEADERS = {"Authorization": "Klaviyo-API-Key pk_sandbox_default", "revision": "2026-07-15"}


class InSandbox:
    """Carries actions out."""

    def __init__(self) -> None:
        app = create_app(Config())
        self._loop = asyncio.new_event_loop()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox")
        self._sent("POST", "/_sandbox/limits", content=json.dumps({"off": True}).encode())

    def __call__(self, name: str, /, **params: Any) -> Any:
        """The data that Klaviyo answers a call with; a refusal fails the test."""
        declaration = ACTIONS[name].declaration
        request = declaration.request(declaration.bind(params))
        headers = {**HEADERS, "Content-Type": request.content_type, **request.headers}
        answer = self._sent(request.method, request.path, params=request.query, content=request.body, headers=headers)
        return answer.json().get("data") if answer.content else None

    def _sent(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = self._loop.run_until_complete(self._client.request(method, path, **more))
        assert answer.is_success, answer.text
        return answer

    def close(self) -> None:
        """Let go of it."""
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()
