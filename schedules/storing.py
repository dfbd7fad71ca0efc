"""Steps that write what they have asked for into the store."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

from worker.declaration import Params
from worker.steps import AskingStep

S = TypeVar("S")

#: Seconds until a step is taken again whose answer could not be written.
AWAY = 5.0


class StoringStep(AskingStep[S]):
    """A step that asks and writes; where the store cannot be reached, both later."""

    def run(self, *, action: str, params: Params, **about: Any) -> None:
        """Ask, write and go on."""
        try:
            super().run(action=action, params=params, **about)
        except (OperationalError, InterfaceError) as error:
            raise self.later(
                action, params, f"the store cannot be reached: {type(error.orig).__name__}", AWAY
            ) from None
