"""The tasks of this package, which a worker knows from its start and loads with the first message for one of them.

They stand on SQLAlchemy. That is a fifth of what a worker would load, and most workers never see such a message.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

from schedules.entries import PUSH
from schedules.sync_requests import START_STREAMS
from worker.app import app
from worker.place import PREFIX
from worker.publishing import published
from worker.reminders import sees_to
from worker.steps import Step

T = TypeVar("T", bound=Step)

#: The task that resumes a stream or a push from which nothing has been heard for a while.
RESUME = f"{PREFIX}sync_resume"

#: Where each task is.
MODULES = {
    f"{PREFIX}sync": "schedules.sync",
    START_STREAMS: "schedules.sync",
    RESUME: "schedules.sync",
    f"{PREFIX}sync_page": "schedules.pull.pages",
    f"{PREFIX}report_page": "schedules.reports.pages",
    PUSH: "schedules.push.task",
}


class LazyTask(Step):
    """What stands in for a task until its module, which registers the task itself, is loaded."""

    Strategy = "schedules.deferred:strategy"

    def __init__(self, name: str) -> None:
        self.name = name

    def apply(self, *args: Any, **options: Any) -> Any:
        """Carry out the task itself in this process."""
        return load_task(self.name).apply(*args, **options)


def load_task(name: str) -> Any:
    """The task of this name itself."""
    import_module(MODULES[name])
    return app.tasks[name]


def strategy(task: Any, app: Any, consumer: Any, **kwargs: Any) -> Any:
    """What a worker does with the first message for a task: load it, and go on as if it had been there all along."""

    def handle(*args: Any, **options: Any) -> Any:
        load_task(task.name)
        consumer.update_strategies()
        return consumer.strategies[task.name](*args, **options)

    return handle


def announce() -> None:
    """Let the application know every task of this package."""
    for name in MODULES:
        app.register_task(LazyTask(name))


def register(task: T) -> T:
    """Put a task itself where its name was announced."""
    app.tasks.unregister(str(task.name))  # Celery would warn of two tasks of one name
    app.register_task(task)
    return task


@sees_to("sync")
def _resume(which: str) -> None:
    published(lambda: app.send_task(RESUME, (which,)))
