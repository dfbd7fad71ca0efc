"""The worker's consumer: what becomes of a message that is no task it knows, and how it shuts down.

Celery discards such a message, leaves its task PENDING for ever, and writes its body, which is people's data, into the
log; some messages bring down one worker after the other. During a deployment this hits every task that only the new
workers know. Here an unknown action waits, any other task fails with a reason, and no body is written anywhere.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from celery.exceptions import CPendingDeprecationWarning, WorkerShutdown
from celery.signals import worker_shutting_down
from celery.utils.log import get_logger
from celery.worker import consumer

from worker.account_and_lane import is_ours
from worker.errors import InputError
from worker.governor import Delivery, get_governor
from worker.message_headers import HEADER
from worker.process import prefetched_leases, unreadable
from worker.process.state import closing
from worker.redis.patience import asking_redis_once

logger = get_logger(__name__)

#: Seconds until an action that this worker does not know is tried again, perhaps by a newer one.
UNKNOWN_RETRY_S = 30.0

#: Seconds before a new connection. A Redis that refuses every command would otherwise be asked without a pause.
RECONNECT_PAUSE_S = 1.0


class Consumer(consumer.Consumer):  # type: ignore[misc,unused-ignore]
    """Celery's consumer."""

    def __init__(self, *args: Any, worker_options: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        # Celery's workers ask each other what was revoked, and wait a second for the answers. Here the governor knows.
        alone = {**(worker_options or {}), "without_mingle": True}
        super().__init__(*args, worker_options=alone, **kwargs)

    def start(self) -> None:
        """Consume until the worker stops; if remote control stops it, announce that as a signal's handler does."""
        try:
            super().start()
        except WorkerShutdown:
            if not closing.is_set():
                worker_shutting_down.send(sender=self.hostname, sig="shutdown", how="Warm", exitcode=0)
            raise

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        """Return Celery's handler of messages, made safe against any message."""
        handle = super().create_task_handler(*args, **kwargs)

        def handled(message: Any) -> None:
            try:
                handle(message)
            except unreadable.PASSING:
                raise
            except Exception as error:
                self._unreadable(message, error)

        return handled

    def on_send_event_buffered(self) -> None:  # type: ignore[override]
        """Do nothing: Celery would send the events in every turn of its loop, and `worker.process.bootstep` does so."""

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Give the connection up, and wait a little before the next one."""
        logger.warning("The connection to Redis is lost: %s. Connecting again.", exc)
        with warnings.catch_warnings():
            # It announces what Celery 6 will do with tasks that are under way; here they go on, on purpose.
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)
        closing.wait(RECONNECT_PAUSE_S)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Let an action of a newer version wait; fail what none of our workers can know."""
        name, task_id = message.headers.get("task"), message.headers.get("id")
        if is_ours(wait := message.headers.get(HEADER), task_id):
            logger.error(
                "Action %s[%s] is not known to this worker: it waits. Upgrade the worker.", name, task_id,
                extra={"task_id": task_id, "account": wait.get("account")},
            )  # fmt: skip
            channel = message.channel
            delivery = Delivery(channel.unacked_key, channel.unacked_index_key, message.delivery_tag)
            line = (wait["line"], wait["spec"])
            with asking_redis_once():
                prefetched_leases.return_lease(get_governor(), task_id, message.delivery_tag)
                get_governor().park(
                    delivery, line, wait["lane"], task_id, UNKNOWN_RETRY_S, at_head=False, attempt=False
                )
            message.ack_log_error(logger, self.connection_errors)
            return
        task = unreadable.context(message)
        why = unreadable.unknown(str(task.task), self.app.tasks)
        logger.error("Task %s[%s] fails: %s", task.task, task.id, why, extra={"task_id": task.id})
        self._fail(message, task, InputError(str(task.task), [why]))

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Fail a task whose headers or body are not those of a task."""
        self._unreadable(message, exc)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Fail a task whose body cannot be read."""
        self._unreadable(message, exc)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """Fail what may be a task of some kind."""
        self._unreadable(message, ValueError("it is not a Celery message"))

    def _unreadable(self, message: Any, exc: Exception) -> None:
        task, why = unreadable.context(message), unreadable.problem(message, exc)
        about = {"task_id": task.id}
        logger.error("Task %s[%s] fails (%s): %s.", task.task, task.id, type(exc).__name__, why, extra=about)
        self._fail(message, task, InputError(str(task.task), [why]))

    def _fail(self, message: Any, task: Any, error: Exception) -> None:
        """Record a task as failed, and notify what waits for it; a message without a task's id is only discarded."""
        if task.id:
            with asking_redis_once():
                prefetched_leases.return_lease(get_governor(), task.id, message.delivery_tag)
                unreadable.fail(self.app.backend, task, error)
        message.reject_log_error(logger, self.connection_errors)
