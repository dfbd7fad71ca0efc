"""What a test file leaves in its process is seen at its end, and fails that file instead of a later one.

Which file comes after which in a process depends on how long others take. So what one leaves, and another trips over,
would fail a run at random.

A connection that is let go of in a cycle of references is closed by the garbage collector, with a warning, which is an
error here. If Python chose the time, it would come in the middle of any later test. So it comes at the end of each
file, and at no other time; `PYTHONTRACEMALLOC=25 pytest that/file.py` tells where the connection was opened.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from celery import signals

import worker.account_and_lane  # noqa: F401  hears of each publication from its import on
from worker.app import app
from worker.process import state

# Nothing of what is made for thousands of tests while they are collected is garbage, either.
gc.disable()

#: What tests of processes set up, here or by a library.
_LOGGERS = (None, "celery", "celery.task", "worker", "tasks", "schedules", "cli", "sandbox")
_FLAGS = ("working", "closing", "restart_requested")
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGUSR1)

#: Who listens to these makes our calls go another way.
_HEARD = ("before_task_publish", "after_task_publish", "task_sent")

#: What is another one in a process that has begun with the live tests: settings, and where results and tasks go; and
#: what Celery notes when somebody asks for its settings first.
_LIVE = ("KLAVIYO_", "PYTEST_", "broker_url", "broker_transport_options", "result_backend", "deprecated_settings")


def pytest_collection_finish() -> None:
    """Never look through what is there by now."""
    gc.freeze()


def shared_state() -> dict[str, Any]:
    """What the tests of a process share, by what it is called."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    changed = app.conf.changes if app.configured else {}
    found: dict[str, Any] = {
        "the current folder": Path.cwd(),
        **{f"the logger {each.name}": (each.level, each.disabled, each.propagate) for each in loggers},
        **{f"who hears {name}": len(getattr(signals, name).receivers) for name in _HEARD},
        **{f"worker.process.state.{name}": getattr(state, name).is_set() for name in _FLAGS},
        **{f"what handles {each.name}": signal.getsignal(each) for each in _HANDLED},
        **{f"app.conf.{name}": each for name, each in changed.items() if not name.startswith(_LIVE)},
        **{f"the variable {name}": each for name, each in os.environ.items() if not name.startswith(_LIVE)},
    }
    return found


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Collect garbage once all that was made for a file has ended, and see that what is shared is as it was.

    What is still in use then, by a session's fixture or a module of ours, is no longer looked through: if a later file
    is the last to use it, that one is not to blame.
    """
    before, formatters = shared_state(), {each: each.formatter for each in logging.getLogger().handlers}
    yield
    gc.collect()
    gc.freeze()
    after = shared_state()
    left = {name: after.get(name) for name in before | after if before.get(name) != after.get(name)}
    left |= {f"the format of {each}": each.formatter for each, was in formatters.items() if each.formatter is not was}
    assert left == {}, f"This file leaves what the next one may trip over: {left}"


@pytest.fixture
def own_logging() -> Iterator[None]:
    """What a test sets up of logging, as the process of a worker or of Flower does, ends with it."""
    root, tasks = logging.getLogger(), logging.getLogger("celery.task")
    before = [(each, each.level, each.propagate) for each in (root, tasks)]
    formatters = [(each, each.formatter) for each in root.handlers]
    with mock.patch.dict(os.environ):
        yield
    for logger, level, logger.propagate in before:
        logger.setLevel(level)
    for handler, formatter in formatters:
        handler.setFormatter(formatter)
