"""What there has to be beside the settings, looked at: Redis, a store with room, and a source for each push."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import redis
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from schedules.push.plan import planned
from schedules.push.task import defined
from schedules.store.connection import reading
from schedules.store.engine import open_engine
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
    try:
        engine = open_engine(url)
    except SettingsError as error:
        yield Finding("wrong", "store", f"{error}. {need}.")
        return
    where = engine.url.render_as_string(hide_password=True)
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).is_file():
        yield Finding("warning", "store", f"there is none at {where}: run `klaviyo store`. {need}.")
        return
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
        url = make_url(settings.store_url)
    except (redis.RedisError, ArgumentError):
        return  # told where Redis and the store's address are looked at
    folder = Path(url.database or "").absolute().parent
    if url.get_backend_name() != "sqlite" or not folder.is_dir():
        return
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        left = f"{free / 1_000_000:,.0f} MB"
        yield Finding("warning", "store", f"only {left} are free at {folder}: make room for the next sync.")


def of_pushes(settings: Settings) -> Iterator[Finding]:
    """Whether the source of each push that the settings define can be read. Only its first rows are."""
    for name in sorted(settings.pushes):
        try:
            wanted = defined(name)
            source, _ = planned(wanted, wanted.checked())
            next(source.batches(), None)
        except KlaviyoError as error:
            yield Finding("warning", f"push {name}", str(error))
        else:
            yield Finding("good", f"push {name}", "its source can be read")
