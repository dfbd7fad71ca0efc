"""Steps that write what they have asked for into the store."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

from schedules import trouble
from worker.api.parameters import Params
from worker.governor import get_governor
from worker.steps import AskingStep

S = TypeVar("S")


class StoringStep(AskingStep[S]):
    """A step that asks and writes; where the store takes nothing, both later."""

    def run(self, *, action: str, params: Params, **about: Any) -> None:
        """Ask, write and go on."""
        if not trouble.may_try():
            # Klaviyo is not asked for what could not be kept.
            get_governor().release(self.task_id)
            raise self.later(action, params, "the store cannot be written", trouble.AWAY)
        try:
            super().run(action=action, params=params, **about)
        except (OperationalError, InterfaceError) as error:
            raise self.later(action, params, trouble.met(error), trouble.AWAY) from None
        trouble.overcome()
