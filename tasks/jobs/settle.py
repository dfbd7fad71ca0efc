"""The last step of a job: its outcome becomes the result of the task that began it."""

from __future__ import annotations

from celery.exceptions import Ignore

from tasks.jobs.kinds import JOB_KINDS
from tasks.jobs.ledger import get_ledger
from tasks.jobs.next_step import SETTLE, go_on
from tasks.jobs.outcome import job_outcome, outcome_error, result_data
from tasks.jobs.records import records
from worker.api.jsonapi import Envelope
from worker.app import app
from worker.errors import JobFailed
from worker.steps import Step, has_ended


class SettleJob(Step):
    """Settle a job."""

    name = SETTLE
    revocable = False

    def run(self) -> Envelope:
        """Record the outcome and return it as the result.

        Raises:
            JobFailed: it was cancelled, vanished, expired or stuck.
            KlaviyoError: it was not accepted.

        """
        id, ledger = self.task_id, get_ledger()
        job = ledger.job(id)
        if job is None:
            lost = {"status": "lost", "id": None}
            raise JobFailed("job", "?", lost)
        if job.state == "settled":
            if has_ended(id):
                raise Ignore("its outcome has been returned")
            found = job.outcome or {}
        elif job.state != "ended":
            raise Ignore("it was opened again and is still in progress")
        else:
            kind = JOB_KINDS[job.kind]
            details, request = ledger.errors_of(id), ledger.request(id)
            found = result_data(job, kind, details)
            outcome = job_outcome(job, found, details, records(request.body if request else None, kind.path))
            _, released = ledger.settle(id, outcome)
            go_on(*released)
        if error := outcome_error(found):
            raise error
        return Envelope(data=found, error=None, successful=True, job_id=found["id"])


settle_job = app.register_task(SettleJob())
