"""The tasks of this package, and what beat starts when. A worker loads a task with the first message for it.

They import SQLAlchemy, a fifth of what a worker would load, and most workers never get such a message.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

from schedules.entries import PUSH, beat_schedule
from schedules.sync_requests import START_STREAMS
from worker.account_and_lane import TASK_PREFIX
from worker.app import app
from worker.publishing import published
from worker.reminders import sees_to
from worker.settings import get_settings
from worker.steps import Step

T = TypeVar("T", bound=Step)

#: The task that resumes a stream or a push from which nothing has been heard for a while.
RESUME = f"{TASK_PREFIX}sync_resume"

#: Where each task is.
MODULES = {
    f"{TASK_PREFIX}sync": "schedules.sync",
    START_STREAMS: "schedules.sync",
    RESUME: "schedules.sync",
    f"{TASK_PREFIX}sync_page": "schedules.pull.pages",
    f"{TASK_PREFIX}report_page": "schedules.reports.pages",
    PUSH: "schedules.push.task",
}


class LazyTask(Step):
    """A stand-in for a task until the task's module is loaded, which registers the task itself."""

    Strategy = "schedules.deferred:strategy"

    def __init__(self, name: str) -> None:
        self.name = name

    def apply(self, *args: Any, **options: Any) -> Any:
        """Load the task and run it in this process."""
        return load_task(self.name).apply(*args, **options)


def load_task(name: str) -> Any:
    """Load the module of a task, and return the task."""
    import_module(MODULES[name])
    return app.tasks[name]


def strategy(task: Any, app: Any, consumer: Any, **kwargs: Any) -> Any:
    """Return a handler that loads the task with its first message, and then lets the task's own strategy handle it."""

    def handle(*args: Any, **options: Any) -> Any:
        load_task(task.name)
        consumer.update_strategies()
        return consumer.strategies[task.name](*args, **options)

    return handle


def announce() -> None:
    """Register a stand-in for every task of this package."""
    for name in MODULES:
        app.register_task(LazyTask(name))


def register(task: T) -> T:
    """Replace a task's stand-in by the task itself."""
    app.tasks.unregister(str(task.name))  # Celery would warn of two tasks with one name
    app.register_task(task)
    return task


@sees_to("sync")
def _resume(which: str) -> None:
    published(lambda: app.send_task(RESUME, (which,)))


announce()
app.add_defaults(lambda: {"beat_schedule": beat_schedule(get_settings())})
