"""The worker's consumer: what it does with a message that it cannot make a task of, and when it is shut down.

Celery discards such a message, leaves its task PENDING for ever, and writes its body, people's data, into the log; some
it falls over, and so does the next worker. During a deployment that hits every task that only the new workers know.
Here such an action waits, any other task fails and says why, and no body is written anywhere.
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
from worker.patience import asking_redis_once
from worker.process import prefetched_leases, unreadable
from worker.process.state import closing

logger = get_logger(__name__)

#: Seconds until an action that nobody here knows is tried again, perhaps by a newer worker.
UNKNOWN_RETRY_S = 30.0

#: Seconds before a new connection: a Redis that answers each command with a refusal would be asked without a pause.
RECONNECT_PAUSE_S = 1.0


class Consumer(consumer.Consumer):  # type: ignore[misc,unused-ignore]
    """Celery's consumer."""

    def __init__(self, *args: Any, worker_options: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        # Celery's workers ask each other for what was revoked, and wait a second for answers. Here the governor knows.
        alone = {**(worker_options or {}), "without_mingle": True}
        super().__init__(*args, worker_options=alone, **kwargs)

    def start(self) -> None:
        """Consume until the worker stops; where remote control stops it, say so as a signal's handler does."""
        try:
            super().start()
        except WorkerShutdown:
            if not closing.is_set():
                worker_shutting_down.send(sender=self.hostname, sig="shutdown", how="Warm", exitcode=0)
            raise

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        """Celery's handler of a message, which no message brings down."""
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
        """Leave the events of tasks to `worker.process.bootstep`: Celery would send them in every turn of its loop."""

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let go of the connection, and wait a little before the next one."""
        logger.warning("The connection to Redis is lost: %s. It is made again.", exc)
        with warnings.catch_warnings():
            # What Celery 6 will do instead with tasks that are under way; here they are left to go on on purpose.
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)
        closing.wait(RECONNECT_PAUSE_S)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Let an action of a newer version wait; fail what no worker of ours can know."""
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
        """Fail a task whose message has headers or a body that are not those of a task."""
        self._unreadable(message, exc)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Fail a task whose message has a body that cannot be read."""
        self._unreadable(message, exc)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """Fail what seems to be a task of some kind."""
        self._unreadable(message, ValueError("it is not a Celery message"))

    def _unreadable(self, message: Any, exc: Exception) -> None:
        task, why = unreadable.context(message), unreadable.problem(message, exc)
        told = {"task_id": task.id}
        logger.error("Task %s[%s] fails (%s): %s.", task.task, task.id, type(exc).__name__, why, extra=told)
        self._fail(message, task, InputError(str(task.task), [why]))

    def _fail(self, message: Any, task: Any, error: Exception) -> None:
        """Enter a task as failed and tell who waits for it; where nobody knows which it is, its message goes."""
        if task.id:
            with asking_redis_once():
                prefetched_leases.return_lease(get_governor(), task.id, message.delivery_tag)
                unreadable.fail(self.app.backend, task, error)
        message.reject_log_error(logger, self.connection_errors)
