"""Results, for asyncio applications: waited for without blocking the event loop, and without a thread for each.

    result = await create_profile.adelay(email="ada@example.com")
    envelope = await aget(result, timeout=60)

All that wait in one event loop are looked up together, a few times a second.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from celery import states
from celery.result import AsyncResult, EagerResult, ResultSet

from worker.app import app

#: Seconds between two looks for results.
PAUSE = 0.1

_waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Future[None]]] = WeakKeyDictionary()
_looking: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


async def aget(result: AsyncResult[Any] | ResultSet, timeout: float | None = None) -> Any:
    """What a task ends with: its value, for a group the list of its tasks' values.

    Raises:
        TimeoutError: it has not ended within so many seconds; it goes on.
        Exception: what the task failed with.

    """
    async with asyncio.timeout(timeout):
        if isinstance(result, ResultSet):
            return list(await asyncio.gather(*(aget(each) for each in result.results or [])))
        if not isinstance(result, EagerResult):
            await _end_of(str(result.id))
        return await asyncio.to_thread(_told, result)


def _told(result: AsyncResult[Any]) -> Any:
    result.maybe_throw()
    return result.result


async def _end_of(id: str) -> None:
    loop = asyncio.get_running_loop()
    waiting = _waiting.setdefault(loop, {})
    ended = waiting.setdefault(id, loop.create_future())
    if (looking := _looking.get(loop)) is None or looking.done():
        _looking[loop] = loop.create_task(_look(waiting))
    # Others may wait for the same one: whoever gives up does not end it for them.
    await asyncio.shield(ended)


async def _look(waiting: dict[str, asyncio.Future[None]]) -> None:
    """Look for the results that are waited for, until there are none."""
    while waiting:
        try:
            ended = await asyncio.to_thread(_ended, list(waiting))
        except Exception as error:
            for future in waiting.values():
                future.set_exception(error)
            waiting.clear()
            return
        for id in ended:
            waiting.pop(id).set_result(None)
        await asyncio.sleep(PAUSE)


def _ended(ids: list[str]) -> list[str]:
    backend: Any = app.backend
    found = backend.mget([backend.get_key_for_task(id) for id in ids])
    return [id for id, meta in zip(ids, found, strict=True)
            if meta and backend.decode(meta)["status"] in states.READY_STATES]  # fmt: skip
