"""The limit: the same requests from one asyncio loop over httpx, with no queue, no result and no promise.

python -m benchmarks.bare REQUESTS
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

import httpx

#: Requests under way at once, as many as a worker's.
AT_ONCE = 32


async def main(count: int) -> None:
    """Send them and print the CPU seconds that it took."""
    left = iter(range(count))
    before = time.process_time()
    async with httpx.AsyncClient(base_url=os.environ["KLAVIYO_BASE_URL"], timeout=30) as client:

        async def send() -> None:
            for _ in left:
                document = {"data": {"type": "bench", "attributes": {"at": 0.0, "text": "x" * 400}}}
                response = await client.post(
                    "/api/bench", json=document, headers={"authorization": "Klaviyo-API-Key pk"}
                )
                response.raise_for_status()

        await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    print(time.process_time() - before, flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
