"""A cheap server without limits: it answers 202 and reports when requests arrived.

A body's ``at``, of each call that it carries, is the time at which that was published.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

ASKED = re.compile(rb'"at":([\d.e+]+)')

arrivals: list[tuple[float, float]] = []


class Http(asyncio.Protocol):
    """As much of HTTP/1.1 as httpx uses."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set up a connection."""
        self.transport = transport
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self.unread += data
        while (end := self.unread.find(b"\r\n\r\n")) >= 0:
            head = self.unread[:end].lower()
            mark = head.find(b"content-length:")
            length = int(head[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
            if len(self.unread) < end + 4 + length:
                return
            body, self.unread = self.unread[end + 4 : end + 4 + length], self.unread[end + 4 + length :]
            if head.startswith(b"get /arrivals"):
                self._answer(b"200 OK", json.dumps(arrivals).encode())
            else:
                now = time.time()
                # Calls that have travelled together came together.
                arrivals.extend((now, float(asked)) for asked in ASKED.findall(body) or [0.0])
                self._answer(b"202 Accepted", b'{"data":null}')

    def _answer(self, status: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %s\r\ncontent-type: application/vnd.api+json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % (status, len(body)) + body)  # type: ignore[attr-defined]


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Http, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
