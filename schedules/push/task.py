"""Pushes defined in the settings, and the task that carries one out in a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from celery.exceptions import Ignore
from sqlalchemy.exc import InterfaceError, OperationalError

from schedules import entry_runs
from schedules.deferred import register
from schedules.entries import PUSH
from schedules.push.kinds import Push
from schedules.push.lock import AlreadyRunning
from schedules.push.report import PushReport
from schedules.push.run import run_push
from schedules.store import outage
from tasks.imports.sending import Stopped
from worker.errors import SettingsError, reason_to_show
from worker.one_per_process import one_per_process
from worker.process.left_behind import LeftBehind
from worker.process.state import closing
from worker.publishing import published
from worker.reminders import remind
from worker.settings import alias_of, get_settings
from worker.steps import Step

#: The first part of the reminder of a waiting push. An account's alias, which may stand there too, is in lower case.
REMINDER_PREFIX = "PUSH"

#: Seconds until a push that could not start, or lost the store, is tried again.
RETRY_DELAY_S = 15.0


def configured_push(name: str) -> Push:
    """Return the push that the settings define under this name.

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
        given.kind, given.source, name, url, tuple(given.map), given.fixed, given.time_zone, given.delete,
        given.account, given.country, given.dates, given.decimals,
    )  # fmt: skip


class PushStep(Step):
    """Carry out a push defined in the settings. It waits for its jobs, which other threads carry out."""

    name = PUSH

    def run(self, *, name: str, force: bool = False) -> dict[str, Any]:
        """Carry it out, or continue it; a scheduled one starts only if the entry's previous run has ended.

        Raises:
            Ignore: this run has already started, the previous one is still running, or the push has to wait.

        """
        run = self.task_id if entry_runs.is_scheduled(self.task_id) else None
        # A message that is delivered again continues the run: the push's own lock shows whether another process has it.
        if run and not entry_runs.begin_run(run, run, entry_runs.RUN_DEAD_AFTER_S):
            raise Ignore("this run has already started, or the previous one is still running")
        try:
            report = self._carry_out(
                name, force, lambda _: run and entry_runs.renew_run(run, entry_runs.RUN_DEAD_AFTER_S)
            )
        except Ignore:
            raise
        except Exception as error:
            if run:
                entry_runs.end_run(run, False, reason_to_show(error))
            raise
        if run:
            entry_runs.end_run(run, True, report.note or "")
        return report.as_dict()

    def _carry_out(self, name: str, force: bool, progress: Callable[[PushReport], Any]) -> PushReport:
        wanted = configured_push(name)
        if not _push_slots().acquire(blocking=False):
            raise self._later(name, force, "other pushes use all the threads that pushes may have")
        try:
            report = run_push(wanted, force=force, progress=progress, stop=closing.is_set, token=self.task_id)
            outage.note_success()
            return report
        except AlreadyRunning as error:
            if not error.own:
                raise
            # The process that had this message has died, and its lock has not expired.
            raise self._later(name, force, "the process that had it may have died") from None
        except Stopped as error:
            if not closing.is_set():
                raise
            raise LeftBehind(str(error)) from None
        except (OperationalError, InterfaceError) as error:
            raise self._later(name, force, outage.note_failure(error)) from None
        finally:
            _push_slots().release()

    def _later(self, name: str, force: bool, reason: str) -> Ignore:
        """Have it published again later, under the same id; raise what this returns."""
        which = f"{REMINDER_PREFIX}|{self.task_id}|{name}|{int(force)}"
        remind(f"sync|{which}", RETRY_DELAY_S)
        return Ignore(f"push {name} is waiting: {reason}")


@one_per_process
def _push_slots() -> threading.BoundedSemaphore:
    """Half of this worker's threads: the jobs that pushes wait for need some too."""
    concurrency = get_settings().concurrency
    if concurrency < 2:
        raise SettingsError("a push needs KLAVIYO_CONCURRENCY=2 or more: it waits for work that other threads do")
    return threading.BoundedSemaphore(concurrency // 2)


def publish_again(which: str) -> None:
    """Publish a push that has waited, under the same id."""
    _, id, name, force = which.split("|")
    published(lambda: task.apply_async((), {"name": name, "force": force == "1"}, task_id=id))
    remind(f"sync|{which}", None)


task = register(PushStep())
