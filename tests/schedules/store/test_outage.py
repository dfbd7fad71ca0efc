"""An outage of the store, as on a full disk: it is reported, nothing is asked in vain, and work resumes by itself."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import UTC, datetime

import fakeredis
import pytest
from sqlalchemy import event, select

from schedules import sync
from schedules.pull import pages as pull
from schedules.pull.pages import PageRef
from schedules.store import outage, runs
from schedules.store.connection import get_engine, reading, transaction
from schedules.store.outage import OUTAGE_TTL_S, RETRY_DELAY_S
from schedules.store.runs import SyncWindow
from schedules.store.tables import tags
from worker.steps import AskingStep

#: It can be told how large its file may get.
pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAGE = {"data": [{"type": "tag", "id": f"T{n}", "attributes": {"name": "x" * 500}} for n in range(50)], "links": {}}


class Later(Exception):
    """The step goes back to wait."""


class Store:
    """A store on a disk that may be full, a step that writes to it, and how often Klaviyo was asked."""

    def __init__(self, monkeypatch):
        self.room, self.asked, self.clock = 2**30, 0, 100.0
        event.listen(get_engine(), "begin", lambda each: each.exec_driver_sql(f"PRAGMA max_page_count = {self.room}"))
        monkeypatch.setattr(AskingStep, "run", self._ask)
        monkeypatch.setattr(pull.page, "put_off", lambda action, params, reason, seconds: Later(reason, seconds))
        monkeypatch.setattr(outage, "_known", outage._Known(lambda: self.clock))
        with transaction() as connection:
            self.run = runs.create(connection, "default", "tags", "pull", "full", NOW)
            runs.add_windows(connection, self.run, [SyncWindow("", 0, None, None)])

    def _ask(self, *, action, params, **about):
        self.asked += 1
        pull.page.request.update(began=0.0)
        pull.page.answered(PAGE, params, "default", PageRef(**about))

    def page(self):
        pull.page.run(action="get_tags", params={}, **asdict(PageRef("R", self.run, "tags", "full", "", 0)))

    def rows(self):
        with reading() as connection:
            return len(connection.execute(select(tags.c.id)).all())


@pytest.fixture
def redis(monkeypatch):
    fake = fakeredis.FakeRedis(server_type="valkey", version=(8,))
    for module in ("schedules.store.outage", "worker.redis.atomic_writes"):
        monkeypatch.setattr(f"{module}.get_redis", lambda: fake)
    monkeypatch.setattr(outage, "current_time", lambda: NOW)
    return fake


@pytest.fixture
def disk(store, redis, monkeypatch):
    monkeypatch.setattr(pull, "current_time", lambda: NOW)
    monkeypatch.setattr(pull.sync_requests, "load", lambda id: None)
    for name in ("end_stream", "renew_reminder"):
        monkeypatch.setattr(pull, name, lambda *how: None)
    monkeypatch.setattr(
        "schedules.pull.storing.get_governor", lambda: type("Governor", (), {"release": lambda *_: None})()
    )
    return Store(monkeypatch)


def test_a_full_disk_is_reported_in_the_log_and_by_the_commands_and_the_step_waits(disk, caplog):
    disk.room = 1
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(Later, match="the store cannot be written: database or disk is full"),
    ):
        disk.page()

    [told] = [each for each in caplog.records if each.name == "schedules.store.outage"]
    assert told.levelno == logging.ERROR
    assert (
        "cannot be written: database or disk is full. Syncs and pushes wait, and go on by themselves"
        in told.getMessage()
    )
    assert str(outage.current_outage()).startswith("The store at sqlite:///")
    assert disk.rows() == 0


def test_it_recovers_by_itself_when_there_is_room_and_says_so(disk, caplog):
    disk.room = 1
    with pytest.raises(Later):
        disk.page()
    disk.room, disk.clock = 2**30, disk.clock + RETRY_DELAY_S

    with caplog.at_level(logging.WARNING):
        disk.page()

    assert disk.rows() == 50
    assert outage.current_outage() is None
    assert "can be written again" in caplog.text


def test_klaviyo_is_not_asked_for_what_cannot_be_written(disk):
    disk.room = 1
    for _ in range(10):
        with pytest.raises(Later):
            disk.page()
    assert disk.asked == 1

    disk.clock += RETRY_DELAY_S
    for _ in range(10):
        with pytest.raises(Later):
            disk.page()
    assert disk.asked == 2


def test_an_outage_is_logged_once_a_minute(disk, caplog):
    disk.room = 1
    for _ in range(30):
        disk.clock += RETRY_DELAY_S
        with pytest.raises(Later):
            disk.page()

    told = [each for each in caplog.records if each.name == "schedules.store.outage"]
    assert len(told) == 1 + 29 * int(RETRY_DELAY_S) // OUTAGE_TTL_S


def test_a_sync_that_cannot_begin_is_resumed_soon_instead_of_failing(disk, monkeypatch):
    reminded = []
    monkeypatch.setattr(sync, "remind", lambda which, seconds: reminded.append((which, seconds)))
    monkeypatch.setattr(pull, "resume", lambda which: fill())
    disk.room = 1

    sync.Resume().run("default|R|lists")

    assert reminded == [("sync|default|R|lists", RETRY_DELAY_S)]


def fill():
    with transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE filler AS SELECT hex(zeroblob(90000))")
