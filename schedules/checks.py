"""What there has to be beside the settings, looked at: Redis, a store with room, and a source for each push."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import chain

import redis

from schedules.trouble import trouble
from worker.checks import Finding, of_redis, of_store
from worker.errors import KlaviyoError
from worker.settings import Settings
from worker.store.file import file_of

#: Bytes of room under a store that is a file, below which it is told: a night may bring as much.
LEAST_FREE_BYTES = 1_000_000_000


def of_surroundings(settings: Settings) -> Iterator[Finding]:
    """All of it, in the order in which it is needed."""
    return chain(of_redis(), of_store(settings.store_url), of_room(settings), of_pushes(settings))


def of_room(settings: Settings) -> Iterator[Finding]:
    """What keeps the workers from writing to the store, and how much room is left."""
    try:
        if found := trouble():
            yield Finding("bad", "store", f"{found}.")
    except redis.RedisError:
        return  # told where Redis is looked at
    file = file_of(settings.store_url)
    if file is None or not (folder := file.absolute().parent).is_dir():
        return
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        left = f"{free / 1_000_000:,.0f} MB"
        yield Finding("warning", "store", f"only {left} are free at {folder}: make room for the next sync.")


def of_pushes(settings: Settings) -> Iterator[Finding]:
    """Whether the source of each push that the settings define can be read. Only its first rows are."""
    if not settings.pushes:
        return
    # With pushes come SQLAlchemy and all that reads a source: most workers have none.
    from schedules.push_plan import planned
    from schedules.push_task import defined

    for name in sorted(settings.pushes):
        try:
            wanted = defined(name)
            source, _ = planned(wanted, wanted.checked())
            next(source.batches(), None)
        except KlaviyoError as error:
            yield Finding("warning", f"push {name}", str(error))
        else:
            yield Finding("good", f"push {name}", "its source can be read")
