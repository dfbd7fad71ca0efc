"""Taking a job back before Klaviyo has it: what revoking it means."""

from __future__ import annotations

from tasks.jobs.next_step import go_on
from worker.ledger import get_ledger
from worker.revocation import ALSO_REVOKED


def withdraw(id: str) -> bool:
    """Take back a job that has not been sent; whether there was one. Its steps find it settled, and end."""
    done, released = get_ledger().withdraw(id, {"status": "withdrawn"})
    go_on(*released)
    return done


ALSO_REVOKED.append(withdraw)
