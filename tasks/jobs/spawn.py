"""The first step of a job: ask Klaviyo to begin it, and write down what came of that.

A request whose answer was lost is not sent again: the job is looked for first (`tasks.jobs.find`).
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
from tasks.jobs.records import counters
from tasks.jobs.telling import tell
from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope, outcome_unknown
from worker.api.paging import attributes, one
from worker.api.repeat import SAFE
from worker.app import app
from worker.errors import (
    BadRequest,
    KlaviyoError,
    Refused,
    SettingsError,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from worker.execution import Call, Revoked, attempt, claim_lease, given_up, pause_account, retry_or_give_up
from worker.governor import Expiry, Settlement, get_governor
from worker.message_headers import HEADER
from worker.place import lane_of
from worker.publishing import published
from worker.revocation import revoke
from worker.settings import get_settings
from worker.steps import Step
from worker.transport import header

#: Seconds until a job that Klaviyo had no room for is tried again, if none of ours has ended by then.
NO_ROOM_RETRY_S = 15.0


class Spawn(Step):
    """Ask Klaviyo to begin a job."""

    name = SPAWN
    ignore_result = True

    def begin(self, job: Job, kind: JobKind, after: float) -> None:
        """Publish this step."""
        line = kind.spawn.declaration.line(job.account, {})
        expires = Expiry(job.expires, absolute=True) if job.expires else None
        headers: Any = {HEADER: {**header(line, job.lane, after, expires), "account": job.account}}
        if job.stamps:
            headers |= {"stamps": job.stamps, "stamped_headers": list(job.stamps)}
        # Not the job's own id: that is the last step's, and the governor takes one task's second message for a repeat.
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
        if not ledger.sending(job, settings.lease_ms):
            unused = Settlement(used=False, forget=True)
            get_governor().settle(call.task_id, unused, call.holder)
            return
        try:
            envelope = attempt(call, get_governor(), settings)
        except Unauthorized as unauthorized:
            if row.run:
                # Somebody waits for the import, which ends with the reason and can be taken up again.
                pause_account(unauthorized)
                self.over(row, unauthorized, "refused")
            self.later(row, call, unauthorized, attempts)
        except Refused as error:
            self.refused(row, JOB_KINDS[kind], error)
        except SettingsError as wrong:
            self.over(row, wrong, "refused")
        except Throttled as throttled:
            self.later(row, call, throttled, attempts)
        except Unavailable as unavailable:
            self.unavailable(row, JOB_KINDS[kind], call, unavailable, attempts)
        else:
            self.accepted(row, JOB_KINDS[kind], envelope)
        if attempts:
            get_governor().done(self.task_id)

    def _may_send(self, job: Job, kind: JobKind) -> bool:
        """Return True if the job is to be sent now. Nobody knows what became of one that was sent before."""
        if job.state == "spawning" and not job.sent:
            return True
        if job.state != "spawning" or job.sent is None:
            return False
        left = job.sent + get_settings().lease_ms / 1000 - get_ledger().now()
        if left > 0 or kind.trace:
            # Somebody may be sending it this moment; when that is over, it is looked for.
            go_on(job.id, after=max(0.0, left))
            return False
        if job.once:
            lost = Unavailable(job.kind, job.account, "the worker that had sent it died before the answer came")
            self.over(job, outcome_unknown(job.kind, job.account, lost, job.once), "unknown")
        return True

    def unavailable(self, job: Job, kind: JobKind, call: Call, error: Unavailable, attempts: int) -> None:
        """Go on without an answer from Klaviyo."""
        settings = get_settings()
        if error.sent and kind.trace:
            # Klaviyo may still be at it: whoever looks now might look too early.
            go_on(job.id, after=settings.read_timeout)
            return
        if error.sent and job.once:
            self.over(job, outcome_unknown(job.kind, job.account, error, job.once), "unknown")
        self.later(job, call, error, attempts)

    def later(self, job: Job, call: Call, error: Throttled | Unavailable | Unauthorized, attempts: int) -> NoReturn:
        """Let this step wait again for a job that has certainly not begun, unless it has been tried often enough."""
        settings = get_settings()
        if isinstance(error, Unavailable) and attempts + 1 >= settings.max_attempts:
            self.over(job, given_up(error, attempts + 1), "refused")
        get_ledger().again(job.id)  # before it waits: whoever takes it up must be allowed to send
        raise retry_or_give_up(call, self.request, error, attempts, settings) from None

    def accepted(self, job: Job, kind: JobKind, envelope: Envelope) -> None:
        """Go on with a job that Klaviyo has accepted."""
        ledger = get_ledger()
        data = one(envelope)
        job_id = data.get("id") or ""
        if not job_id and kind.trace:
            # It has begun, and its id was not told.
            go_on(job.id)
            return
        if kind.status is None or not job_id:
            # Nothing more will be heard of it.
            _, released = ledger.ended(job.id, "accepted")
            go_on(job.id, *released)
            return
        if ledger.accept(job.id, job_id, kind.own_id) == "ok":
            tell(job.id, "ACCEPTED", job_id=job_id, **counters(attributes(data)))
        go_on(job.id)

    def refused(self, job: Job, kind: JobKind, refused: Refused) -> None:
        """Go on after a refusal: of one job too many, of some of the records, or of the whole job."""
        if _no_room(kind, refused):
            get_ledger().crowded(job.id, NO_ROOM_RETRY_S)
        elif not (job.run and isinstance(refused, BadRequest | TooLarge) and isolate(job, kind, refused)):
            self.over(job, refused, "refused")

    def over(self, job: Job, error: KlaviyoError, status: str) -> NoReturn:
        """End a job that has not begun, or of which nobody can tell."""
        failure = {"type": type(error).__name__, "args": list(error.args)}
        _, released = get_ledger().ended(job.id, status, failure=failure)
        go_on(job.id, *released)
        raise error


@cache
def _declaration(kind: str) -> Declaration:
    """The action as this step sends it: the ledger, not the governor, knows whether it was sent before."""
    return replace(JOB_KINDS[kind].spawn.declaration, repeat=SAFE)


def _no_room(kind: JobKind, refused: Refused) -> bool:
    """Return True if Klaviyo refuses one job too many; it does not document the code of that error."""
    told = " ".join(str(error.get(name, "")) for error in refused.errors for name in ("code", "detail")).lower()
    return bool(kind.cap) and "too" in told and "many" in told and "job" in told


spawn: Any = app.register_task(Spawn())
