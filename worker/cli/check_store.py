"""What `klaviyo check` tells of the store: what keeps the workers from writing to it, and how much room is left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from schedules.trouble import trouble
from worker.cli.import_view import size
from worker.settings import get_settings

#: Bytes of room under a store that is a file, below which it is told: a night may bring as much.
LEAST = 1_000_000_000


def wanting() -> Iterator[str]:
    """What is wrong with the store, or soon will be, in sentences."""
    if found := trouble():
        yield f"{found}."
    url = make_url(get_settings().store_url)
    folder = Path(url.database or "").absolute().parent
    if url.get_backend_name() == "sqlite" and folder.is_dir() and (free := shutil.disk_usage(folder).free) < LEAST:
        yield f"only {size(free)} are free on its disk, at {folder}: make room before a sync fills it."
