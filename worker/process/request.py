"""A worker's view of one task: what `inspect` and Flower's page of a worker show, and how an odd one ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from celery.exceptions import Reject, Retry
from celery.utils.log import get_logger
from celery.worker import request
from celery.worker.state import task_ready

from worker.errors import InputError
from worker.governor import get_governor
from worker.messages import parts
from worker.process import prefetched_leases, unreadable
from worker.process.left_behind import LeftBehind
from worker.process.state import closing
from worker.redis.patience import asking_redis_once
from worker.revocation import mark_revoked

logger = get_logger(__name__)


class Request(request.Request):  # type: ignore[misc,unused-ignore]
    """Celery's request, which shows the names of parameters but no values, since these are people's data."""

    def info(self, safe: bool = False) -> Any:
        """Return what is shown of the task, by Celery's keys."""
        return super().info(safe=True)

    def on_retry(self, exc_info: Any) -> None:
        """Tell Flower why the task waits. Celery looks for the reason one level too high, and finds its own `Retry`."""
        found = exc_info.exception
        retry = found if isinstance(found, Retry) else found.exc
        super().on_retry(SimpleNamespace(exception=retry, traceback=exc_info.traceback))

    def revoked(self) -> bool:
        """Whether this delivery has ended as revoked, as far as this worker remembers."""
        super().revoked()
        return bool(self._already_revoked)

    @asking_redis_once()  # in the worker's loop, which has to notice that Redis has gone
    def _announce_revoked(self, reason: str, terminated: bool, signum: Any, expired: bool) -> None:
        """End this delivery and what is chained to the task, which Celery would leave PENDING.

        An action's is left to its claim: Klaviyo may already have the request, and then the task ends as that says.
        """
        if hasattr(self.task, "declaration"):
            governor = get_governor()
            if not governor.revoked(self.id):
                governor.revoke(self.id, reason)
            prefetched_leases.return_lease(governor, self.id, self._message.delivery_tag)
            return
        mark_revoked(self.task.app, parts(self._context.chain or ()), reason)
        super()._announce_revoked(reason, terminated, signum, expired)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """End a failed task. Without ``return_ok``, Celery itself has stumbled over its message."""
        if return_ok:
            super().on_failure(exc_info, send_failed_event, return_ok)
            return
        if closing.is_set() or issubclass(exc_info.type, (LeftBehind, *unreadable.PASSING)):
            return  # its message stays on record for the next worker
        said = (self.type, self.id, exc_info.type.__name__, unreadable.ODD)
        logger.error("Task %s[%s] fails (%s): %s.", *said, extra={"task_id": self.id})
        context, error = unreadable.context(self._message), InputError(str(self.type), [unreadable.ODD])
        prefetched_leases.return_lease(get_governor(), self.id, self._message.delivery_tag)
        if not issubclass(exc_info.type, Reject):  # raised for a task that has already succeeded
            unreadable.fail(self.task.backend, context, error)
        task_ready(self)
        self.acknowledge()
