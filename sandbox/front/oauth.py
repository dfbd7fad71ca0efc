"""The OAuth endpoints: consent (given at once), tokens (ten requests a minute), revocation."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sandbox.front.auth import CLIENT_ID, Caller, OAuthError
from sandbox.front.request_log import LoggedRequest
from sandbox.world import World

Endpoint = Callable[[Request], Awaitable[Response]]
TOKEN_LIMITS = (10, 10)


def authorize(world: World) -> Endpoint:
    """Consent for the account in `account` (or the default one), with the requested scopes."""

    async def endpoint(request: Request) -> Response:
        asked = request.query_params
        account = asked.get("account", "default")
        if account not in world.stores or asked.get("client_id") != CLIENT_ID or not asked.get("code_challenge"):
            return JSONResponse({"error": "invalid_request"}, 400)
        scopes = frozenset(asked.get("scope", "").split())
        caller = Caller(account, f"{account}:{CLIENT_ID}", scopes)
        code = world.credentials.code(caller, asked["code_challenge"], world.config.clock())
        answer = urlencode({"code": code, "state": asked.get("state", "")})
        return RedirectResponse(f"{asked.get('redirect_uri', '')}?{answer}", 302)

    return endpoint


def token(world: World) -> Endpoint:
    """The token endpoint."""
    return _logged(world, "oauth_token", _grant)


def revoke(world: World) -> Endpoint:
    """The endpoint where an app gives a token back."""
    return _logged(world, "oauth_revoke", _revoke)


def _grant(world: World, authorization: str | None, form: bytes) -> Response:
    now = world.config.clock()
    draw = world.windows.draw([world.limits.bucket(CLIENT_ID, "oauth_token", TOKEN_LIMITS)], now)
    if not draw.admitted and not world.limits.off:
        return JSONResponse({"error": "too_many_requests"}, 429, {"Retry-After": str(draw.retry_after)})
    return JSONResponse(world.credentials.grant(authorization, form, now))


def _revoke(world: World, authorization: str | None, form: bytes) -> Response:
    world.credentials.revoke(authorization, form)
    return JSONResponse({})


def _logged(world: World, name: str, act: Callable[[World, str | None, bytes], Response]) -> Endpoint:
    """An endpoint that logs its requests, obeys the `status` fault and refuses in OAuth's form."""

    async def endpoint(request: Request) -> Response:
        number, at = world.requests.next_number(), world.config.clock()
        fault = world.faults.strike(name, None)
        try:
            if fault and fault.fault == "status":
                response: Response = JSONResponse({"error": "server_error"}, fault.status)
            else:
                response = act(world, request.headers.get("authorization"), await request.body())
        except OAuthError as refused:
            response = JSONResponse({"error": str(refused)}, 400)
        mark = request.headers.get("x-sandbox-mark")
        struck = fault.fault if fault else None
        path = request.url.path
        world.requests.add(LoggedRequest(number, at, None, name, "POST", path, response.status_code, mark, struck))
        return response

    return endpoint
