"""Steps that write the answers to their requests into the store."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

import redis
from celery.exceptions import TaskPredicate
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
        except (TaskPredicate, redis.RedisError):
            raise  # it waits, or has been taken back
        except Exception as error:
            # The next try would meet the same, and whoever waits for the run would wait for ever.
            self.give_up(error, self.account, self.about(**about))
            raise
        outage.note_success()

    @abstractmethod
    def give_up(self, error: Exception, account: str, about: S) -> None:
        """Fail the run that this step belongs to, unless it has ended."""
