"""Withdrawing a job before Klaviyo has it: what revoking it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from celery import states
from celery.exceptions import TaskRevokedError
from celery.utils.objects import Bunch

from tasks.jobs.ledger import get_ledger
from tasks.jobs.next_step import go_on
from worker.app import app
from worker.revocation import ALSO_REVOKED, ALSO_STAMPED, Effect


def withdraw(id: str, reason: str = "revoked") -> Effect | None:
    """Withdraw a job unless it has been sent; None if there is no such job.

    The remaining steps of one that was withdrawn find it settled, and end.
    """
    ledger = get_ledger()
    job = ledger.job(id)
    if job is None:
        return None
    done, released = ledger.withdraw(id, {"status": "withdrawn"})
    go_on(*released)
    options = (job.continuation or {}).get("options", {})
    if done and options.get("chord"):
        part = Bunch(id=id, group=options["group_id"], group_index=options["group_index"], chord=options["chord"])
        app.backend.on_chord_part_return(part, states.REVOKED, TaskRevokedError(reason))
    return Effect.WITHDRAWN if done else Effect.GOES_ON


def waiting_with_stamps(matches: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    """Return the jobs whose stamps match and that wait for a slot: there is no message for them."""
    return [job.id for job in get_ledger().waiting_jobs() if matches(job.stamps or {})]


ALSO_REVOKED.append(withdraw)
ALSO_STAMPED.append(waiting_with_stamps)
