"""From the end of a task's work to the end of the task: publish what follows it, and keep its success a success.

Celery publishes callbacks and the next part of a chain before it stores the result, and makes a FAILURE of a task whose
follower cannot be published. What Klaviyo has carried out has not failed. So here each part ends by itself: one of ours
that is wrong is published as it is, and fails in the worker that takes it, with its own reason, its errbacks and its
place in a chord; any other is entered as failed at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from celery import Task
from celery.app import amqp
from celery.app.task import Context
from celery.canvas import maybe_signature
from celery.signals import task_postrun
from celery.utils.log import get_logger

from worker.message_headers import ATTEMPT
from worker.process.left_behind import LeftBehind, unacknowledged_if_left
from worker.publishing import published
from worker.redis.patience import waits_for_redis
from worker.revocation import ended_if_revoked
from worker.telemetry.result_summary import keep_summary
from worker.telemetry.traces import tracing_task

logger = get_logger(__name__)
T = TypeVar("T")

_over: ContextVar[bool] = ContextVar("over", default=False)


def passing_on() -> bool:
    """Return True while what follows a finished task is being published, by us or by Celery."""
    by_celery: ContextVar[bool] = amqp._callback_publish_retry  # type: ignore[attr-defined]
    return _over.get() or by_celery.get()


@contextmanager
def then_passing_on() -> Iterator[None]:
    """Do a task's work. From then until the task has ended, Celery calls errbacks and counts chords."""
    _over.set(False)
    try:
        yield
    finally:
        _over.set(True)


@task_postrun.connect
def _ended(**_: Any) -> None:
    """The thread is free: its next work follows nothing."""
    _over.set(False)


def run_and_pass_on(task: Task[Any, Any], work: Callable[[], T]) -> T:
    """Return the result of a delivery's work, after publishing what follows."""
    if task.request.is_eager:
        return work()
    with tracing_task(task.name, task.request), unacknowledged_if_left(task.request), ended_if_revoked(task):
        with then_passing_on():
            result = work()
        keep_summary(result, task.request.get(ATTEMPT))
        pass_on(task, result)
    return result


def pass_on(task: Task[Any, Any], result: Any) -> None:
    """Publish the callbacks of the task that is being carried out, and the next part of its chain."""
    request: Any = task.request
    callbacks, chain = request.callbacks or [], request.chain or []
    request.callbacks = request.chain = None  # else Celery would publish them too
    for number, callback in enumerate(callbacks):
        # The same id if this is repeated: what is published twice in a short time is one task.
        publish(task, callback, (result,), str(uuid.uuid5(uuid.NAMESPACE_OID, f"{request.id} {number}")))
    if chain:
        publish(task, chain[-1], (result,), chain=chain[:-1])


def publish(
    task: Task[Any, Any], part: Any, args: tuple[Any, ...], task_id: str | None = None, chain: Sequence[Any] = ()
) -> None:
    """Publish one part that follows a task. If that is impossible, the part fails and the task does not."""
    request: Any = task.request
    signature: Any = maybe_signature(part, app=task.app)
    if task_id:
        signature.options.setdefault("task_id", task_id)
    ids = {"parent_id": request.id, "root_id": request.root_id or request.id}
    options = {**ids, "chain": list(chain)} if chain else ids
    try:
        published(lambda: signature.apply_async(args, **options))
    except LeftBehind:
        raise
    except Exception as error:
        why = error
    else:
        return
    logger.error("%s[%s], which follows %s[%s], has failed: it could not be published (%s: %s).",
                 signature.task, signature.id, task.name, request.id, type(why).__name__, why)  # fmt: skip
    _fail(task, signature, chain, why)


@waits_for_redis
def _fail(task: Task[Any, Any], part: Any, chain: Sequence[Any], error: Exception) -> None:
    """Record a part as failed, with all that Celery does for a failing task."""
    options = part.options
    context = Context(
        {
            "id": options.get("task_id"), "task": part.task, "group": options.get("group_id"),
            "group_index": options.get("group_index"), "chord": options.get("chord"), "chain": list(chain),
            "errbacks": options.get("link_error"), "parent_id": task.request.id, "delivery_info": {},
        }
    )  # fmt: skip
    backend: Any = task.backend
    if part.subtask_type in ("chain", "group", "chord"):
        # Only its parts have ends of their own.
        backend._fail_chain(list(_parts(part)), error)
    backend.mark_as_failure(context.id, error, request=context, store_result=context.id is not None)


def _parts(part: Any) -> Iterator[Any]:
    """Yield the tasks that a signature stands for."""
    inner = part.kwargs.get("tasks") if part.subtask_type in ("chain", "group") else [part.kwargs.get("body")]
    for each in inner or []:
        if each and each.get("subtask_type") in ("chain", "group", "chord"):
            yield from _parts(maybe_signature(each))
        elif each:
            yield each
