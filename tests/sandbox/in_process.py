"""A client of a sandbox in this process, whose clock stands still until a test moves it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx

from sandbox.app import create_app
from sandbox.config import Config

START = 1_790_000_000.0


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Sandbox:
    """A client of one sandbox, with the headers that each request needs."""

    clock: Clock = field(default_factory=Clock)
    config: dict[str, Any] = field(default_factory=dict)
    key: str = "pk_sandbox_default"

    def __post_init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        app = create_app(Config(clock=self.clock, **self.config))
        self.world = app.state.world
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox")

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Klaviyo-API-Key {self.key}", "revision": "2026-07-15"}
        if body is not None:
            headers["Content-Type"] = "application/vnd.api+json"
        headers |= options.pop("headers", {})
        headers = {name: value for name, value in headers.items() if value is not None}
        return self.loop.run_until_complete(self._client.request(method, path, json=body, headers=headers, **options))

    def get(self, path: str, **params: str) -> httpx.Response:
        return self.request("GET", path, params=params or None)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.request("POST", path, body)

    def patch(self, path: str, body: Any) -> httpx.Response:
        return self.request("PATCH", path, body)

    def delete(self, path: str, body: Any = None) -> httpx.Response:
        return self.request("DELETE", path, body)

    def unlimited(self) -> "Sandbox":
        assert self.post("/_sandbox/limits", {"off": True}).status_code == 200
        return self

    def profile(self, **attributes: Any) -> str:
        answer = self.post("/api/profiles", profile(**attributes))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])

    def list(self, name: str = "VIP") -> str:
        answer = self.post("/api/lists", {"data": {"type": "list", "attributes": {"name": name}}})
        return str(answer.json()["data"]["id"])

    def close(self) -> None:
        self.loop.run_until_complete(self._client.aclose())
        self.loop.close()


def profile(**attributes: Any) -> dict[str, Any]:
    return {"data": {"type": "profile", "attributes": attributes}}


def event(**attributes: Any) -> dict[str, Any]:
    sent = {
        "properties": {},
        "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": "ada@example.com"}}},
    }
    return {"data": {"type": "event", "attributes": sent | attributes}}


def pointers(answer: httpx.Response) -> list[str]:
    return [error["source"].get("pointer") or error["source"]["parameter"] for error in answer.json()["errors"]]
