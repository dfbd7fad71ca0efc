"""What `klaviyo check` tells of pushes: whether the source of each can be read. Only its first rows are."""

from __future__ import annotations

from collections.abc import Iterator

from schedules.push_source import opened
from schedules.push_task import defined
from worker.errors import KlaviyoError
from worker.settings import get_settings


def looked_at() -> Iterator[tuple[str, str | None]]:
    """The name of each push that the settings define, and what is wrong with its source, if anything is."""
    for name in sorted(get_settings().pushes):
        try:
            wanted = defined(name)
            wanted.checked()
            next(opened(wanted.rows, wanted.database_url).batches(), None)
        except KlaviyoError as error:
            yield name, str(error)
        else:
            yield name, None
