"""What there has to be beside the settings, looked at: Redis, a store with room, and a source for each push."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import chain

import redis

from schedules.store.file import file_of
from schedules.trouble import trouble
from worker.checks import Finding, of_redis
from worker.errors import KlaviyoError, SettingsError
from worker.settings import Settings

#: Bytes of room under a store that is a file, below which it is told: a night may bring as much.
LEAST_FREE_BYTES = 1_000_000_000


def of_surroundings(settings: Settings) -> Iterator[Finding]:
    """All of it, in the order in which it is needed."""
    return chain(of_redis(), of_store(settings.store_url), of_room(settings), of_pushes(settings))


def of_store(url: str) -> Iterator[Finding]:
    """Whether the store at this address, that of the settings, is there and of this version. It is not made here."""
    need = "Syncs and pushes need it; nothing else does"
    if (file := file_of(url)) and not file.is_file():
        yield Finding("warning", "store", f"there is none at {url}: run `klaviyo store`. {need}.")
        return
    # SQLAlchemy is loaded where it is used: most workers never open the store.
    from sqlalchemy.exc import SQLAlchemyError

    from schedules.store.connection import reading
    from schedules.store.engine import open_engine

    try:
        engine = open_engine(url)
    except SettingsError as error:
        yield Finding("wrong", "store", f"{error}. {need}.")
        return
    where = engine.url.render_as_string(hide_password=True)
    try:
        with reading() as connection:
            connection.exec_driver_sql("SELECT 1")
    except SettingsError as error:
        yield Finding("warning", "store", f"{error}. {need}.")
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        yield Finding("bad", "store", f"{where} (KLAVIYO_STORE_URL) cannot be reached: {said}. {need}.")
    else:
        yield Finding("good", "store", f"{where}, of this version")


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
    from schedules.push.plan import planned
    from schedules.push.task import defined

    for name in sorted(settings.pushes):
        try:
            wanted = defined(name)
            source, _ = planned(wanted, wanted.checked())
            next(source.batches(), None)
        except KlaviyoError as error:
            yield Finding("warning", f"push {name}", str(error))
        else:
            yield Finding("good", f"push {name}", "its source can be read")
