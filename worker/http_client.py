"""One request to Klaviyo over HTTP: authentication, revision, timeouts. No retry, no limit, no meaning."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.request import getproxies

import httpx

from worker.accounts.credentials import Account
from worker.api.jsonapi import MEDIA_TYPE, REVISION, Request
from worker.errors import SettingsError, Unavailable
from worker.one_connection import OneConnection
from worker.settings import Settings, get_settings
from worker.telemetry.meters import NO_ANSWER, NO_CONNECTION, meters

#: What became of a connection, in words; any other error is told by its name.
_IN_WORDS: dict[type[httpx.RequestError], str] = {
    httpx.ConnectError: "it was refused, or the host cannot be reached",
    httpx.ConnectTimeout: "it could not be made in time",
    httpx.PoolTimeout: "none was free in time",
    httpx.ReadTimeout: "it did not come in time",
    httpx.WriteTimeout: "the request could not be sent in time",
    httpx.RemoteProtocolError: "the connection ended first",
    httpx.ReadError: "the connection broke",
    httpx.WriteError: "the connection broke",
    httpx.CloseError: "the connection broke",
}

#: Seconds: a connection that was idle for longer may be closed by the other side just as it is used again.
KEEPALIVE_S = 4.0


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer, read whole."""

    status: int
    headers: httpx.Headers
    content: bytes


class Client:
    """What sends requests for any account, each of which brings its own credentials.

    httpx, without the `httpx.Client` around its transport: that merges addresses, headers and cookies anew for each
    request, which costs half as much as sending it. Klaviyo's API needs none of it.
    """

    def __init__(self, settings: Settings, transport: httpx.BaseTransport) -> None:
        self._transport = transport
        self._base = settings.base_url.rstrip("/")
        times = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout)
        self._extensions = {"timeout": times.as_dict()}
        self._headers = {
            "accept": MEDIA_TYPE,
            "accept-encoding": "gzip, deflate",
            "connection": "keep-alive",
            "user-agent": f"python-httpx/{httpx.__version__}",
            "revision": REVISION,
            # A retired revision must fail loudly, not be answered by another one.
            "x-klaviyo-revision-fall-forward-opt-out": "1",
        }

    def request(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes | None
    ) -> httpx.Response:
        """Send a request and read the whole answer; raises what httpx raises."""
        url = httpx.URL(self._base + path, params=dict(query)) if query else _address(self._base + path)
        request = httpx.Request(
            method, url, headers={**self._headers, **headers}, content=body, extensions=self._extensions
        )
        response = self._transport.handle_request(request)
        try:
            response.read()
        finally:
            response.close()
        return response

    def close(self) -> None:
        """Close its connection."""
        self._transport.close()


@lru_cache(maxsize=512)
def _address(url: str) -> httpx.URL:
    """An address, read once: most actions have one."""
    return httpx.URL(url)


def make_client(settings: Settings, transport: httpx.BaseTransport | None = None) -> Client:
    """A client for any account. Where the environment names a proxy, httpx finds the way."""
    # httpx logs the address of every request, and an address may hold a person's: a filter by e-mail.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if transport is None:
        transport = Proxied() if getproxies() else OneConnection(trust(), KEEPALIVE_S)
    return Client(settings, transport)


class Proxied(httpx.BaseTransport):
    """The way that httpx finds where the environment names a proxy."""

    def __init__(self) -> None:
        self._client = httpx.Client(verify=trust(), limits=httpx.Limits(keepalive_expiry=KEEPALIVE_S))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request directly or through the proxy."""
        return self._client.send(request)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


@lru_cache(maxsize=1)
def trust() -> ssl.SSLContext:
    """The certificates that are trusted; reading them takes 20 ms."""
    return httpx.create_ssl_context()


class _Clients(threading.local):
    """One client, with one connection, for each thread.

    A connection that threads share is one that they wait for.
    """

    client: Client | None = None


_clients = _Clients()


def _leave_to_parent() -> None:
    """Forget the client that a forked child has got: its connection is the parent's, and so are the answers on it.

    httpx closes its own end without a word, so that the parent's stays as it is.
    """
    if _clients.client is not None:
        _clients.client.close()
        _clients.client = None


os.register_at_fork(after_in_child=_leave_to_parent)


def get_client() -> Client:
    """The HTTP client of this thread, in this process."""
    if _clients.client is None:
        _clients.client = make_client(get_settings())
    return _clients.client


def send(client: Client, account: Account, action: str, request: Request) -> Response:
    """Send one request and read the whole answer.

    Raises:
        Unavailable: no connection (``sent`` is False: Klaviyo has not seen it) or no answer (``sent`` is True).
        SettingsError: the account has no key, or no company id.
        CredentialsFailed: its stored credentials cannot be read.

    """
    query = dict(request.query)
    headers = dict(request.headers)
    if request.path.startswith("/client/"):
        query["company_id"] = query.get("company_id") or account.company()
    else:
        headers["authorization"] = account.authorization(action)
    if request.body is not None:
        headers["content-type"] = request.content_type
    began = time.perf_counter()
    try:
        response = client.request(request.method, request.path, query, headers, request.body)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        _count(action, NO_CONNECTION, began)
        raise Unavailable(action, account.alias, f"no connection to Klaviyo ({_in_words(error)})", False) from None
    except httpx.LocalProtocolError as error:
        # The request is one that HTTP has no form for: a key with a line's end in it, for example.
        raise SettingsError(f"{action} on account {account.alias} cannot be sent ({_in_words(error)})") from None
    except httpx.RequestError as error:
        _count(action, NO_ANSWER, began)
        raise Unavailable(action, account.alias, f"no answer from Klaviyo ({_in_words(error)})", True) from None
    _count(action, str(response.status_code), began)
    return Response(response.status_code, response.headers, response.content)


def _count(action: str, status: str, began: float) -> None:
    for meter in meters:
        meter.request(action, status, time.perf_counter() - began)


def _in_words(error: httpx.RequestError) -> str:
    return _IN_WORDS.get(type(error), type(error).__name__)
