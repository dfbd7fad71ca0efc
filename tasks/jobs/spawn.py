"""The first step of a job: ask Klaviyo to begin it, and record the answer.

A request whose answer was lost is not sent again until Klaviyo's jobs have been searched for it (`tasks.jobs.find`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, NoReturn
from uuid import uuid4

from tasks.jobs.isolate import isolate
from tasks.jobs.kinds import JOB_KINDS, JobKind
from tasks.jobs.ledger import Job, get_ledger
from tasks.jobs.next_step import SPAWN, go_on
from tasks.jobs.progress import show_state
from tasks.jobs.records import counters
from worker.account_and_lane import lane_of
from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope
from worker.api.paging import attributes, one
from worker.api.repeat import SAFE
from worker.app import app
from worker.carrying_out import Revoked, claim_lease, pause_account, retry_or_give_up
from worker.errors import (
    SENDER_DIED,
    BadRequest,
    KlaviyoError,
    OutcomeUnknown,
    Refused,
    SettingsError,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
    given_up,
)
from worker.execution import Call, attempt
from worker.governor import Expiry, RequestEnd, get_governor
from worker.message_headers import HEADER
from worker.publishing import published
from worker.revocation import revoke
from worker.settings import get_settings
from worker.steps import Step
from worker.transport import header

#: Seconds after which a job that Klaviyo's cap kept out is tried again, unless one of ours ends before that.
JOB_CAP_RETRY_S = 15.0


class Spawn(Step):
    """Ask Klaviyo to begin a job."""

    name = SPAWN
    ignore_result = True

    def publish(self, job: Job, kind: JobKind, after: float) -> None:
        """Publish this step."""
        line = kind.spawn.declaration.line(job.account, {})
        expires = Expiry(job.expires, absolute=True) if job.expires else None
        headers: Any = {HEADER: {**header(line, job.lane, after, expires), "account": job.account}}
        if job.stamps:
            headers |= {"stamps": job.stamps, "stamped_headers": list(job.stamps)}
        # The job's own id is for its last step, and the governor would take a second message with that id for a repeat.
        task_id = f"{job.id}.{uuid4()}"
        kwargs = {"job": job.id, "kind": job.kind}
        published(lambda: self.apply_async((), kwargs, headers=headers, queue=line.queue, task_id=task_id))

    def run(self, *, job: str, kind: str) -> None:
        """Send the request, if it has not been sent."""
        ledger, settings = get_ledger(), get_settings()
        row, prepared = ledger.job(job), ledger.request(job)
        if row is None or prepared is None or not self._may_send(row, JOB_KINDS[kind]):
            get_governor().release(self.task_id)
            return
        call = Call(_declaration(kind), row.account, {}, self.task_id, self.holder, prepared)
        try:
            attempts = claim_lease(call, self.request, lane_of(self.request), get_governor(), settings).attempts
        except Revoked as unwanted:
            revoke(app, job, unwanted.reason)
            raise
        if not ledger.mark_sending(job, settings.lease_ms, call.holder):
            unused = RequestEnd(used=False, forget=True)
            get_governor().close_lease(call.task_id, unused, call.holder)
            return
        try:
            envelope = attempt(call, get_governor(), settings)
        except Unauthorized as unauthorized:
            if row.run:
                # Whoever waits for the import gets the reason at once, and can resume it later.
                pause_account(unauthorized)
                self.end_job(row, unauthorized, "refused")
            self.retry_or_give_up(row, call, unauthorized, attempts)
        except Refused as error:
            self.handle_refused(row, JOB_KINDS[kind], error)
        except SettingsError as wrong:
            self.end_job(row, wrong, "refused")
        except Throttled as throttled:
            self.retry_or_give_up(row, call, throttled, attempts)
        except Unavailable as unavailable:
            self.handle_unavailable(row, JOB_KINDS[kind], call, unavailable, attempts)
        else:
            self.handle_accepted(row, JOB_KINDS[kind], envelope)
        if attempts:
            get_governor().done(self.task_id)

    def _may_send(self, job: Job, kind: JobKind) -> bool:
        """Return True if the job may be sent now; of one that was sent before, the outcome is unknown."""
        if job.state == "spawning" and not job.sent:
            return True
        if job.state != "spawning" or job.sent is None:
            return False
        left = job.sent + get_settings().lease_ms / 1000 - get_ledger().now()
        if left > 0 or kind.trace:
            # Another worker may be sending it right now; once its lease has expired, the job is searched for.
            go_on(job.id, after=max(0.0, left))
            return False
        if job.once:
            self.end_job(job, OutcomeUnknown(job.kind, job.account, SENDER_DIED, job.once), "unknown")
        return True

    def handle_unavailable(self, job: Job, kind: JobKind, call: Call, error: Unavailable, attempts: int) -> None:
        """Search for the job, retry or give up after a request that Klaviyo did not answer."""
        settings = get_settings()
        if error.sent and kind.trace:
            # Klaviyo may still be working on the request, so a search would be too early.
            go_on(job.id, after=settings.read_timeout)
            return
        if error.sent and job.once:
            self.end_job(job, OutcomeUnknown(job.kind, job.account, error.reason, job.once), "unknown")
        self.retry_or_give_up(job, call, error, attempts)

    def retry_or_give_up(
        self, job: Job, call: Call, error: Throttled | Unavailable | Unauthorized, attempts: int
    ) -> NoReturn:
        """Put this step back to wait: the job has certainly not begun. Give up after the last attempt."""
        settings = get_settings()
        if isinstance(error, Unavailable) and attempts + 1 >= settings.max_attempts:
            self.end_job(job, given_up(error, attempts + 1), "refused")
        get_ledger().allow_resend(job.id)  # before it waits: the next worker must be allowed to send
        raise retry_or_give_up(call, self.request, error, attempts, settings) from None

    def handle_accepted(self, job: Job, kind: JobKind, envelope: Envelope) -> None:
        """Go on with a job that Klaviyo has accepted."""
        ledger = get_ledger()
        data = one(envelope)
        job_id = data.get("id") or ""
        if not job_id and kind.trace:
            # It has begun, but the answer did not contain its id.
            go_on(job.id)
            return
        if kind.status is None or not job_id:
            # Klaviyo offers no way to follow it.
            _, released = ledger.end(job.id, "accepted")
            go_on(job.id, *released)
            return
        if ledger.accept(job.id, job_id, kind.own_id) == "ok":
            show_state(job.id, "ACCEPTED", job_id=job_id, **counters(attributes(data)))
        go_on(job.id)

    def handle_refused(self, job: Job, kind: JobKind, refused: Refused) -> None:
        """Wait for a slot if Klaviyo's cap is reached, set bad records aside, or end the job with the refusal."""
        if _is_cap_reached(kind, refused):
            get_ledger().job_cap_reached(job.id, JOB_CAP_RETRY_S)
        elif not (job.run and isinstance(refused, BadRequest | TooLarge) and isolate(job, kind, refused)):
            self.end_job(job, refused, "refused")

    def end_job(self, job: Job, error: KlaviyoError, status: str) -> NoReturn:
        """End a job that has not begun, or whose outcome is unknown, and raise the error."""
        failure = {"type": type(error).__name__, "args": list(error.args)}
        _, released = get_ledger().end(job.id, status, failure=failure)
        go_on(job.id, *released)
        raise error


@cache
def _declaration(kind: str) -> Declaration:
    """The action as this step sends it: the ledger, not the governor, knows whether it was sent before."""
    return replace(JOB_KINDS[kind].spawn.declaration, repeat=SAFE)


def _is_cap_reached(kind: JobKind, refused: Refused) -> bool:
    """Return True if there are too many jobs in progress; Klaviyo does not document the code of that error."""
    text = " ".join(str(error.get(name, "")) for error in refused.errors for name in ("code", "detail")).lower()
    return bool(kind.cap) and "too" in text and "many" in text and "job" in text


spawn: Any = app.register_task(Spawn())
