"""Watching jobs until Klaviyo has done with them: many in one request where there is a list, else one by one.

A look at a group (the jobs of one kind on one account) reads the list of those in progress to its end. Jobs of ours
that are in none of its pages are over: several are looked for in the list of the complete ones, the rest one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from tasks.jobs.kinds import JOB_KINDS, JobKind, by_id
from tasks.jobs.ledger import OPEN, Job, get_ledger, group
from tasks.jobs.next_step import LOOK, LOST_AFTER_S, WATCH, go_on
from tasks.jobs.pace import pause
from tasks.jobs.records import counters, objects, told
from tasks.jobs.telling import tell
from worker.api.jsonapi import Envelope
from worker.api.paging import attributes, listed, next_page, one
from worker.api.parameters import Params
from worker.app import app
from worker.errors import KlaviyoError, NotFound
from worker.reminders import remind, sees_to
from worker.settings import get_settings
from worker.steps import AskingStep

#: Seconds beyond its pause after which a watcher counts as dead. It waits for budget like everybody else.
DEAD_AFTER_S = 300.0

#: Jobs that must have gone from the list of those in progress before the list of complete ones is read.
SEVERAL_JOBS = 5
COMPLETE = 'equals(status,"complete")'
PAGE_SIZE = 100

#: Jobs that are asked for one by one after one look.
SINGLE_LOOKS = 50

#: How often Klaviyo has to say that a job is not there, so many seconds apart, until that is believed.
NOT_FOUND_BELIEVED_AFTER, GONE_RETRY_S = 3, 2.0

#: Seconds after which a group is looked at again when Klaviyo did not let us.
REFUSED_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class Looking:
    """How far a look at a group has come.

    ``look`` is its number, the moment in ms from which it counts; ``part`` which of the kind's lists is being read;
    ``requests`` how many it has cost; ``left`` how many pages of the complete ones it may still read.
    """

    kind: str
    token: str
    look: int
    part: int = 0
    requests: int = 1
    left: int = 0


class Watch(AskingStep[Looking]):
    """Look at the jobs of a group, page by page."""

    name = WATCH
    about = Looking

    def begin(self, job: Job, kind: JobKind, after: float) -> None:
        """See to it that the jobs of this one's group are watched."""
        watch(group(job.account, job.kind))

    def publish_look(self, account: str, kind: JobKind, token: str, requests: int = 1) -> None:
        """Publish the next look, when it is due."""
        watched = group(account, kind.name)
        ledger = get_ledger()
        open_, took, now = ledger.in_progress(watched), ledger.took(kind.name), ledger.now()
        aged = [(now - (job.accepted or now), job.items) for job in open_]
        wait = pause(aged, took, kind.first, kind.most, requests)
        ledger.watch(watched, token, wait + DEAD_AFTER_S, takeover=True)
        self._read(account, kind, Looking(kind.name, token, int((now + wait) * 1000)), wait=wait)
        # Not before it is published: a worker that dies in between is missed soon.
        remind(f"watch|{watched}", wait + DEAD_AFTER_S)

    def _read(
        self, account: str, kind: JobKind, looking: Looking, params: Params | None = None, wait: float = 0.0
    ) -> None:  # fmt: skip
        assert kind.listing is not None
        first = kind.page((*kind.in_progress, COMPLETE)[looking.part])
        self.ask(kind.listing, params or first, account, looking, countdown=wait)

    def answered(self, envelope: Envelope, params: Params, account: str, about: Looking) -> None:
        """Write down what a page tells, and go on to the next page, list or look."""
        kind, watched = JOB_KINDS[about.kind], group(account, about.kind)
        if not get_ledger().watch(watched, about.token, DEAD_AFTER_S):
            return
        assert kind.listing is not None
        resources = listed(kind.listing.declaration, envelope)
        following = next_page(kind.listing.declaration, params, envelope)
        owners = get_ledger().owners(watched, [each["id"] for each in resources])
        for each in resources:
            if owner := owners.get(each["id"]):
                seen(owner, kind, attributes(each), about.look)
        more = replace(about, requests=about.requests + 1)
        complete, last = about.part == len(kind.in_progress), about.part + 1 >= len(kind.in_progress)
        if following and not complete:
            self._read(account, kind, more, following)
            return
        if not last:
            self._read(account, kind, replace(more, part=about.part + 1))
            return
        missing = self._missing(watched, about.look)
        if complete and following and missing and about.left > 1:
            self._read(account, kind, replace(more, left=about.left - 1), following)
        elif not complete and len(missing) >= SEVERAL_JOBS:
            self._read(account, kind, replace(more, part=about.part + 1, left=-(-len(missing) // PAGE_SIZE) + 1))
        else:
            self._end(account, kind, about, missing)

    def failed(self, error: KlaviyoError, params: Params, account: str, about: Looking) -> None:
        """Look again later: whatever the reason, the jobs are there; until their deadline."""
        watched = group(account, about.kind)
        if get_ledger().watch(watched, about.token, DEAD_AFTER_S):
            remind(f"watch|{watched}", REFUSED_RETRY_S)
            stuck(get_ledger().in_progress(watched), JOB_KINDS[about.kind])
        raise error

    def _missing(self, watched: str, look: int) -> list[Job]:
        """The jobs that the list of those in progress did not have, though it was read after they were accepted."""
        found = get_ledger().in_progress(watched)
        return [job for job in found if job.look < look and (job.accepted or 0) * 1000 < look]

    def _end(self, account: str, kind: JobKind, looking: Looking, missing: list[Job]) -> None:
        watched = group(account, kind.name)
        for job in missing[:SINGLE_LOOKS]:
            one_look.publish_look(job, kind)
        stuck(get_ledger().in_progress(watched), kind)
        if not get_ledger().rest(watched, looking.token):
            # A new token: should this step be delivered once more, the watcher that it begins is the last.
            self.publish_look(account, kind, str(uuid4()), looking.requests)


@dataclass(frozen=True, slots=True)
class OneJob:
    """Which job is looked at, whether that goes on until it is over, and how often it was not there (404)."""

    job: str
    kind: str
    again: bool
    gone: int = 0


class Look(AskingStep[OneJob]):
    """Look at one job."""

    name = LOOK
    about = OneJob

    def begin(self, job: Job, kind: JobKind, after: float) -> None:
        """Look at this job until it is over."""
        self.publish_look(job, kind, again=True)

    def publish_look(self, job: Job, kind: JobKind, again: bool = False, gone: int = 0) -> None:
        """Publish the next look at this job, when it is due."""
        assert kind.status is not None
        wait = GONE_RETRY_S if gone else 0.0
        if again and not gone:
            ledger = get_ledger()
            took, now = ledger.took(kind.name), ledger.now()
            wait = pause([(now - (job.accepted or now), job.items)], took, kind.first, kind.most)
        asked, one = by_id(kind.status, job.job_id), OneJob(job.id, kind.name, again, gone)
        self.ask(kind.status, asked, job.account, one, countdown=wait, task_id=f"{job.id}.{uuid4()}")
        if again:
            remind(f"job|{job.id}", wait + LOST_AFTER_S)

    def answered(self, envelope: Envelope, params: Params, account: str, about: OneJob) -> None:
        """Write down what it tells."""
        kind, now = JOB_KINDS[about.kind], get_ledger().now()
        seen(about.job, kind, attributes(one(envelope)), int(now * 1000))
        if about.again:
            self._again(about.job, kind)

    def failed(self, error: KlaviyoError, params: Params, account: str, about: OneJob) -> None:
        """Klaviyo does not know it any more, or cannot say. It has been known to say 404 of what is there."""
        kind = JOB_KINDS[about.kind]
        row = get_ledger().job(about.job)
        if isinstance(error, NotFound) and row is not None and row.state in OPEN:
            if about.gone + 1 < NOT_FOUND_BELIEVED_AFTER:
                self.publish_look(row, kind, about.again, about.gone + 1)
            else:
                over(about.job, "vanished")
            return
        if about.again:
            self._again(about.job, kind)
        raise error

    def _again(self, id: str, kind: JobKind) -> None:
        row = get_ledger().job(id)
        if row is not None and row.state in OPEN and not stuck([row], kind):
            self.publish_look(row, kind, again=True)


def seen(id: str, kind: JobKind, said: dict[str, Any], look: int) -> None:
    """Write down what Klaviyo says of a job at this look."""
    status, counts = said.get("status"), counters(said)
    if status in ("complete", "cancelled"):
        errors = [told(each, kind.path) for each in objects(said.get("errors"))]
        over(id, status, counts, errors)
        return
    state = "processing" if status == "processing" else "accepted"
    if get_ledger().saw(id, look, state, counts) == "news":  # type: ignore[arg-type]
        tell(id, state.upper(), **counts)


def over(
    id: str, status: str, counts: dict[str, int] | None = None, errors: list[dict[str, Any]] | None = None
) -> None:  # fmt: skip
    """Klaviyo has done with a job; what waited for its slot may begin."""
    news, released = get_ledger().ended(id, status, counts, errors)
    go_on(*([id] if news else []), *released)


def stuck(jobs: Iterable[Job], kind: JobKind) -> bool:
    """Give up those that have not ended by the deadline; whether there was one."""
    now, deadline = get_ledger().now(), get_settings().job_deadline or kind.deadline
    late = [job for job in jobs if now - (job.accepted or now) > deadline]
    for job in late:
        over(job.id, "stuck", job.counters)
    return bool(late)


def watch(watched: str, *, takeover: bool = False) -> None:
    """See to it that the jobs of a group are watched."""
    account, _, name = watched.partition("|")
    token = str(uuid4())
    if get_ledger().watch(watched, token, DEAD_AFTER_S, takeover):
        watcher.publish_look(account, JOB_KINDS[name], token)


@sees_to("watch")
def _watch_again(watched: str) -> None:
    watch(watched, takeover=True)


watcher: Any = app.register_task(Watch())
one_look: Any = app.register_task(Look())
