"""Reading a list to its end: each page is a task of its own, and the whole list is one result.

    get_profiles.collect(filter=F("created").greater_than(since)).get()["data"]
    get_profiles.on("eu-store", lane="bulk").collect()
    collect.delay("get_profiles", sort="created")

A page waits under the governor like any other call, without holding a worker; the step after it keeps the page in
Redis and requests the next one. The result is an envelope with ``count`` records from ``pages`` pages. Up
to `WHOLE_BYTES` they are in ``data``, and what came with them in ``included``; a longer list stays in Redis, for as
long as a result is kept, and `records` reads it page by page. A page's ``links`` and ``meta`` are about that page alone
and are not kept. Until the end the task's state is PROGRESS with both counts.

A worker may die anywhere. A page that was requested twice is kept once, and only one of the two goes on.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import orjson
from celery.exceptions import Ignore
from celery.result import AsyncResult

from worker.account_and_lane import TASK_PREFIX, lane_of
from worker.accounts.lookup import account
from worker.action import ACTIONS, COLLECT, NAMES_2024, Action
from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope
from worker.api.paging import first_page, next_page, page_items
from worker.api.parameters import Params
from worker.app import app, registered
from worker.calls import delay_of, routed
from worker.carrying_out import back_to_wait
from worker.errors import InputError
from worker.execution import Call
from worker.governor import KEY_PREFIX, get_governor
from worker.process.left_behind import LeftBehind
from worker.publishing import published
from worker.redis.atomic_writes import write
from worker.redis.connection import get_redis
from worker.redis.memory import FIRST_RETRY_S, full_reason, has_memory, size_if_large
from worker.redis.patience import waits_for_redis
from worker.revocation import ALSO_REVOKED, Effect, revoke
from worker.settings import get_settings
from worker.steps import Opening, Step, has_ended
from worker.tiers import DEFAULT_QUEUE

#: Bytes of JSON up to which a collected list is the task's result; a longer one stays in Redis as pages.
WHOLE_BYTES = 8_000_000

#: Seconds for which the pages are kept once they are in the result: a last step that dies is run again.
KEPT_AFTER_END_S = 600

#: The field beside the pages: the number of the last page that was requested.
ASKED = "asked"


def ask(task: Step, action: Action[Any], params: Params, so_far: Mapping[str, Any]) -> NoReturn:
    """Request a page, and let the step after it replace the task. A second request for the same page goes no further.

    Raises:
        Ignore: always: the next step has taken over the task's id, its callbacks and its chain.

    """
    key, number = _key(task.request.id), so_far["pages"]
    asked = _last_asked(str(task.request.id))
    if asked is None or asked < number:
        page: Any = action.si(**params).set(task_id=_page(task.task_id, number))
        step = registered(KEEP).s(action=action.declaration.name, params=params, so_far=dict(so_far))
        both = page | step
        if task.request.stamps:
            both.stamp(**task.request.stamps)
        try:
            published(lambda: task.replace(both))
        except LeftBehind:
            raise
        except Ignore:
            pass  # Celery raises this once the replacement is published
        # Outside `published`: if Redis refused this write, a retry of both would request the page once more.
        write(("HSET", key, ASKED, number), ("EXPIRE", key, get_settings().result_expires))
        if reason := get_governor().revoked(task.task_id):
            # Revoked just now, perhaps before this page was known.
            revoke(app, _page(task.task_id, number), reason)
    raise Ignore(f"page {number + 1} has been requested")


class CollectList(Opening):
    """The first step: request the first page."""

    name = COLLECT

    def run(self, action: str, /, **params: Any) -> Envelope:
        """Check the call and request the first page."""
        chosen, given = _check_call(action, params)
        alias, lane = account(get_settings(), self.account).alias, lane_of(self.request)
        if self.request.is_eager:
            return _whole(list(chosen.on(alias, lane=lane).pages(**given)))
        so_far = {"pages": 0, "count": 0, "size": 0, "account": alias, "lane": lane}
        ask(self, chosen.on(alias, lane=lane, countdown=delay_of(self.request)), given, so_far)

    def check_arguments(
        self, args: Any, kwargs: Mapping[str, Any], task_id: str | None
    ) -> tuple[Any, dict[str, Any], str]:
        """Check the action's name and its parameters."""
        if not args or len(args) != 1:
            raise InputError(COLLECT, ["it takes an action's name, and its parameters as keywords"])
        action, params = _check_call(args[0], kwargs)
        return (action.declaration.name,), params, "{…}"

    def asks(self, args: Any, kwargs: Mapping[str, Any]) -> Declaration:
        """Return the action whose pages are collected."""
        return ACTIONS[args[0]].declaration


