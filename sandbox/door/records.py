"""The side door to records: sow many, change or delete some, read all, and set the traps of reading them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from sandbox.reading.traps import Traps
from sandbox.records.store import Resource, Store
from sandbox.seeding import changes, populations
from sandbox.seeding.churn import Churn
from sandbox.world import World

ROWS_PER_CHUNK = 500
"""Rows to stream before other requests get their turn."""


def sow(world: World, given: dict[str, Any]) -> Any:
    """Sow many records at once; returns how many of each type there are now."""
    store = _store(world, given)
    how = {name: given.pop(name) for name in ("members", "days", "seed") if name in given}
    given.pop("account", None)
    populations.sow(store, given, now=world.config.clock(), **how)
    return store.counts()


def change(world: World, given: dict[str, Any]) -> Any:
    """Change a `share` of the records of a type, or `delete` a number of them; returns their ids."""
    store, type = _store(world, given), given["type"]
    ids = sorted(store.ids(type))
    if "delete" in given:
        gone = world.random.sample(ids, min(given["delete"], len(ids)))
        for id in gone:
            changes.delete(store, store.get(type, id))
        return {"deleted": gone}
    changes.check(type)
    changed = world.random.sample(ids, round(given["share"] * len(ids)))
    for id in changed:
        changes.change(store, store.get(type, id), world.random.randrange(10**6), world.config.clock())
    return {"changed": changed}


def traps(world: World, given: dict[str, Any]) -> Any:
    """The traps and the churn of every account."""
    return {
        alias: asdict(switches) | {"churn": [asdict(churn) for churn in world.churns.get(alias, ())]}
        for alias, switches in world.traps.items()
    }


def set_traps(world: World, given: dict[str, Any]) -> Any:
    """Set traps in an account. Those that consist of records are sown at once, and stay when traps are cleared.

    `events_in_future` is a share of the present events if it is below 1, and otherwise a number of events.
    """
    store, now = _store(world, given), world.config.clock()
    plot = populations.plot_of(store, "traps", given.pop("seed", world.config.seed), now)
    given.pop("account", None)
    future, equal, churn = (given.pop(name, None) for name in ("events_in_future", "equal_timestamps", "churn"))
    world.traps[store.alias] = replace(world.traps[store.alias], **given)
    if future:
        events = len(store.ids("event"))
        populations.sow_future_events(plot, round(events * future) if future < 1 else future)
    if equal:
        populations.sow_equal_times(plot, equal)
    if churn:
        started = Churn(**churn)
        started.start(store, now)
        world.churns.setdefault(store.alias, []).append(started)
    return traps(world, given)[store.alias]


def clear_traps(world: World, given: dict[str, Any]) -> Any:
    """Clear the traps of an account, or of all accounts if none is named."""
    for alias in [given["account"]] if "account" in given else list(world.stores):
        world.traps[_store(world, {"account": alias}).alias] = Traps()
        for churn in world.churns.pop(alias, ()):
            churn.stopped = True
    return {"ok": True}


def rows(world: World, given: dict[str, Any]) -> Response:
    """All records of a type as JSON Lines, with the attributes that the API shows."""
    store = _store(world, given)
    store.run_due(world.config.clock())
    return StreamingResponse(_lines(store, given["type"]), media_type="application/x-ndjson")


async def _lines(store: Store, type: str) -> AsyncIterator[bytes]:
    ids = list(store.ids(type))
    for first in range(0, len(ids), ROWS_PER_CHUNK):
        found = (store.find(type, id) for id in ids[first : first + ROWS_PER_CHUNK])
        # A template's copy that belongs to a message is in no listing.
        shown = [_row(store, one) for one in found if one and one.private.get("reusable", True)]
        yield b"".join(shown)
        await asyncio.sleep(0)


def _row(store: Store, resource: Resource) -> bytes:
    relationships = {name: resource.linked(name) for name in store.relations.of(resource.type)}
    row = {"id": resource.id, "attributes": resource.attributes, "relationships": relationships}
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _store(world: World, given: dict[str, Any]) -> Store:
    alias = given.get("account", "default")
    if alias not in world.stores:
        raise ValueError(f"unknown account {alias!r}")
    return world.stores[alias]
