"""The tasks of this package, which a worker knows from its start and loads with the first message for one of them.

They stand on SQLAlchemy. That is a fifth of what a worker would load, and most workers never see such a message.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

from schedules.entries import PUSH
from schedules.pull.requests import GO_ON
from worker.app import app
from worker.patience import published
from worker.place import PREFIX
from worker.reminders import sees_to
from worker.steps import Step

T = TypeVar("T", bound=Step)

#: The task that sees to a stream of which nothing has been heard.
LOOK_AFTER = f"{PREFIX}sync_look_after"

#: Where each task is.
MODULES = {
    f"{PREFIX}sync": "schedules.sync",
    GO_ON: "schedules.sync",
    LOOK_AFTER: "schedules.sync",
    f"{PREFIX}sync_page": "schedules.pull.pages",
    f"{PREFIX}report_page": "schedules.reports.pages",
    PUSH: "schedules.push.task",
}


class Deferred(Step):
    """What stands in for a task until its module, which registers the task itself, is loaded."""

    Strategy = "schedules.deferred:strategy"

    def __init__(self, name: str) -> None:
        self.name = name

    def apply(self, *args: Any, **options: Any) -> Any:
        """Carry out the task itself in this process."""
        return loaded(self.name).apply(*args, **options)


def loaded(name: str) -> Any:
    """The task of this name itself."""
    import_module(MODULES[name])
    return app.tasks[name]


def strategy(task: Any, app: Any, consumer: Any, **kwargs: Any) -> Any:
    """What a worker does with the first message for a task: load it, and go on as if it had been there all along."""

    def handle(*args: Any, **options: Any) -> Any:
        loaded(task.name)
        consumer.update_strategies()
        return consumer.strategies[task.name](*args, **options)

    return handle


def announce() -> None:
    """Let the application know every task of this package."""
    for name in MODULES:
        app.register_task(Deferred(name))


def register(task: T) -> T:
    """Put a task itself where its name was announced."""
    app.tasks.unregister(str(task.name))  # Celery would warn of two tasks of one name
    app.register_task(task)
    return task


@sees_to("sync")
def _look_after(which: str) -> None:
    published(lambda: app.send_task(LOOK_AFTER, (which,)))