class KeepPage(Step):
    """The step after each page: keep it, then request the next page or end."""

    name = f"{TASK_PREFIX}collect_page"

    def apply_async(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> AsyncResult[Envelope]:
        """Publish it, without its values in the headers that events and Flower show."""
        result: AsyncResult[Envelope] = super().apply_async(args, kwargs, **routed(options, DEFAULT_QUEUE, "{…}"))
        return result

    def run(self, page: Mapping[str, Any], /, *, action: str, params: Params, so_far: Mapping[str, Any]) -> Envelope:
        """Keep one page; the result of the last page is the whole list."""
        key, kept_for = _key(self.request.id), get_settings().result_expires
        content = orjson.dumps({name: page[name] for name in ("data", "included") if page.get(name)})
        number = so_far["pages"]

        kept = zlib.compress(content, 1)
        write(("HSET", key, str(number), kept), ("EXPIRE", key, kept_for))
        if before := so_far.get("task"):
            # It is kept here now; only the last page's own result stays until it expires.
            forget(before)
        progress = {"pages": number + 1, "count": so_far["count"] + len(page_items(page))}
        so_far = {**so_far, **progress, "size": so_far["size"] + len(content), "task": self.request.parent_id}
        chosen = ACTIONS[action]
        following = next_page(chosen.declaration, params, page)
        if following is not None:
            self.update_state(state="PROGRESS", meta=progress)
            ask(self, chosen.on(so_far["account"], lane=so_far["lane"]), following, so_far)
        if so_far["size"] > WHOLE_BYTES:
            return Envelope(data=None, error=None, successful=True, **progress, stored=key)
        whole = _whole(_all_pages(key, number + 1))
        if size := size_if_large(whole):
            self._make_room(size, chosen.declaration, params, so_far)
        write(("EXPIRE", key, KEPT_AFTER_END_S))
        return whole

    def _make_room(self, size: int, page: Declaration, params: Params, so_far: Mapping[str, Any]) -> None:
        """Put this step back to wait, in the line of its pages, if Redis has no memory for the whole result.

        Raises:
            Retry, Ignore: this step will run again.

        """
        call = Call(page, so_far["account"], params, self.task_id, self.holder)
        # It may have waited there before, and it sends no request, so it needs no lease.
        get_governor().release(self.task_id)
        if not has_memory():
            raise back_to_wait(call, self.request, so_far["lane"], full_reason(size), FIRST_RETRY_S)


def withdraw(id: str, reason: str) -> Effect | None:
    """Revoke the page that a collection waits for, be it in a line or in a worker; None if there is no such page."""
    number = _last_asked(id)
    if number is None or has_ended(id):
        return None
    revoke(app, _page(id, number), reason)
    return Effect.WITHDRAWN


ALSO_REVOKED.append(withdraw)
KEEP = KeepPage.name

#: The task: ``collect.delay("get_profiles", filter=…)``.
collect = app.register_task(CollectList())
app.register_task(KeepPage())


def records(result: Mapping[str, Any]) -> Iterator[Any]:
    """Yield every record of a collection's result, without holding a longer list in memory.

    Raises:
        LookupError: its pages in Redis have expired.

    """
    if not result.get("stored"):
        yield from result["data"]
        return
    for page in _pages(result["stored"], result["pages"]):
        yield from page_items(page)


@waits_for_redis
def forget(task_id: str) -> None:
    """Drop a task's result."""
    app.AsyncResult(task_id).forget()


def _check_call(name: str, params: Mapping[str, Any]) -> tuple[Action[Any], Params]:
    word = str(name).removeprefix(TASK_PREFIX)
    action = ACTIONS.get(NAMES_2024.get(word, word))
    if action is None:
        raise InputError(COLLECT, [f"there is no action {word!r}"])
    return action, first_page(action.declaration, params)


def _page(id: str, number: int) -> str:
    """Return the id of a page's task."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{id} page {number}"))


def _key(task_id: str | None) -> str:
    return f"{KEY_PREFIX}collect:{task_id}"


@waits_for_redis
def _last_asked(id: str) -> int | None:
    """Return the number of the last page that a collection has requested."""
    number: Any = get_redis().hget(_key(id), ASKED)
    return None if number is None else int(number)


@waits_for_redis
def _all_pages(key: str, count: int) -> list[dict[str, Any]]:
    return list(_pages(key, count))


def _pages(key: str, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        content: Any = get_redis().hget(key, str(number))
        if content is None:
            raise LookupError(f"{key} is no longer kept: read the list again")
        yield orjson.loads(zlib.decompress(content))


def _whole(pages: Sequence[Mapping[str, Any]]) -> Envelope:
    """Return the result that holds all of the records."""
    data = [each for page in pages for each in page_items(page)]
    return Envelope(data=data, error=None, successful=True, pages=len(pages), count=len(data), **_included(pages))


def _included(pages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what came with the records, each once."""
    found = {(each["type"], each["id"]): each for page in pages for each in page.get("included", [])}
    return {"included": list(found.values())} if found else {}
