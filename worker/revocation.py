"""How a task ends that nobody wants any more: as Celery ends it, whoever finds that out.

Celery's workers keep what was revoked in their memory, which a restart empties and which no worker that is down hears
of. Here the governor knows it: a task that waits is taken out there and then, and no claim of any other is granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from celery import Celery, Task, states
from celery.exceptions import Ignore, TaskRevokedError
from celery.signals import task_revoked
from celery.utils.functional import maybe_list
from celery.utils.objects import Bunch
from kombu.utils.encoding import bytes_to_str

from worker.governor import get_governor
from worker.messages import Part, parts, readable

#: Who else is told of a revoked id and the reason. True: nothing of it is sent any more; False: it goes on; None: it is
#: not theirs. A job's id is that of its last step, a collection's that of what follows its pages.
ALSO_REVOKED: list[Callable[[str, str], bool | None]] = []

#: Who else is asked which of the things that wait, without a message, have stamps that match.
ALSO_STAMPED: list[Callable[[Callable[[Mapping[str, Any]], bool]], list[str]]] = []


@contextmanager
def ended_if_revoked(task: Task[Any, Any]) -> Iterator[None]:
    """End the task that is being carried out where its claim finds that nobody wants it."""
    try:
        yield
    except Ignore as revoked:
        # Imported here: a process that only publishes needs no HTTP client.
        from worker.execution import Revoked

        if not isinstance(revoked, Revoked):
            raise
        request: Any = task.request
        if revoked.expired:
            # Its message may be delivered once more, should this worker die before it is acknowledged.
            get_governor().revoke(request.id, revoked.reason)
        task.backend.mark_as_revoked(request.id, revoked.reason, request=request, store_result=True)
        tell(task.app, parts(request.chain or ()), revoked.reason)
        get_governor().done(request.id)
        about: dict[str, Any] = {"terminated": False, "signum": None, "expired": revoked.expired}
        task.send_event("task-revoked", **about)
        task_revoked.send(sender=task, request=request, **about)
        raise


def revoke(app: Celery, task_id: str, reason: str = "revoked", *, ours: bool = True) -> bool | None:
    """Revoke a task, durably: whether it waited, and is gone; None for a job that Klaviyo has, which goes on.

    One that waits is told at once as REVOKED, and so are its chord and what is chained to it: nobody else would ever
    end that. One that a worker has been handed is not sent any more, unless it has been. ``ours``: no other
    application's task can have this id.
    """
    app.finalize()  # whoever else is told of it comes with the tasks
    governor = get_governor()
    backend: Any = app.backend
    for step in readable([governor.message(task_id) or b""]):
        # By itself it would be published anew: a job is followed to its end.
        if (job := step.kwargs.get("job")) and revoke(app, job, reason) is None:
            return None
    waiting = governor.revoke(task_id, reason)
    answers = [also(task_id, reason) for also in ALSO_REVOKED]
    if False in answers:
        return None
    # A last step that waits itself, for room, is taken out below.
    if True in answers and waiting is None:
        backend.mark_as_revoked(task_id, reason, store_result=True)
        return True
    error = TaskRevokedError(reason)
    for message in readable([waiting or b""]):
        # Before it is gone: whoever tells it again, should this process die here, tells the same, and that counts once.
        _tell_chord(app, message.part, error)
        tell(app, message.chain, reason)
    meta = backend._get_result_meta(backend.encode_result(error, states.REVOKED), states.REVOKED, None, None)
    meta["task_id"] = task_id
    key, ttl = bytes_to_str(backend.get_key_for_task(task_id)), int(backend.expires or 0)
    return governor.withdraw(task_id, key, backend.encode(meta), ttl, ours)


def tell(app: Celery, parts: Iterable[Part], reason: str) -> None:
    """Tell that parts which will never be published are revoked, and tell their chords."""
    for part in parts:
        app.backend.mark_as_revoked(part.id, reason, store_result=True)
        _tell_chord(app, part, TaskRevokedError(reason))


def _tell_chord(app: Celery, part: Part, error: TaskRevokedError) -> None:
    if part.chord:
        request = Bunch(id=part.id, group=part.group, group_index=part.group_index, chord=part.chord)
        app.backend.on_chord_part_return(request, states.REVOKED, error)


def revoke_stamped(app: Celery, stamps: Mapping[str, Any]) -> list[str]:
    """Revoke everything that waits and has one of these stamps; the ids of that."""
    app.finalize()
    wanted = {name: set(map(str, maybe_list(values))) for name, values in stamps.items()}

    def matches(found: Mapping[str, Any]) -> bool:
        return any(wanted[name] & set(map(str, maybe_list(found.get(name, [])))) for name in wanted)

    ids = [message.id for message in readable(get_governor().waiting()) if matches(message.stamps)]
    ids += [each for also in ALSO_STAMPED for each in also(matches)]
    return [each for each in ids if revoke(app, each)]
