"""Takes up again what dead workers have left behind: every worker looks for it, and one task resumes it."""

from __future__ import annotations

from worker.app import app
from worker.process.bootstep import SWEEP
from worker.reminders import see_to
from worker.steps import Step


class Sweep(Step):
    """See to what is overdue."""

    name = SWEEP
    ignore_result = True

    def run(self, members: list[str]) -> None:
        """Have each reminder seen to."""
        see_to(members)


app.register_task(Sweep())
