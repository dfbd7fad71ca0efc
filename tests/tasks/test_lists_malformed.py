"""Lists that are not well formed: whoever reads them to their end gets them as far as they go, or one of our errors."""

from __future__ import annotations

from typing import Any, NoReturn

import fakeredis
import pytest
from celery.exceptions import Ignore
from hypothesis import given

import worker.execution
from cli.imports.options import list_id
from tasks import collect as collecting
from tasks.catalog_items import get_catalog_items
from tasks.collect import KeepPage, collect, records
from tasks.imports.upsert import read_existing
from tasks.lists import resolve_addresses
from tests.malformed import answered, malformed, many, page, read_or_told
from worker.governor import Governor
from worker.settings import get_settings

pytestmark = pytest.mark.soak

ITEM = {"type": "profile", "id": "P1", "attributes": {"email": "ada@example.com", "name": "News"}, "relationships": {}}
LIST = page(ITEM, {**ITEM, "id": "P2"}, included=[{"type": "tag", "id": "T1"}], cursor=None)


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch, clean_settings: None) -> None:
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_test")
    get_settings.cache_clear()


@many
@given(malformed(LIST))
def test_what_is_there_before_an_import_is_read_or_not_believed(changed: Any):
    envelope = answered(changed)
    if envelope is None:
        return
    with pytest.MonkeyPatch.context() as patch, read_or_told():
        patch.setattr(worker.execution, "send_in_process", lambda *_: envelope)
        there = read_existing(get_catalog_items, "default")
        assert len(there) <= len(envelope["data"])


@many
@given(malformed(LIST))
def test_a_lists_name_is_found_or_it_is_said_that_there_is_none(changed: Any):
    envelope = answered(changed)
    if envelope is None:
        return
    with pytest.MonkeyPatch.context() as patch, read_or_told():
        patch.setattr(worker.execution, "send_in_process", lambda *_: envelope)
        assert list_id("profiles", "News", "default")


@many
@given(malformed(LIST))
def test_addresses_are_found_or_told_and_none_is_lost(changed: Any):
    envelope = answered(changed)
    if envelope is None:
        return
    with read_or_told():
        found = resolve_addresses({"emails": ["ada@example.com"]}, lambda *_, **__: envelope)
        assert bool(found.params) != bool(found.extras["not_found"])


@many
@given(malformed(page(ITEM, {**ITEM, "id": "P2"}, included=[{"type": "tag", "id": "T1"}])))
def test_a_collected_page_is_kept_or_refused(changed: Any):
    envelope = answered(changed)
    if envelope is None:
        return

    def replace(_task: Any, _chain: Any) -> NoReturn:
        raise Ignore

    keep, redis = collect.app.tasks[KeepPage.name], fakeredis.FakeRedis()
    so_far = {"pages": 0, "count": 0, "size": 0, "account": "default", "lane": "now"}
    keep.push_request(id="C1", parent_id="page-1")
    try:
        with pytest.MonkeyPatch.context() as patch, read_or_told():
            patch.setattr(collecting, "get_redis", lambda: redis)
            patch.setattr(collecting, "get_governor", lambda: Governor(redis))
            patch.setattr("worker.redis.atomic_writes.get_redis", lambda: redis)
            patch.setattr(KeepPage, "replace", replace)
            patch.setattr(KeepPage, "update_state", lambda *_, **__: None)
            result = keep.run(envelope, action="get_catalog_items", params={}, so_far=so_far)
            assert len(list(records(result))) == result["count"]
    except Ignore:
        assert redis.hexists("klaviyo:collect:C1", "0")
    finally:
        keep.pop_request()
