"""Runs of a pull without workers: what is asked for is kept, and answered by the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schedules import pull
from schedules.streams import STREAMS
from worker.place import checked_id
from worker.store import runs
from worker.store.connection import reading

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Pulling:
    """What a run has asked for, in order, and what it has told at its end."""

    def __init__(self):
        self.now = NOON
        self.asked, self.told = [], []

    def begin(self, stream, mode="incremental", request="R1", since=None):
        self.now += timedelta(minutes=1)
        pull.begin("default", request, stream, mode, since)

    def answer(self, *resources, following=None):
        """Klaviyo's answer to the page that has waited longest."""
        params, about = self.asked.pop(0)
        pull.page.request.update(began=0.0)
        pull.page.answered({"data": list(resources), "links": {"next": following}}, params, "default", about)

    def last(self, stream):
        with reading() as connection:
            return runs.last(connection, "default", stream, "pull")


@pytest.fixture
def pulling(store, monkeypatch):
    made = Pulling()
    monkeypatch.setattr(pull, "present", lambda: made.now)
    monkeypatch.setattr(pull, "remind", lambda *which: None)
    monkeypatch.setattr(pull, "over", lambda *how: made.told.append(how))
    monkeypatch.setattr(pull.page, "_read", lambda account, stream, params, about: made.asked.append((params, about)))
    return made


def campaign(id, archived=False):
    return {"type": "campaign", "id": id, "attributes": {"name": id, "archived": archived}, "relationships": {}}


def test_archived_campaigns_are_asked_for_when_the_others_have_been_read(pulling):
    pulling.begin("campaigns", "full")
    turns = []
    while pulling.asked:
        assert len(pulling.asked) == 1
        turns.append(pulling.asked[0][1].partition)
        pulling.answer()

    assert len(turns) == 6
    for channel in ("email", "sms", "mobile_push"):
        live, archived = (turns.index(f"channel={channel},archived={which}") for which in (False, True))
        assert live < archived
    assert pulling.last("campaigns")["state"] == "done"


def test_campaigns_that_are_taken_up_again_go_on_with_the_partition_whose_turn_it_is(pulling):
    pulling.begin("campaigns", "full")
    pulling.answer()
    [lost] = pulling.asked

    pulling.begin("campaigns", "full")

    assert [about for _, about in pulling.asked] == [lost[1], lost[1]]


@pytest.mark.parametrize("name", ["10OFF", "a b", "a\nb", "a|b", "$custom:::$default:::SAMPLE ITEM 1", "é" * 100])
def test_a_page_has_an_id_that_redis_can_keep_whatever_the_record_is_called(monkeypatch, name):
    asked = []
    monkeypatch.setattr(pull.page, "ask", lambda *_, task_id, **__: asked.append(task_id))

    about = pull.Reading("R1", "run", "coupon_codes", "full", f"coupon={name}", 0, 1)
    pull.page._read("default", STREAMS["coupon_codes"], {}, about)

    assert checked_id("sync", asked[0])
