"""Checks of what is needed besides the settings: Redis, a store with disk space, a readable source for each push."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import chain

import redis

from schedules.store.file import file_of
from schedules.store.outage import current_outage
from worker.errors import KlaviyoError, SettingsError
from worker.process.checks import Finding, check_redis
from worker.settings import Settings

#: Free disk space for a store that is a file, below which the check warns: one night may need as much.
MIN_FREE_BYTES = 1_000_000_000


def check_surroundings(settings: Settings) -> Iterator[Finding]:
    """Check all of it, in the order in which it is needed."""
    return chain(check_redis(), check_outage(), check_others(settings))


def check_others(settings: Settings) -> Iterator[Finding]:
    """Check what is the same whichever Redis is the current one."""
    return chain(check_store(settings.store_url), check_room(settings), check_pushes(settings))


def check_store(url: str) -> Iterator[Finding]:
    """Check that the store at this address exists and has this version's tables; it is not created here."""
    need = "Only syncs and pushes need it"
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
        yield Finding("good", "store", f"{where}, up to date")


def check_outage() -> Iterator[Finding]:
    """Check whether the workers can write to the store."""
    try:
        if found := current_outage():
            yield Finding("bad", "store", f"{found}.")
    except redis.RedisError:
        return  # reported by the check of Redis


def check_room(settings: Settings) -> Iterator[Finding]:
    """Check how much disk space is left for the store."""
    file = file_of(settings.store_url)
    if file is None or not (folder := file.absolute().parent).is_dir():
        return
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        left = f"{free / 1_000_000:,.0f} MB"
        yield Finding("warning", "store", f"only {left} are free in {folder}: make room for the next sync.")


def check_pushes(settings: Settings) -> Iterator[Finding]:
    """Check that the source of each push defined in the settings can be read, by reading its first rows."""
    if not settings.pushes:
        return
    # With pushes come SQLAlchemy and all that reads a source: most workers have none.
    from schedules.push.mapping import open_and_map
    from schedules.push.task import configured_push

    for name in sorted(settings.pushes):
        try:
            wanted = configured_push(name)
            source, _ = open_and_map(wanted, wanted.checked())
            next(source.batches(), None)
        except KlaviyoError as error:
            yield Finding("warning", f"push {name}", str(error))
        else:
            yield Finding("good", f"push {name}", "its source can be read")
