"""An httpx transport that holds one connection: one thread speaks to one server.

httpx's own keeps a pool and goes through it, under a lock, at every request and at the end of every answer. Below it
is httpcore, and so is below this.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpcore
import httpx

#: What httpcore raises, as httpx calls it; the narrower before the wider.
_NAMED: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
    (httpcore.TimeoutException, httpx.TimeoutException),
    (httpcore.NetworkError, httpx.NetworkError),
    (httpcore.ProtocolError, httpx.ProtocolError),
)


class OneConnection(httpx.BaseTransport):
    """One connection, made at the first request and again whenever it is no longer good.

    ``keepalive`` is how many seconds it may be idle and is used again.
    """

    def __init__(self, trust: ssl.SSLContext, keepalive: float) -> None:
        self._trust, self._keepalive = trust, keepalive
        self._connection: httpcore.HTTPConnection | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the whole answer."""
        url = request.url
        address = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sent = httpcore.Request(
            request.method, address, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        with _named():
            answer = self._connected(address.origin).handle_request(sent)
            try:
                content = answer.read()
            finally:
                answer.close()
        return httpx.Response(
            answer.status, headers=answer.headers, stream=httpx.ByteStream(content), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self, origin: httpcore.Origin) -> httpcore.HTTPConnection:
        """The connection, if it can still be used, or a new one."""
        if self._connection is not None and not _usable(self._connection, origin):
            self.close()
        if self._connection is None:
            self._connection = httpcore.HTTPConnection(origin, self._trust, self._keepalive)
        return self._connection


def _usable(connection: httpcore.HTTPConnection, origin: httpcore.Origin) -> bool:
    return connection.can_handle_request(origin) and connection.is_idle() and not connection.has_expired()


@contextmanager
def _named() -> Iterator[None]:
    """Raise httpx's errors for httpcore's."""
    try:
        yield
    except Exception as error:
        for found, name in _NAMED:
            if isinstance(error, found):
                raise name(str(error)) from error
        raise
