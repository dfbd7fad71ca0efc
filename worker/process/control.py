"""Remote control: revocations are made in Redis, by whoever asks and by every worker that hears of them.

Where there are several Redis, the workers of all of them are spoken to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from celery.app import control
from celery.utils.functional import maybe_list
from celery.utils.log import get_logger
from celery.worker import state as worker_state
from celery.worker.control import Panel, control_command

from worker.app import get_peer
from worker.governor import get_governor
from worker.process.signals import stop
from worker.redis.absence import without_those_away
from worker.redis.connection import reason_away
from worker.redis.elsewhere import elsewhere
from worker.redis.homes import ask_each, at_redis
from worker.redis.patience import asking_redis_once
from worker.revocation import Effect, revoke, revoke_stamped
from worker.settings import get_settings

logger = get_logger(__name__)


class Control(control.Control):
    """Celery's remote control, with revocations that outlive every worker."""

    @asking_redis_once()
    def revoke(self, task_id: Any, *args: Any, **kwargs: Any) -> Any:
        """Revoke a task, or several, by id; `worker.revocation.revoke` says what that does."""
        self._know_all()
        with without_those_away() as missing:
            # An id does not tell on which Redis its task is.
            done = ask_each(lambda: [revoke(self.app, each) for each in maybe_list(task_id)])
            replies = super().revoke(task_id, *args, **kwargs)
        effects = zip(*done.values(), strict=True)
        if missing.errors and not all({*each} - {Effect.FLAGGED} for each in effects):
            raise next(iter(missing.errors.values()))  # where a task may be that waits at none of the others
        return replies

    @asking_redis_once()
    def revoke_by_stamped_headers(self, headers: Any, *args: Any, **kwargs: Any) -> Any:
        """Revoke what waits with these stamps, durably, and have the workers of this moment refuse what comes later."""
        self._know_all()
        with without_those_away() as missing:
            ask_each(lambda: revoke_stamped(self.app, headers))
            replies = super().revoke_by_stamped_headers(headers, *args, **kwargs)
        if missing.errors:
            raise next(iter(missing.errors.values()))
        return replies

    def broadcast(self, command: str, *args: Any, **options: Any) -> Any:
        """Send a command to the workers of every Redis, or to those named in ``destination``; return their answers.

        Raises:
            redis.RedisError: no Redis takes it.

        """
        if options.get("connection") is not None or not get_settings().redis_urls:
            return super().broadcast(command, *args, **options)
        names = _places(options.get("destination"))
        return _joined(_at_once(names, lambda: self._broadcast_here(command, *args, **options)))

    def _broadcast_here(self, *args: Any, **options: Any) -> Any:
        control: Any = get_peer().control if elsewhere() else super()
        return control.broadcast(*args, **options)

    def _know_all(self) -> None:
        """Jobs and collections say themselves what revoking them means: this process may not have imported them."""
        self.app.loader.import_default_modules()


def _places(destination: Iterable[str] | None) -> list[str]:
    """The names of the Redis whose workers are meant: of all, where nobody knows where one of those is.

    One that is away is left out: kombu would try for seconds to connect.

    Raises:
        redis.RedisError: all are away.

    """
    wanted = {*(destination or ())}
    with without_those_away() as missing:
        known = ask_each(lambda: {name.rpartition("/")[0] for name in get_governor().workers()})
    if wanted and wanted <= set[str]().union(*known.values()):
        return [name for name, workers in known.items() if wanted & workers]
    for name, error in missing.errors.items():
        logger.warning("The workers of the Redis %s cannot be spoken to: %s.", name, reason_away(error))
    return list(known)


def _at_once(names: list[str], send: Callable[[], Any]) -> list[Any]:
    """Send a command at several Redis at the same time, since answers are waited for. Return what came of each."""
    with ThreadPoolExecutor(len(names)) as threads:
        sent = [threads.submit(copy_context().run, _sent_at, name, send) for name in names]
        return [each.result() for each in sent]


def _sent_at(name: str, send: Callable[[], Any]) -> Any:
    with at_redis(name):
        return send()


def _joined(answers: list[Any]) -> Any:
    """The answers of all in one list; None where none was waited for."""
    lists = [each for each in answers if each is not None]
    return [answer for each in lists for answer in each] if lists else None


@control_command(name="revoke", variadic="task_id", signature="[id1 [id2 [... [idN]]]]")
@asking_redis_once()
def _revoke(state: Any, task_id: Any, **_: Any) -> Any:
    """Revoke tasks by id (one or a list), durably; to terminate them can mean no more."""
    ids = maybe_list(task_id) or []
    going_on = [each for each in ids if revoke(state.app, each, ours=False) is Effect.GOES_ON]
    worker_state.revoked.update(each for each in ids if each not in going_on)
    running = going_on + [request.id for request in worker_state.active_requests if request.id in ids]
    if running:
        # A thread cannot be ended from outside, and a request that Klaviyo has cannot be taken back.
        said = f"{', '.join(running)} under way: what has been sent cannot be taken back"
        logger.warning("Revoked, but %s; it ends as Klaviyo says.", said)
        return {"ok": f"tasks {ids} flagged as revoked; {said}"}
    return {"ok": f"tasks {ids} flagged as revoked"}


_flag_stamped_headers = Panel.data["revoke_by_stamped_headers"]


@control_command(name="revoke_by_stamped_headers", args=[("headers", str)], signature="[key1=value1 [key2=value2 …]]")
@asking_redis_once()
def _revoke_by_stamped_headers(state: Any, headers: Any, **options: Any) -> Any:
    """Revoke what waits with these stamps, durably, and flag them for what comes later."""
    if isinstance(headers, list):
        headers = dict(each.split("=", 1) for each in headers)
    revoke_stamped(state.app, headers)
    return _flag_stamped_headers(state, headers, **{**options, "terminate": False})


@control_command(name="shutdown")
def _shutdown(state: Any, msg: str = "Got shutdown from remote", **_: Any) -> None:
    """Stop, as on SIGTERM: Celery's own way finishes what waits in the worker, however long that takes."""
    logger.warning(msg)
    stop()
