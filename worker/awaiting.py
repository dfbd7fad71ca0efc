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
from worker.redis.connection import AWAY
from worker.redis.homes import gathered

#: Seconds between two polls for results.
POLL_INTERVAL_S = 0.1

#: Who waits in an event loop, by the task's id, and the one who looks for all of them.
_waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, set[asyncio.Future[None]]]] = WeakKeyDictionary()
_looking: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


async def aget(result: AsyncResult[Any] | ResultSet, timeout: float | None = None) -> Any:
    """Wait for a task and return its value; for a group, the list of its tasks' values.

    Raises:
        TimeoutError: it has not ended within so many seconds; it goes on.
        Exception: what the task failed with.

    """
    async with asyncio.timeout(timeout):
        if isinstance(result, ResultSet):
            return list(await asyncio.gather(*(aget(each) for each in result.results or [])))
        if not isinstance(result, EagerResult):
            await _end_of(str(result.id))
        return await asyncio.to_thread(_value_of, result)


def _value_of(result: AsyncResult[Any]) -> Any:
    result.maybe_throw()
    return result.result


async def _end_of(id: str) -> None:
    loop = asyncio.get_running_loop()
    waiting, ended = _waiting.setdefault(loop, {}), loop.create_future()
    waiting.setdefault(id, set()).add(ended)
    if (looking := _looking.get(loop)) is None or looking.done():
        _looking[loop] = loop.create_task(_look(waiting))
    try:
        await ended
    finally:
        others = waiting.get(id, set())
        others.discard(ended)
        if not others:
            waiting.pop(id, None)


async def _look(waiting: dict[str, set[asyncio.Future[None]]]) -> None:
    """Look for the results that somebody awaits, until all are there; if Redis is away, look again."""
    while waiting:
        error, ended = None, list(waiting)
        try:
            ended = await asyncio.to_thread(_ended, ended)
        except Exception as found:
            error = found
        for future in [each for id in ended for each in waiting.pop(id, ())]:
            if error is not None and not future.done():
                future.set_exception(error)
            elif not future.done():
                future.set_result(None)
        await asyncio.sleep(POLL_INTERVAL_S)


def _ended(ids: list[str]) -> list[str]:
    return gathered(lambda: _ended_unless_away(ids))


def _ended_unless_away(ids: list[str]) -> list[str]:
    try:
        return _ended_here(ids)
    except AWAY:
        return []


def _ended_here(ids: list[str]) -> list[str]:
    backend: Any = app.backend
    found = backend.mget([backend.get_key_for_task(id) for id in ids])
    states_found = [backend.decode(meta)["status"] if meta else None for meta in found]
    return [id for id, state in zip(ids, states_found, strict=True) if state in states.READY_STATES]
