"""Results in Redis: stored whatever Redis's state, and followed only where somebody waits for one."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cached_property
from typing import Any

from celery import states
from celery.backends.redis import CHORD_PART_RETURN_LUA, RedisBackend
from celery.utils.log import get_logger
from kombu.utils.encoding import bytes_to_str

from worker import errors
from worker.failures.kept import failed_call
from worker.governor import EVEN_IF_FULL, FailedCall, get_governor
from worker.message_headers import delivery_of
from worker.process import ending
from worker.process.left_behind import unacknowledged_if_left
from worker.process.state import acknowledged_by_redis, working
from worker.redis.connection import connecting
from worker.redis.patience import waits_for_redis
from worker.settings import get_settings

logger = get_logger(__name__)


class Backend(RedisBackend):
    """Celery's Redis backend, with four differences.

    A result is stored before its message is acknowledged, so a worker waits for as long as Redis takes none: Celery
    gives up, and leaves the message in the worker's hands for ever. A Redis that is full takes a worker's results all
    the same: what they report has happened, and what can be read again waits for memory before (`worker.redis.memory`).
    And nothing is subscribed to for every task that is published: Celery's way is two round trips more for each, and a
    channel for as long as its result object lives; ``.get()`` subscribes by itself. And an error of ours is stored
    under a module's name that applications of other code bases can have too.
    """

    def as_uri(self, include_password: bool = False) -> str:
        """Where results are, in the spelling of ``KLAVIYO_REDIS_URL`` unless a program asks for the whole."""
        return str(super().as_uri(include_password=True)) if include_password else get_settings().redis.shown

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do nothing yet."""

    def on_result_fulfilled(self, result: Any) -> None:
        """Take back the subscription, where there ever was one."""
        if self.result_consumer._pubsub is not None:
            super().on_result_fulfilled(result)

    def store_result(self, task_id: str, result: Any, state: str, *args: Any, **kwargs: Any) -> Any:
        """Store a result; a worker does so before anything else happens to the task."""
        if state == states.FAILURE and (failed := self._failed(kwargs.get("request"), result)):
            kwargs["failed"] = failed
        with _left(kwargs.get("request")):
            return waits_for_redis(super().store_result)(task_id, result, state, *args, **kwargs)

    def prepare_exception(self, exc: Any, serializer: str | None = None) -> Any:
        """An exception as it is stored; one of ours is found again by whoever has `klaviyo client`'s module."""
        stored = super().prepare_exception(exc, serializer)
        return {**stored, "exc_module": errors.STORED_AS} if type(exc).__module__ == errors.__name__ else stored

    def on_chord_part_return(self, request: Any, state: str, result: Any, *args: Any, **kwargs: Any) -> None:
        """Count a task as one of its chord's; Celery's script counts each once, however often it is reported."""
        with _left(request):
            waits_for_redis(super().on_chord_part_return)(request, state, result, *args, **kwargs)

    @cached_property
    def _chord_part_return_script(self) -> Any:
        return self.client.register_script(EVEN_IF_FULL + CHORD_PART_RETURN_LUA)

    def get(self, key: str) -> Any:
        """Read what is stored; a worker waits for it. By this Celery sees whether a redelivered task has ended."""
        return (waits_for_redis(super().get) if working.is_set() else super().get)(key)

    @waits_for_redis
    def set(self, key: str, value: Any, expires: int | None = None, **policy: Any) -> None:
        """Store something under a key."""
        self._set(key, value, expires)

    def mark_as_failure(  # type: ignore[override]
        self, task_id: str, exc: Any, traceback: Any = None, request: Any = None, store_result: bool = True, **how: Any
    ) -> None:
        """Enter a task as failed; the failure of a call is kept even where nobody wants its result."""
        if not store_result and (failed := self._failed(request, exc)):
            with _left(request):
                waits_for_redis(self._fail)(failed, "", "")
        super().mark_as_failure(task_id, exc, traceback, request, store_result, **how)

    def _failed(self, request: Any, error: Any) -> FailedCall | None:
        """What is kept of a failure. It must not keep the task from its end."""
        try:
            return failed_call(self.app.tasks.get(request.task), request, error) if delivery_of(request) else None
        except Exception as odd:
            logger.exception("The failure of task %s could not be kept (%s).", request.id, type(odd).__name__)
            return None

    def _fail(self, failed: FailedCall, key: str, value: str | bytes) -> None:
        get_governor().fail(failed, key, value, self.expires)
        if not failed.followed:
            acknowledged_by_redis.add(failed.delivery.tag)

    def _set_with_state(self, key: str, value: Any, state: str) -> None:
        early = state not in states.READY_STATES
        get_governor().store(bytes_to_str(key), value, self.expires, early)

    def _set(self, key: str, value: Any, expires: int | None = None) -> None:
        get_governor().store(bytes_to_str(key), value, self.expires if expires is None else expires)

    def _get_pool(self, **params: Any) -> Any:
        return super()._get_pool(**{**params, **connecting(get_settings().redis)})

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None,
        failed: FailedCall | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Store a result; Celery reads the old one before, so that no late failure replaces a success.

        A success needs no such look: that is a round trip less for every task that ends well.
        """
        if state != states.SUCCESS and failed is None:
            return super()._store_result(task_id, result, state, traceback=traceback, request=request, **kwargs)
        meta = self._get_result_meta(result=result, state=state, traceback=traceback, request=request)
        meta["task_id"] = bytes_to_str(task_id)
        key, value = bytes_to_str(self.get_key_for_task(task_id)), self.encode(meta)
        if failed is not None:
            if self._get_task_meta_for(task_id)["status"] != states.SUCCESS:
                self._fail(failed, key, value)
            return result
        if not ending.leave_result(task_id, key, value, self.expires):
            self._set_with_state(key, value, state)
        return result


def _left(request: Any) -> Any:
    """Leave a delivery's message unacknowledged if the worker stops before Redis has taken the result."""
    return unacknowledged_if_left(request) if delivery_of(request) else nullcontext()
