"""Taking a job back before Klaviyo has it: what revoking it means."""

from __future__ import annotations

from celery import states
from celery.exceptions import TaskRevokedError
from celery.utils.objects import Bunch

from tasks.jobs.next_step import go_on
from worker.app import app
from worker.ledger import get_ledger
from worker.revocation import ALSO_REVOKED


def withdraw(id: str) -> bool:
    """Take back a job that has not been sent; whether there was one. Its steps find it settled, and end."""
    ledger = get_ledger()
    job = ledger.job(id)
    if job is None:
        return False
    done, released = ledger.withdraw(id, {"status": "withdrawn"})
    go_on(*released)
    options = (job.continuation or {}).get("options", {})
    if done and options.get("chord"):
        part = Bunch(id=id, group=options["group_id"], group_index=options["group_index"], chord=options["chord"])
        app.backend.on_chord_part_return(part, states.REVOKED, TaskRevokedError("revoked"))
    return done


ALSO_REVOKED.append(withdraw)
