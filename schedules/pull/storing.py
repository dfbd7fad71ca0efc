"""Steps that write the answers to their requests into the store."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

from schedules.store import outage
from worker.api.parameters import Params
from worker.governor import get_governor
from worker.steps import AskingStep

S = TypeVar("S")


class StoringStep(AskingStep[S]):
    """A step that makes a request and writes the answer; while the store is down, both are put off."""

    def run(self, *, action: str, params: Params, **about: Any) -> None:
        """Make the request, write the answer and go on."""
        if not outage.may_write():
            # No request is made for what could not be written.
            get_governor().release(self.task_id)
            raise self.put_off(action, params, "the store cannot be written", outage.RETRY_DELAY_S)
        try:
            super().run(action=action, params=params, **about)
        except (OperationalError, InterfaceError) as error:
            raise self.put_off(action, params, outage.note_failure(error), outage.RETRY_DELAY_S) from None
        outage.note_success()
