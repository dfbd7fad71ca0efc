"""Results in asyncio applications: all that wait are looked up together, and the loop is never blocked."""

from __future__ import annotations

import asyncio
import threading
from unittest import mock

import pytest
import redis
from celery.result import EagerResult, GroupResult

from worker import awaiting
from worker.app import app
from worker.awaiting import aget
from worker.one_per_process import forget
from worker.redis.homes import here


class Store:
    """The results that there are, and what was asked for at each look."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.looks: list[list[str]] = []
        self.away = 0

    def ended(self, ids: list[str]) -> list[str]:
        self.looks.append(sorted(ids))
        if self.away:
            self.away -= 1
            raise redis.exceptions.ConnectionError("away")
        return [id for id in ids if id in self.values]

    def value_of(self, result: object) -> object:
        value = self.values[result.id]
        if isinstance(value, Exception):
            raise value
        return value


@pytest.fixture
def store(monkeypatch):
    made = Store()
    monkeypatch.setattr(awaiting, "_ended_here", made.ended)
    monkeypatch.setattr(awaiting, "_value_of", made.value_of)
    monkeypatch.setattr(awaiting, "POLL_INTERVAL_S", 0.001)
    return made


def results(*ids):
    return [app.AsyncResult(id, backend=mock.MagicMock()) for id in ids]


def test_all_that_wait_are_looked_up_at_once_and_again_while_redis_is_away(store):
    store.away = 2

    async def main():
        waiting = asyncio.gather(*map(aget, results("a", "b", "c", "a")))
        while len(store.looks) < 4:
            await asyncio.sleep(0)
        store.values.update(a=1, b=2, c=3)
        return await waiting

    assert asyncio.run(main()) == [1, 2, 3, 1]
    assert store.looks[0] == ["a", "b", "c"]


def test_an_error_is_raised_and_a_group_is_a_list(store):
    store.values.update(a=1, b=ValueError("b"), c=3)

    async def main():
        return await asyncio.gather(
            aget(GroupResult("g", results("a", "c"))), aget(GroupResult("g", results("a", "b"))), return_exceptions=True
        )

    values, error = asyncio.run(main())
    assert values == [1, 3]
    assert isinstance(error, ValueError)


def test_whoever_gives_up_is_no_longer_looked_for_and_does_not_end_it_for_others(store):
    async def main():
        patient = asyncio.create_task(aget(*results("a")))
        with pytest.raises(TimeoutError):
            await asyncio.gather(aget(results("a")[0], timeout=0.01), aget(results("b")[0], timeout=0.02))
        await asyncio.sleep(0.03)
        looks = len(store.looks)
        while len(store.looks) == looks:
            await asyncio.sleep(0)
        last = store.looks[-1]
        store.values["a"] = 1
        return last, await patient

    last, value = asyncio.run(main())
    assert (last, value) == (["a"], 1)


def test_a_broken_look_ends_those_that_wait(store, monkeypatch):
    def broken(*_):
        raise ValueError("what is this")

    monkeypatch.setattr(awaiting, "_ended", broken)

    with pytest.raises(ValueError, match="what is this"):
        asyncio.run(aget(*results("a")))


def test_a_result_that_is_there_already_is_given_at_once(store):
    store.values["a"] = 1

    assert asyncio.run(aget(EagerResult("a", 1, "SUCCESS"))) == 1
    assert not store.looks


def test_a_redis_that_is_silent_holds_up_no_result_of_another(store, monkeypatch):
    monkeypatch.setenv("KLAVIYO_REDIS_URLS__EU", "redis://127.0.0.1:1/0")
    forget()
    over, in_vain = threading.Event(), []

    def ended(ids: list[str]) -> list[str]:
        if here() == "eu" and not over.wait(60):
            in_vain.append(ids)
        return store.ended(ids)

    monkeypatch.setattr(awaiting, "_ended_here", ended)
    store.values["a"] = 1

    async def main():
        try:
            first = await aget(*results("a"))
            store.values["b"] = 2
            return first, await aget(*results("b"))
        finally:
            over.set()

    assert asyncio.run(main()) == (1, 2)
    assert not in_vain
