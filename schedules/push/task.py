"""Pushes that the settings define, and the task that carries one out in a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from celery.exceptions import Ignore
from sqlalchemy.exc import InterfaceError, OperationalError

from schedules import guard, trouble
from schedules.deferred import register
from schedules.entries import PUSH
from schedules.pull.pages import SILENT
from schedules.pull.requests import scheduled
from schedules.push.kinds import Push
from schedules.push.lock import Held
from schedules.push.report import PushReport
from schedules.push.run import run_push
from tasks.imports.sending import Stopped
from worker.errors import KlaviyoError, SettingsError
from worker.patience import LeftBehind, published
from worker.process import closing
from worker.reminders import remind
from worker.settings import alias_of, get_settings
from worker.steps import Step

#: What a reminder of a push that waits begins with. An account's alias is in lower case.
WAITS = "PUSH"

#: Seconds until a push is tried again that could not begin, or had lost the store.
LATER = 15.0


def defined(name: str) -> Push:
    """The push that the settings define under this name.

    Raises:
        SettingsError: there is none.

    """
    known, name = get_settings().pushes, alias_of(name)
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise SettingsError(
            f"there is no push {name!r} (known: {names}): set KLAVIYO_PUSHES__{name.upper().replace('-', '_')}__KIND "
            "and __SOURCE"
        )
    given = known[name]
    url = given.database_url.get_secret_value() if given.database_url else None
    return Push(
        given.kind, given.source, name, url, tuple(given.map), given.fixed, given.time_zone, given.delete, given.account
    )


class PushStep(Step):
    """Carry out a push of the settings. It waits for the jobs that it begins, which other threads look after."""

    name = PUSH

    def run(self, *, name: str, force: bool = False) -> dict[str, Any]:
        """Carry it out, or go on with it; what beat asks for only where the run before it is over.

        Raises:
            Ignore: it has been run, or waits.

        """
        run = self.task_id if scheduled(self.task_id) else None
        # A message that is delivered once more goes on: the push's own lock tells whether another process is at it.
        if run and not guard.begin(run, run, SILENT):
            raise Ignore("this run of the entry is not wanted")
        try:
            report = self._carry_out(name, force, lambda _: run and guard.renew(run, SILENT))
        except KlaviyoError as error:
            if run:
                guard.end(run, False, str(error))
            raise
        if run:
            guard.end(run, True, report.note or "")
        return report.told()

    def _carry_out(self, name: str, force: bool, progress: Callable[[PushReport], Any]) -> PushReport:
        wanted = defined(name)
        if not _room().acquire(blocking=False):
            raise self._later(name, force, "other pushes take all the threads that pushes may have")
        try:
            report = run_push(wanted, force=force, progress=progress, stop=closing.is_set, token=self.task_id)
            trouble.overcome()
            return report
        except Held as error:
            if not error.own:
                raise
            # The process that had this message has died, and its lock has not run out.
            raise self._later(name, force, "the process that had it may have died") from None
        except Stopped as error:
            if not closing.is_set():
                raise
            raise LeftBehind(str(error)) from None
        except (OperationalError, InterfaceError) as error:
            raise self._later(name, force, trouble.met(error)) from None
        finally:
            _room().release()

    def _later(self, name: str, force: bool, reason: str) -> Ignore:
        """Have it published again, under the same id; raise what this returns."""
        which = f"{WAITS}|{self.task_id}|{name}|{int(force)}"
        remind(f"sync|{which}", LATER)
        return Ignore(f"push {name} waits: {reason}")


@lru_cache(maxsize=1)
def _room() -> threading.BoundedSemaphore:
    """Half of this worker's threads: the jobs that pushes wait for need some, too."""
    concurrency = get_settings().concurrency
    if concurrency < 2:
        raise SettingsError("a push needs KLAVIYO_CONCURRENCY=2 or more: it waits for what the other threads do")
    return threading.BoundedSemaphore(concurrency // 2)


def try_again(which: str) -> None:
    """Publish a push that has waited."""
    _, id, name, force = which.split("|")
    published(lambda: task.apply_async((), {"name": name, "force": force == "1"}, task_id=id))
    remind(f"sync|{which}", None)


task = register(PushStep())
