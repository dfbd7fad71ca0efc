"""The end of tasks whose requests have succeeded: leases, results and deliveries, for several tasks in one step.

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
from queue import Empty, SimpleQueue

from celery.utils.log import get_logger

from worker.governor import End, Settlement, get_governor
from worker.process.left_behind import LeftBehind
from worker.process.state import acknowledged_by_redis, left_behind

logger = get_logger(__name__)

#: Least seconds between two steps, and most tasks in one.
STEP_INTERVAL_S, MAX_ENDS_PER_STEP = 0.004, 32

#: Called when a task has ended.
After = Callable[[], None]

#: Called with a limit that was adopted from Klaviyo's headers.
OnAdopted = Callable[[int], None]


def _nothing() -> None:
    """Nobody waits to hear of it."""


class _Here(threading.local):
    """The task that this thread carries out."""

    may = False
    end: End | None = None
    on_adopted: OnAdopted | None = None
    on_settled: After = _nothing


_here = _Here()


def may_be_left() -> bool:
    """Return True if the end of this thread's task may be left to the common step."""
    return _here.may


def leave(end: End, on_adopted: OnAdopted, on_settled: After = _nothing) -> None:
    """Leave the end of this thread's task to the common step.

    ``on_adopted`` is called with an adopted limit, ``on_settled`` when the lease is settled.
    """
    _here.end, _here.on_adopted, _here.on_settled = end, on_adopted, on_settled


def is_left(task_id: str) -> bool:
    """Return True if the end of this thread's task has been left."""
    return _here.end is not None and _here.end.task_id == task_id


def leave_result(task_id: str, key: str, value: str | bytes, ttl: int) -> bool:
    """Leave a result to the step that ends its task. Return False if the task ends by itself."""
    end = _here.end
    if end is None or not is_left(task_id):
        return False
    end.key, end.value, end.ttl = key, value, ttl
    return True


class Finisher:
    """Ends tasks, in a thread of its own."""

    def __init__(self) -> None:
        self._ends: SimpleQueue[tuple[End, OnAdopted, After] | None] = SimpleQueue()
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
            end, on_adopted, on_settled = _here.end, _here.on_adopted, _here.on_settled
            _here.may, _here.end, _here.on_adopted, _here.on_settled = False, None, None, _nothing
            if end is not None and on_adopted is not None and not succeeded:
                settle(end, on_adopted)
                on_settled()
        if end is None or on_adopted is None or not succeeded:
            after()
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="endings", daemon=True)
                self._thread.start()

        def over() -> None:
            on_settled()
            after()

        self._ends.put((end, on_adopted, over))

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
            while len(ends) < MAX_ENDS_PER_STEP:
                try:
                    found = self._ends.get_nowait()
                except Empty:
                    break
                if found is None:
                    self._ends.put(None)
                    break
                ends.append(found)
            self._finish(ends)
            rest = time.monotonic() + STEP_INTERVAL_S

    def _finish(self, ends: list[tuple[End, OnAdopted, After]]) -> None:
        tags = [end.delivery.tag for end, _, _ in ends]
        try:
            limits = get_governor().finish([end for end, _, _ in ends])
        except LeftBehind:
            logger.warning("%d tasks have ended, but Redis could not be told: they may run again.", len(ends))
            left_behind.update(tags)
            return
        except Exception:
            if len(ends) > 1:
                # One of them may be what is wrong.
                for each in ends:
                    self._finish([each])
                return
            logger.exception("The end of task %s could not be stored: it will run again.", ends[0][0].task_id)
            # Its record stays and is no longer shown to be held; the worker's slot is free.
            limits = [0]
        acknowledged_by_redis.update(tags)
        for (end, on_adopted, after), adopted in zip(ends, limits, strict=True):
            try:
                if adopted:
                    on_adopted(adopted)
                after()
            except Exception:
                about = {"task_id": end.task_id}
                logger.exception("Task %s has ended, but its end could not be reported.", end.task_id, extra=about)


def settle(end: End, on_adopted: OnAdopted) -> None:
    """Close the lease of a task that ends by itself."""
    settlement: Settlement = end.settlement
    if adopted := get_governor().settle(end.task_id, settlement, end.delivery.tag):
        on_adopted(adopted)
