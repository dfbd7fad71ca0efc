"""Revoking tasks: each ends as Celery would end it, whichever process finds that it was revoked.

Celery's workers remember what was revoked in their own memory: a restart empties it, and a worker that is down does not
hear of it. Here the governor knows: a task that waits is taken out at once, and one that does not is refused its claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any

from celery import Celery, Task, states
from celery.exceptions import Ignore, TaskRevokedError
from celery.signals import task_revoked
from celery.utils.functional import maybe_list
from celery.utils.objects import Bunch
from kombu.utils.encoding import bytes_to_str

from worker.governor import get_governor
from worker.messages import Part, parts, readable


class Effect(Enum):
    """What revoking an id has come to."""

    #: It waited; nothing of it will be sent.
    WITHDRAWN = auto()
    #: It did not wait. A worker that has it sends nothing, unless it already has.
    FLAGGED = auto()
    #: Klaviyo has it: a job, which is followed to its end.
    GOES_ON = auto()


#: Who else is told of a revoked id and the reason, and says what that has come to; None where the id is not theirs. A
#: job's id is that of its last step, a collection's that of what follows its pages.
ALSO_REVOKED: list[Callable[[str, str], Effect | None]] = []

#: Who else has things that wait without a message. Each is asked which of them have stamps that match.
ALSO_STAMPED: list[Callable[[Callable[[Mapping[str, Any]], bool]], list[str]]] = []


@contextmanager
def ended_if_revoked(task: Task[Any, Any]) -> Iterator[None]:
    """End the task that is being carried out if its claim finds it revoked."""
    try:
        yield
    except Ignore as revoked:
        # Imported here: a process that only publishes needs no HTTP client.
        from worker.carrying_out import Revoked

        if not isinstance(revoked, Revoked):
            raise
        request: Any = task.request
        if revoked.expired:
            # Its message may be delivered once more, should this worker die before it is acknowledged.
            get_governor().revoke(request.id, revoked.reason)
        task.backend.mark_as_revoked(request.id, revoked.reason, request=request, store_result=True)
        mark_revoked(task.app, parts(request.chain or ()), revoked.reason)
        get_governor().done(request.id)
        about: dict[str, Any] = {"terminated": False, "signum": None, "expired": revoked.expired}
        task.send_event("task-revoked", **about)
        task_revoked.send(sender=task, request=request, **about)
        raise


def revoke(app: Celery, task_id: str, reason: str = "revoked", *, ours: bool = True) -> Effect:
    """Revoke a task, durably, and return what that has come to.

    A task that waits ends as REVOKED at once, and so do its chord and what is chained to it: nobody else would ever
    end these. ``ours``: no other application's task can have this id.
    """
    app.finalize()  # the tasks' modules enter themselves in ALSO_REVOKED
    governor = get_governor()
    backend: Any = app.backend
    for step in readable([governor.message(task_id) or b""]):
        # If only this step ended, another would be published: a job is followed to its end.
        if (job := step.kwargs.get("job")) and revoke(app, job, reason) is Effect.GOES_ON:
            return Effect.GOES_ON
    waiting = governor.revoke(task_id, reason)
    answers = [also(task_id, reason) for also in ALSO_REVOKED]
    if Effect.GOES_ON in answers:
        return Effect.GOES_ON
    # A last step that waits for room is taken out below.
    if Effect.WITHDRAWN in answers and waiting is None:
        backend.mark_as_revoked(task_id, reason, store_result=True)
        return Effect.WITHDRAWN
    error = TaskRevokedError(reason)
    for message in readable([waiting or b""]):
        # Before it is taken out: if this process dies here, the next one does the same again, and that counts once.
        _return_to_chord(app, message.part, error)
        mark_revoked(app, message.chain, reason)
    meta = backend._get_result_meta(backend.encode_result(error, states.REVOKED), states.REVOKED, None, None)
    meta["task_id"] = task_id
    key, ttl = bytes_to_str(backend.get_key_for_task(task_id)), int(backend.expires or 0)
    withdrawn = governor.withdraw(task_id, key, backend.encode(meta), ttl, ours)
    return Effect.WITHDRAWN if withdrawn else Effect.FLAGGED


def mark_revoked(app: Celery, parts: Iterable[Part], reason: str) -> None:
    """Mark parts that will never be published as revoked, and return them to their chords."""
    for part in parts:
        app.backend.mark_as_revoked(part.id, reason, store_result=True)
        _return_to_chord(app, part, TaskRevokedError(reason))


def _return_to_chord(app: Celery, part: Part, error: TaskRevokedError) -> None:
    if part.chord:
        request = Bunch(id=part.id, group=part.group, group_index=part.group_index, chord=part.chord)
        app.backend.on_chord_part_return(request, states.REVOKED, error)


def revoke_stamped(app: Celery, stamps: Mapping[str, Any]) -> list[str]:
    """Revoke everything that waits and has one of these stamps, and return the ids of what was withdrawn."""
    app.finalize()
    wanted = {name: set(map(str, maybe_list(values))) for name, values in stamps.items()}

    def matches(found: Mapping[str, Any]) -> bool:
        return any(wanted[name] & set(map(str, maybe_list(found.get(name, [])))) for name in wanted)

    ids = [message.id for message in readable(get_governor().waiting()) if matches(message.stamps)]
    ids += [each for also in ALSO_STAMPED for each in also(matches)]
    return [each for each in ids if revoke(app, each) is Effect.WITHDRAWN]
