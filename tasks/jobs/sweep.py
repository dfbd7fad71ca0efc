"""Jobs whose step has died are taken up again: every worker looks for them, one task sees to them."""

from __future__ import annotations

from tasks.jobs.next_step import overdue
from worker.app import app
from worker.bootstep import SWEEP
from worker.steps import Step


class Sweep(Step):
    """See to what is overdue."""

    name = SWEEP
    ignore_result = True

    def run(self, members: list[str]) -> None:
        """Publish the next step of each."""
        overdue(members)


app.register_task(Sweep())
