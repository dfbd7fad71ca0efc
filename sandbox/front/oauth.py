"""The OAuth endpoints: consent (given at once), tokens (ten requests a minute for each install), revocation.

Faults strike them as `oauth_token` and `oauth_revoke`: `cut_after_commit` is an answer that is lost, `status` and
`throttle` one that issues nothing. A fault of `oauth_authorize` is a person who does not consent.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import orjson
from starlette.types import Receive, Scope, Send

from sandbox.front.auth import CLIENT_ID, Caller, OAuthError
from sandbox.front.connection import Exchange
from sandbox.front.faults import Fault
from sandbox.front.request_log import LoggedRequest
from sandbox.world import World

#: Requests a second and a minute for each account that has installed the app.
TOKEN_LIMITS = (10, 10)

JSON = b"application/json"

MAX_BYTES = 100_000

Act = Callable[[World, str | None, bytes], dict[str, object]]


class Authorize:
    """Consent for the account in `account` (or the default one), to the requested scopes."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the person back with a code, or with OAuth's word for why there is none."""
        world, exchange = self._world, Exchange(scope, receive, send)
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        account, back = asked.get("account", "default"), asked.get("redirect_uri", "")
        if account not in world.stores or asked.get("client_id") != CLIENT_ID or not back.startswith("http"):
            await exchange.answer(400, orjson.dumps({"error": "invalid_request"}), {}, JSON)
            return
        answer = {**self._consent(account, asked), "state": asked.get("state", "")}
        await exchange.answer(302, b"", {"location": f"{back}?{urlencode(answer)}"})

    def _consent(self, account: str, asked: dict[str, str]) -> dict[str, str]:
        world, scopes = self._world, frozenset(asked.get("scope", "").split())
        challenge = asked.get("code_challenge", "")
        if world.faults.strike("oauth_authorize", account):
            return {"error": "access_denied"}
        if asked.get("response_type") != "code":
            return {"error": "unsupported_response_type"}
        if asked.get("code_challenge_method") != "S256" or len(challenge) != 43:
            return {"error": "invalid_request"}
        if not scopes or scopes - world.known_scopes:
            return {"error": "invalid_scope"}
        caller = Caller(account, f"{account}:{CLIENT_ID}", scopes)
        return {"code": world.credentials.code(caller, challenge, asked["redirect_uri"], world.config.clock())}


class Endpoint:
    """An endpoint that logs its requests, obeys faults, and refuses in OAuth's form."""

    def __init__(self, world: World, name: str, act: Act) -> None:
        self._world, self._name, self._act = world, name, act

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, and log it however it ends."""
        world, exchange = self._world, Exchange(scope, receive, send)
        number, at = world.requests.next_number(), world.config.clock()
        form = await exchange.body(MAX_BYTES)
        owner = world.credentials.owner(_fields(form))
        account = owner.account if owner else None
        fault, status = world.faults.strike(self._name, account), 0
        try:
            status = await self._answer(exchange, form, fault)
        finally:
            struck = fault.fault if fault else None
            mark = exchange.header("x-sandbox-mark")
            world.requests.add(
                LoggedRequest(number, at, account, self._name, exchange.method, exchange.path, status, mark, struck)
            )

    async def _answer(self, exchange: Exchange, form: bytes, fault: Fault | None) -> int:
        """Answer, or do not, and return the status that was sent; 0 for none."""
        kind = fault.fault if fault else ""
        if fault and kind == "latency":
            await asyncio.sleep(fault.seconds or 0.0)
        elif fault and kind == "hang":
            await exchange.hang(self._world.stopping, fault.seconds)
            return 0
        elif kind == "reset":
            await exchange.cut()
            return 0
        status, document, headers = self._act_on(exchange, form, fault)
        if kind == "cut_after_commit":
            await exchange.cut()
            return 0
        body = b'{"access_token": "at_' if kind == "malformed" else orjson.dumps(document)
        await exchange.answer(status, body, headers, JSON)
        return status

    def _act_on(self, exchange: Exchange, form: bytes, fault: Fault | None) -> tuple[int, Any, dict[str, str]]:
        if fault and fault.fault == "status" and not fault.after_commit:
            return fault.status, {"error": "server_error"}, {}
        if fault and fault.fault == "throttle":
            return 429, {"error": "too_many_requests"}, {"Retry-After": str(fault.retry_after or 1)}
        if wait := self._world.token_wait(_fields(form), TOKEN_LIMITS):
            return 429, {"error": "too_many_requests"}, {"Retry-After": str(wait)}
        try:
            return 200, self._act(self._world, exchange.header("authorization"), form), {}
        except OAuthError as refused:
            return 400, {"error": str(refused)}, {}


def token(world: World) -> Endpoint:
    """The token endpoint."""
    return Endpoint(
        world, "oauth_token", lambda world, client, form: world.credentials.grant(client, form, world.config.clock())
    )


def revoke(world: World) -> Endpoint:
    """The endpoint where an app gives a token back."""

    def act(world: World, client: str | None, form: bytes) -> dict[str, object]:
        world.credentials.revoke(client, form)
        return {}

    return Endpoint(world, "oauth_revoke", act)


def _fields(form: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(form.decode("latin-1")).items()}
