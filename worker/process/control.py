"""Remote control: revocations are made in Redis, by whoever asks and by every worker that hears of them."""

from __future__ import annotations

from typing import Any

from celery.app import control
from celery.utils.functional import maybe_list
from celery.utils.log import get_logger
from celery.worker import state as worker_state
from celery.worker.control import Panel, control_command

from worker.process.signals import stop
from worker.redis.homes import at_each
from worker.redis.patience import asking_redis_once
from worker.revocation import Effect, revoke, revoke_stamped

logger = get_logger(__name__)


class Control(control.Control):
    """Celery's remote control, with revocations that outlive every worker."""

    @asking_redis_once()
    def revoke(self, task_id: Any, *args: Any, **kwargs: Any) -> Any:
        """Revoke a task, or several, by id; `worker.revocation.revoke` says what that does."""
        self._know_all()
        # An id does not tell on which Redis its task is.
        at_each(lambda: [revoke(self.app, each) for each in maybe_list(task_id)])
        return super().revoke(task_id, *args, **kwargs)

    @asking_redis_once()
    def revoke_by_stamped_headers(self, headers: Any, *args: Any, **kwargs: Any) -> Any:
        """Revoke what waits with these stamps, durably, and have the workers of this moment refuse what comes later."""
        self._know_all()
        at_each(lambda: revoke_stamped(self.app, headers))
        return super().revoke_by_stamped_headers(headers, *args, **kwargs)

    def _know_all(self) -> None:
        """Jobs and collections say themselves what revoking them means: this process may not have imported them."""
        self.app.loader.import_default_modules()


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
