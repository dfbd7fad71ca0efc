"""Reports wrong settings on Celery's command line in one sentence, where Celery would print a page of traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from worker.errors import SettingsError


@contextmanager
def one_sentence() -> Iterator[None]:
    """End Celery's command if the settings are wrong. An application that imports us gets the error itself."""
    try:
        yield
    except SettingsError as error:
        context = click.get_current_context(silent=True)
        if context is None or context.find_root().command.name != "celery":
            raise
        sys.exit(f"The settings are wrong: {error}")
