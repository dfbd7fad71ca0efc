"""One request to Klaviyo over HTTP: authentication, revision, timeouts. No retry, no limit, no meaning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import httpx

from worker.accounts import Account
from worker.errors import Unavailable
from worker.jsonapi import MEDIA_TYPE, REVISION, Request
from worker.settings import Settings, get_settings


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer, read whole."""

    status: int
    headers: httpx.Headers
    content: bytes


def make_client(settings: Settings, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """An HTTP client for any account; a request brings its own credentials."""
    timeout = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout, pool=settings.connect_timeout)
    limits = httpx.Limits(max_connections=settings.concurrency + 4, max_keepalive_connections=settings.concurrency + 4)
    return httpx.Client(
        base_url=settings.base_url,
        timeout=timeout,
        limits=limits,
        transport=transport,
        headers={
            "accept": MEDIA_TYPE,
            "revision": REVISION,
            # A retired revision must fail loudly, not be answered by another one.
            "x-klaviyo-revision-fall-forward-opt-out": "1",
        },
    )


@lru_cache(maxsize=1)
def get_client() -> httpx.Client:
    """The HTTP client of this process."""
    return make_client(get_settings())


def send(client: httpx.Client, account: Account, action: str, request: Request) -> Response:
    """Send one request and read the whole answer.

    Raises:
        Unavailable: no connection (``sent`` is False: Klaviyo has not seen it) or no answer (``sent`` is True).
        SettingsError: the account has no key, or no company id.

    """
    query = dict(request.query)
    headers = {}
    if request.path.startswith("/client/"):
        query.setdefault("company_id", account.company())
    else:
        headers["authorization"] = f"Klaviyo-API-Key {account.key()}"
    if request.body is not None:
        headers["content-type"] = request.content_type
    try:
        response = client.request(
            request.method, request.path, params=query or None, content=request.body, headers=headers
        )
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise Unavailable(action, account.alias, f"no connection to Klaviyo ({_told(error)})", False) from None
    except httpx.TransportError as error:
        raise Unavailable(action, account.alias, f"no answer from Klaviyo ({_told(error)})", True) from None
    return Response(response.status_code, response.headers, response.content)


def _told(error: httpx.TransportError) -> str:
    return type(error).__name__
