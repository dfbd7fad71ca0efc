"""How a task ends that nobody wants any more: as Celery ends it, whoever finds that out.

Celery's workers keep what was revoked in their memory, which a restart empties and which no worker that is down hears
of. Here the governor knows it: a task that waits is taken out there and then, and no claim of any other is granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from celery import Celery, Task, states
from celery.exceptions import TaskRevokedError
from celery.signals import task_revoked
from celery.utils.functional import maybe_list
from celery.utils.objects import Bunch
from kombu.utils.encoding import bytes_to_str

from worker.execution import Revoked
from worker.governor import get_governor
from worker.messages import Message, Part, readable
from worker.patience import patiently

#: Who else is told of a revoked id, and says whether it was one of theirs that nothing has been sent of: a job's id is
#: that of its last step, which is not published yet.
ALSO_REVOKED: list[Callable[[str], bool]] = []


@contextmanager
def ended_if_revoked(task: Task[Any, Any]) -> Iterator[None]:
    """End the task that is being carried out where its claim finds that nobody wants it."""
    try:
        yield
    except Revoked as revoked:
        request: Any = task.request
        if revoked.expired:
            # Its message may be delivered once more, should this worker die before it is acknowledged.
            why = revoked.reason
            patiently(lambda: get_governor().revoke(request.id, why))
        task.backend.mark_as_revoked(request.id, revoked.reason, request=request, store_result=True)
        patiently(lambda: get_governor().done(request.id))
        about: dict[str, Any] = {"terminated": False, "signum": None, "expired": revoked.expired}
        task.send_event("task-revoked", **about)
        task_revoked.send(sender=task, request=request, **about)
        raise


def revoke(app: Celery, task_id: str, reason: str = "revoked", *, ours: bool = True) -> bool:
    """Revoke a task, durably; whether it waited, and is gone.

    One that waits is told at once as REVOKED, and so is its chord. One that a worker has been handed is not sent any
    more, unless it has been. ``ours``: no other application's task can have this id.
    """
    governor = get_governor()
    backend: Any = app.backend
    if any([withdraw(task_id) for withdraw in ALSO_REVOKED]):
        backend.mark_as_revoked(task_id, reason, store_result=True)
        return True
    waiting = governor.revoke(task_id, reason)
    error = TaskRevokedError(reason)
    for message in readable([waiting] if waiting is not None else []):
        # Before it is gone: whoever tells it again, should this process die here, tells the same, and that counts once.
        _tell_chord(app, message.part, error)
    meta = backend._get_result_meta(backend.encode_result(error, states.REVOKED), states.REVOKED, None, None)
    meta["task_id"] = task_id
    key, ttl = bytes_to_str(backend.get_key_for_task(task_id)), int(backend.expires or 0)
    return governor.withdraw(task_id, key, backend.encode(meta), ttl, ours)


def drop(app: Celery, message: Message, reason: str) -> bool:
    """Revoke a task that waits, and what is chained to it: nobody else would ever end that. Whether it waited."""
    if not revoke(app, message.id, reason):
        return False
    backend: Any = app.backend
    for part in message.chain:
        backend.mark_as_revoked(part.id, reason, store_result=True)
        _tell_chord(app, part, TaskRevokedError(reason))
    return True


def _tell_chord(app: Celery, part: Part, error: TaskRevokedError) -> None:
    if part.chord:
        request = Bunch(id=part.id, group=part.group, group_index=part.group_index, chord=part.chord)
        app.backend.on_chord_part_return(request, states.REVOKED, error)


def revoke_stamped(app: Celery, stamps: Mapping[str, Any]) -> list[str]:
    """Revoke every task that waits and has one of these stamps; the ids of those."""
    wanted = {name: set(map(str, maybe_list(values))) for name, values in stamps.items()}
    found = [
        message.id
        for message in readable(get_governor().waiting())
        if any(wanted[name] & set(map(str, maybe_list(message.stamps.get(name, [])))) for name in wanted)
    ]
    return [task_id for task_id in found if revoke(app, task_id)]
