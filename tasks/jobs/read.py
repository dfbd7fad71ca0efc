"""Reading the errors of a job that has ended, to the last page, or its result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from celery.canvas import Signature

from tasks.jobs.kinds import JOB_KINDS, JobKind, by_id
from tasks.jobs.ledger import Job, get_ledger
from tasks.jobs.next_step import READ, SETTLE
from tasks.jobs.records import describe_error
from tasks.jobs.watch import NOT_FOUND_BELIEVED_AFTER, NOT_FOUND_RETRY_S
from worker.action import Action
from worker.api.jsonapi import Envelope
from worker.api.paging import attributes, first_page, next_page, page_items
from worker.api.parameters import Params
from worker.app import app, registered
from worker.errors import Gone, KlaviyoError, NotFound
from worker.publishing import published
from worker.steps import AskingStep


@dataclass(frozen=True, slots=True)
class Reading:
    """Which job is read, the number of the page, and how many 404s there were in a row."""

    job: str
    kind: str
    page: int = 0
    not_found: int = 0


class Read(AskingStep[Reading]):
    """Read one page."""

    name = READ
    about = Reading

    def publish(self, job: Job, kind: JobKind, after: float) -> None:
        """Read the errors or the result of a job that has ended; if it has neither, go on to its last step."""
        if kind.errors is not None and job.counters.get("failed"):
            self._read_page(job, kind.errors, first_page(kind.errors.declaration, by_id(kind.errors, job.job_id)), 0)
        elif kind.result is not None and job.status == "complete":
            self._read_page(job, kind.result, by_id(kind.result, job.job_id), 0)
        else:
            publish_last_step(job)

    def _read_page(self, job: Job, action: Action[Any], params: Params, page: int) -> None:
        reading = Reading(job.id, job.kind, page)
        self.ask(action, params, job.account, reading, lane=job.lane, task_id=f"{job.id}.{uuid4()}")

    def answered(self, envelope: Envelope, params: Params, account: str, about: Reading) -> None:
        """Keep a page, then read the next one or go on to the last step."""
        kind, ledger = JOB_KINDS[about.kind], get_ledger()
        job = ledger.job(about.job)
        action = kind.result or kind.errors
        if job is None or job.state != "ended" or action is None:
            return
        following = next_page(action.declaration, params, envelope)
        found = [attributes(each) for each in page_items(envelope)]
        page = found if kind.result else [describe_error(each, kind.path) for each in found]
        ledger.keep_errors(job.id, about.page, page)
        if following is None:
            publish_last_step(job)
        else:
            self._read_page(job, action, following, about.page + 1)

    def failed(self, error: KlaviyoError, params: Params, account: str, about: Reading) -> None:
        """Go on to the last step without the rest: errors expire after a week, and how the job ended is known."""
        ledger = get_ledger()
        job = ledger.job(about.job)
        if job is None or job.state != "ended":
            return
        if isinstance(error, NotFound) and about.not_found + 1 < NOT_FOUND_BELIEVED_AFTER:
            retry = replace(about, not_found=about.not_found + 1)
            action = JOB_KINDS[about.kind].result or JOB_KINDS[about.kind].errors
            assert action is not None
            self.ask(
                action,
                params,
                account,
                retry,
                lane=job.lane,
                countdown=NOT_FOUND_RETRY_S,
                task_id=f"{job.id}.{uuid4()}",
            )
            return
        if isinstance(error, NotFound | Gone):
            ledger.mark_expired(job.id)
        else:
            unread = {"detail": f"the rest could not be read: {error}"}
            ledger.keep_errors(job.id, about.page, [unread])
        publish_last_step(job)


def publish_last_step(job: Job) -> None:
    """Publish the last step of a job: it has the job's own task id, its callbacks and its chain."""
    if job.continuation:
        last: Any = Signature.from_dict(job.continuation, app=app)
    else:
        last = registered(SETTLE).si().set(task_id=job.id)
    published(last.apply_async)


app.register_task(Read())
