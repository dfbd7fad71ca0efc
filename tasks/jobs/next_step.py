"""What comes next for a job: the one place that knows which step each state of the ledger calls for.

Every step ends by asking here, and so does whoever finds a job whose step has died.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from celery.canvas import Signature

from tasks.jobs.kinds import KINDS
from tasks.jobs.ledger import OPEN, Job, get_ledger, group
from worker.app import app, registered
from worker.patience import patiently, published
from worker.place import PREFIX
from worker.reminders import remind, sees_to

if TYPE_CHECKING:
    from tasks.jobs.find import Find
    from tasks.jobs.read import Read
    from tasks.jobs.spawn import Spawn
    from tasks.jobs.watch import Look, Watch

SPAWN, FIND, WATCH, LOOK, READ, COLLECT = (
    f"{PREFIX}job_{step}" for step in ("spawn", "find", "watch", "look", "read", "collect")
)

#: Seconds beyond its pause after which a watcher counts as dead. It waits for budget like everybody else.
DEAD = 300.0

#: Seconds after which a step that was published and has not been taken is published once more: it may have failed in a
#: way that nobody foresaw. Where it only waits for its budget, the second one finds the job gone on.
FAILED = 3_600.0


def go_on(*ids: str, after: float = 0.0) -> None:
    """Publish the next step of these jobs, ``after`` seconds from now at the earliest."""
    ledger = get_ledger()
    for job in patiently(lambda: ledger.jobs(ids)).values():
        _go_on(job, after)
        watched = job.state in OPEN and KINDS[job.kind].listing is not None
        remind(f"job|{job.id}", None if watched else after + FAILED)


def _go_on(job: Job, after: float) -> None:
    kind = KINDS[job.kind]
    match job.state:
        case "spawning" if job.sent and kind.trace:
            cast("Find", registered(FIND)).begin(job, kind, after)
        case "spawning":
            cast("Spawn", registered(SPAWN)).begin(job, kind, after)
        case "accepted" | "processing" if kind.listing:
            watch(group(job.account, job.kind))
        case "accepted" | "processing":
            cast("Look", registered(LOOK)).begin(job, kind, again=True)
        case "ended":
            reading = cast("Read", registered(READ))
            if not reading.begin(job, kind):
                collect(job)
        case _:
            pass


def watch(watched: str, *, takeover: bool = False) -> None:
    """See to it that the jobs of a group are watched."""
    account, _, name = watched.partition("|")
    token = str(uuid4())
    if patiently(lambda: get_ledger().watch(watched, token, DEAD, takeover)):
        watcher = cast("Watch", registered(WATCH))
        watcher.begin(account, KINDS[name], token)


def collect(job: Job) -> None:
    """Publish the last step of a job that has ended: it has the job's own task id, its callbacks, and its chain."""
    if job.continuation:
        last: Any = Signature.from_dict(job.continuation, app=app)
    else:
        last = registered(COLLECT).si().set(task_id=job.id)
    published(last.apply_async)


@sees_to("job")
def _take_up(id: str) -> None:
    go_on(id)


@sees_to("watch")
def _watch_again(watched: str) -> None:
    watch(watched, takeover=True)


@sees_to("slots")
def _fill_slots(watched: str) -> None:
    go_on(*patiently(lambda: get_ledger().slots(watched)))
