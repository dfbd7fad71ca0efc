"""The end of tasks whose requests have succeeded: leases, results and deliveries, for many tasks in one batch.

A task's own thread would ask Redis three times at its end, and wait for three answers. Instead it leaves its end to one
thread that does this for all. When many tasks end, it does so a few hundred times a second and takes what has come
meanwhile; when few do, at once. A task that something follows, that is not safe to repeat, or that does not succeed
ends by itself, as it comes: see `worker.execution`.

A worker that dies in between repeats these requests, as it does when it dies before the answer. Celery's signals of a
success, and its line in the log, come a moment before the result is stored; its event comes after.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from celery.utils.log import get_logger

from worker.governor import TaskEnd, get_governor
from worker.process.left_behind import LeftBehind
from worker.process.state import acknowledged_by_redis, left_behind

logger = get_logger(__name__)

#: Seconds between two batches at least, and tasks in one at most.
BATCH_INTERVAL_S, MAX_ENDS_PER_BATCH = 0.004, 32

#: Called when a task has ended.
After = Callable[[], None]

#: Called with a limit that was adopted from Klaviyo's headers.
OnAdopted = Callable[[int], None]


def _nothing() -> None:
    """Nobody waits to hear of it."""


@dataclass(frozen=True, slots=True)
class _Left:
    """The end of a task that its thread has left, and who is told of an adopted limit and of the closed lease."""

    end: TaskEnd
    on_adopted: OnAdopted
    on_closed: After


class _Here(threading.local):
    """The task that this thread carries out: whether its end may be left, and what has been left."""

    may = False
    left: _Left | None = None


_here = _Here()


def may_be_left() -> bool:
    """Return True if the end of this thread's task may be left to the next batch."""
    return _here.may


def leave(end: TaskEnd, on_adopted: OnAdopted, on_closed: After = _nothing) -> None:
    """Leave the end of this thread's task to the next batch.

    ``on_adopted`` is called with an adopted limit, ``on_closed`` when the lease is closed.
    """
    _here.left = _Left(end, on_adopted, on_closed)


def is_left(task_id: str) -> bool:
    """Return True if the end of this thread's task has been left."""
    return _here.left is not None and _here.left.end.task_id == task_id


def leave_result(task_id: str, key: str, value: str | bytes, ttl: int) -> bool:
    """Leave a result to the batch that ends its task. Return False if the task ends by itself."""
    left = _here.left
    if left is None or not is_left(task_id):
        return False
    left.end.key, left.end.value, left.end.ttl = key, value, ttl
    return True


class Finisher:
    """Ends tasks, in a thread of its own."""

    def __init__(self) -> None:
        self._ends: SimpleQueue[_Left | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def run_task(self, work: Callable[[], bool], after: After) -> None:
        """Run a task in this thread; ``work`` returns True if it has succeeded.

        ``after`` is called when it has ended. Whatever ``work`` raises is raised here.
        """
        _here.may, succeeded = True, False
        try:
            succeeded = work()
        finally:
            left, _here.may, _here.left = _here.left, False, None
            if left is not None and not succeeded:
                _close_lease(left)
        if left is None or not succeeded:
            after()
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="endings", daemon=True)
                self._thread.start()

        def over() -> None:
            try:
                left.on_closed()
            finally:
                after()

        self._ends.put(replace(left, on_closed=over))

    def stop(self) -> None:
        """End what has been left to it, and its thread."""
        if self._thread is not None:
            self._ends.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        rest = 0.0
        while (first := self._ends.get()) is not None:
            if (pause := rest - time.monotonic()) > 0:
                time.sleep(pause)
            ends = [first]
            while len(ends) < MAX_ENDS_PER_BATCH:
                try:
                    found = self._ends.get_nowait()
                except Empty:
                    break
                if found is None:
                    self._ends.put(None)
                    break
                ends.append(found)
            self._finish(ends)
            rest = time.monotonic() + BATCH_INTERVAL_S

    def _finish(self, left: list[_Left]) -> None:
        tags = [each.end.delivery.tag for each in left]
        try:
            limits = get_governor().finish([each.end for each in left])
        except LeftBehind:
            logger.warning("%d tasks have ended, but Redis could not record that: they may run again.", len(left))
            left_behind.update(tags)
            return
        except Exception:
            if len(left) > 1:
                # One of them may be what is wrong.
                for each in left:
                    self._finish([each])
                return
            logger.exception("The end of task %s could not be stored: it will run again.", left[0].end.task_id)
            # Its record stays and is no longer shown to be held; the worker's slot is free.
            limits = [0]
        acknowledged_by_redis.update(tags)
        for each, adopted in zip(left, limits, strict=True):
            _report(each, adopted)


def _close_lease(left: _Left) -> None:
    """Close the lease of a task that ends by itself; where that is impossible, the lease expires."""
    end, adopted = left.end, None
    try:
        adopted = get_governor().close_lease(end.task_id, end.request_end, end.delivery.tag)
    except Exception as error:
        said = (end.task_id, type(error).__name__, error)
        logger.warning("The lease of task %s was not closed (%s: %s) and expires by itself.", *said)
    _report(left, adopted)


def _report(left: _Left, adopted: int | None) -> None:
    """Tell those who wait for the end of a task; one who fails to hear of it keeps it from nobody else."""
    task_id = left.end.task_id
    for tell in [lambda: left.on_adopted(adopted), left.on_closed] if adopted else [left.on_closed]:
        try:
            tell()
        except Exception:
            about = {"task_id": task_id}
            logger.exception("Task %s has ended, but its end could not be reported.", task_id, extra=about)
