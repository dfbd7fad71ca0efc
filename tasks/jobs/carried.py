"""Calls that travel as the records of one job: the job is opened for them, and its end is told to each of them.

The job has the id of the request that carries them. Until its end the governor keeps them as under way
(`Governor.hand_over`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.jobs.kinds import JOB_KINDS
from tasks.jobs.ledger import Job, get_ledger
from tasks.jobs.next_step import LOST_AFTER_S, go_on
from tasks.jobs.outcome import errors_by_index, outcome_error, result_data
from tasks.jobs.records import records
from tasks.jobs.settle import SettleJob
from worker.account_and_lane import TASK_PREFIX, Place, lane_named
from worker.api.jsonapi import Envelope
from worker.app import app
from worker.errors import Refused
from worker.reminders import remind, sees_to
from worker.telemetry.events import send_event
from worker.together.dividing import Part, divided
from worker.together.riding import CARRIED, Passenger, end_with_job, passengers_of, set_down

#: Why a call goes again.
FAILED = "the job that carried it could not carry it out: it goes alone"
UNNAMED = "the job that carried it failed for records that it does not name: it goes alone"
NO_JOB = "the job that was to carry it is gone: it goes alone"


class TellCalls(SettleJob):
    """Tell each of the calls that a job has carried what became of it, and settle the job."""

    name = f"{TASK_PREFIX}job_tell"

    def run(self) -> Envelope:
        """End the calls first: as long as they have not ended, the job has something to send_event."""
        id, ledger = self.task_id, get_ledger()
        job = ledger.job(id)
        passengers = passengers_of(app, id)
        if job is not None and job.state == "ended" and len(passengers) == job.items:
            request = ledger.request(id)
            listed = records(request.body if request else None, JOB_KINDS[job.kind].path)
            end_with_job(app, passengers, parts_of(job, passengers, ledger.errors_of(id), listed), id, send_event)
        else:
            set_down(id)  # some cannot be made any more, as their account is gone: by itself, each is told why
        remind(f"{CARRIED}|{id}", None)
        return super().run()


tell_calls: Any = app.register_task(TellCalls())


@sees_to(CARRIED)
def open_job(carrier: str) -> None:
    """Open the job for calls that were handed over; if it is there already, see that it still will send_event them."""
    passengers, ledger = passengers_of(app, carrier), get_ledger()
    if not passengers:
        set_down(carrier)
        remind(f"{CARRIED}|{carrier}", None)
        return
    job = ledger.job(carrier)
    if job is not None and job.state == "settled":
        # Somebody has withdrawn it.
        end_with_job(app, passengers, [Part(why=NO_JOB)] * len(passengers), carrier, send_event)
        remind(f"{CARRIED}|{carrier}", None)
        return
    if job is None:
        first = passengers[0]
        sharing, alias = first.sharing, first.call.account
        kind, lane = JOB_KINDS[sharing.carrier.name], lane_named(sharing.carrier.name, first.rider.lane)
        request = sharing.carrier.request(sharing.join([each.call.params for each in passengers]))
        last = tell_calls.si().set(task_id=carrier, **Place(alias, lane).options())
        _, released = ledger.open(
            carrier, kind.name, alias, request, lane=lane, cap=kind.cap, items=len(passengers), continuation=last
        )
        go_on(*released)
    remind(f"{CARRIED}|{carrier}", LOST_AFTER_S)


def parts_of(job: Job, passengers: Sequence[Passenger], details: list[dict[str, Any]], listed: list[Any]) -> list[Part]:
    """What a job's end means for each of its records, which are these calls. Pure.

    A record that failed goes alone, as the single action that it is, so that it ends as it would have had to.
    """
    found = result_data(job, JOB_KINDS[job.kind], details)
    if error := outcome_error(found):
        if isinstance(error, Refused):
            calls = [(each.call.params, each.rider.share) for each in passengers]
            return divided(passengers[0].sharing, calls, error, job.id)
        return [Part(error=error)] * len(passengers)
    failed = {index for index, _ in errors_by_index(details, listed, len(passengers))}
    if found.get("failed", 0) > len(failed):
        return [Part(why=UNNAMED)] * len(passengers)
    good = Envelope(data=None, error=None, successful=True, job_id=job.job_id)
    return [Part(why=FAILED) if index in failed else Part(Envelope(good)) for index in range(len(passengers))]
