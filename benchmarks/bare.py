"""The limit: the same requests from one asyncio loop over httpx, with no queue, no result and no promise.

    python -m benchmarks.bare REQUESTS [own]

With ``own`` each of the coroutines has a client of its own: one that all share looks through its pool at each request.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

import httpx

#: Requests under way at once, as many as a worker's.
CLIENTS = 32


async def main(count: int, own: bool) -> None:
    """Send them and print the CPU seconds that it took."""
    left = iter(range(count))
    trust = httpx.create_ssl_context()  # read once: a client reads the certificates anew
    clients = [
        httpx.AsyncClient(verify=trust, base_url=os.environ["KLAVIYO_BASE_URL"], timeout=30) for _ in range(CLIENTS)
    ]
    before = time.process_time()

    async def send(client: httpx.AsyncClient) -> None:
        for _ in left:
            document = {"data": {"type": "bench", "attributes": {"at": 0.0, "text": "x" * 400}}}
            response = await client.post("/api/bench", json=document, headers={"authorization": "Klaviyo-API-Key pk"})
            response.raise_for_status()

    await asyncio.gather(*(send(client if own else clients[0]) for client in clients))
    print(time.process_time() - before, flush=True)
    for client in clients:
        await client.aclose()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), "own" in sys.argv[2:]))
