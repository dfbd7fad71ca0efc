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
from worker.left_behind import LeftBehind
from worker.process import left_behind, struck

logger = get_logger(__name__)

#: Seconds between two steps at least, and tasks in one at most.
PERIOD, MOST = 0.004, 32

#: What is done for a task when it has ended, and what with a limit that was adopted from Klaviyo's headers.
After = Callable[[], None]
Told = Callable[[int], None]


class _Here(threading.local):
    """The task that this thread carries out."""

    may = False
    end: End | None = None
    told: Told | None = None


_here = _Here()


def may_be_left() -> bool:
    """Whether somebody sees to the end of the task that this thread carries out."""
    return _here.may


def leave(end: End, told: Told) -> None:
    """Leave the end of this thread's task to the others' step; ``told`` hears of an adopted limit."""
    _here.end, _here.told = end, told


def is_left(task_id: str) -> bool:
    """Whether the end of this thread's task is left."""
    return _here.end is not None and _here.end.task_id == task_id


def leave_result(task_id: str, key: str, value: str | bytes, ttl: int) -> bool:
    """Leave a result to the step that ends its task; False where the task ends by itself."""
    end = _here.end
    if end is None or not is_left(task_id):
        return False
    end.key, end.value, end.ttl = key, value, ttl
    return True


class Finisher:
    """Ends tasks, in a thread of its own."""

    def __init__(self) -> None:
        self._ends: SimpleQueue[tuple[End, Told, After] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def carry_out(self, work: Callable[[], bool], after: After) -> None:
        """Carry out a task in this thread; ``work`` tells whether it has succeeded.

        ``after`` is called when it has ended. Whatever ``work`` raises is raised here.
        """
        _here.may, succeeded = True, False
        try:
            succeeded = work()
        finally:
            end, told = _here.end, _here.told
            _here.may, _here.end, _here.told = False, None, None
            if end is not None and told is not None and not succeeded:
                settle(end, told)
        if end is None or told is None or not succeeded:
            after()
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="endings", daemon=True)
                self._thread.start()
        self._ends.put((end, told, after))

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
            while len(ends) < MOST:
                try:
                    found = self._ends.get_nowait()
                except Empty:
                    break
                if found is None:
                    self._ends.put(None)
                    break
                ends.append(found)
            self._finish(ends)
            rest = time.monotonic() + PERIOD

    def _finish(self, ends: list[tuple[End, Told, After]]) -> None:
        tags = [end.delivery.tag for end, _, _ in ends]
        try:
            limits = get_governor().finish([end for end, _, _ in ends])
        except LeftBehind:
            logger.warning("%d tasks are over and Redis could not be told: they may be run again.", len(ends))
            left_behind.update(tags)
            return
        except Exception:
            logger.exception("The end of %d tasks could not be stored: they are carried out again.", len(ends))
            left_behind.update(tags)
            return
        struck.update(tags)
        for (end, told, after), adopted in zip(ends, limits, strict=True):
            try:
                if adopted:
                    told(adopted)
                after()
            except Exception:
                logger.exception("Task %s has ended, and that could not be told.", end.task_id)


def settle(end: End, told: Told) -> None:
    """Close the lease of a task whose end is not left to anybody."""
    settlement: Settlement = end.settlement
    if adopted := get_governor().settle(end.task_id, settlement, end.delivery.tag):
        told(adopted)
