"""One HTTP exchange at a low level: read the body, answer, do not answer, cut the connection."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

JSON_API = b"application/vnd.api+json"


class Exchange:
    """A request and the means to answer it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send

    def header(self, name: str) -> str | None:
        """A request header by its lower-case name."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    @property
    def base_url(self) -> str:
        """The address that the client used, for links back to the sandbox."""
        host = self.header("host") or "127.0.0.1"
        return f"{self.scope.get('scheme', 'http')}://{host}"

    async def body(self, max_bytes: int) -> bytes:
        """The whole body, or a little more than `max_bytes` of a longer one."""
        chunks: list[bytes] = []
        size = 0
        more = True
        while more and size <= max_bytes:
            message = await self._receive()
            chunk = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)

    async def answer(
        self, status: int, body: bytes, headers: Mapping[str, str], content_type: bytes = JSON_API
    ) -> None:
        """Send a whole response."""
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        if status != 204:
            raw.append((b"content-length", str(len(body)).encode()))
        if body:
            raw.append((b"content-type", content_type))
        await self._send({"type": "http.response.start", "status": status, "headers": raw})
        await self._send({"type": "http.response.body", "body": body})

    async def hang(self, stopping: asyncio.Event, seconds: float | None) -> None:
        """Do not answer until the client disconnects, the time is up or the server stops; then cut the connection."""
        waits = {asyncio.ensure_future(self._wait_for_disconnect()), asyncio.ensure_future(stopping.wait())}
        _, pending = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        await self.cut()

    async def cut(self) -> None:
        """Close the connection without answering; in process, where there is none, raise what a client would see."""
        transport = self.scope.get("state", {}).get("transport")
        if transport is None:
            raise ConnectionResetError("the sandbox closed the connection")
        transport.abort()
        await self._wait_for_disconnect()

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _connection_made(self: Any, transport: asyncio.BaseTransport) -> None:
    AutoHTTPProtocol.connection_made(self, transport)
    self.app_state = {**self.app_state, "transport": transport}


# uvicorn's own choice of protocol, which also gives the app each connection's transport, for `cut`.
Protocol = type("Protocol", (AutoHTTPProtocol,), {"connection_made": _connection_made})
