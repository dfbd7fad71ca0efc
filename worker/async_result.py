"""The result of a call, as whoever made the call holds it."""

from __future__ import annotations

from typing import Any

from celery.result import AsyncResult
from vine import promise


class Result(AsyncResult):  # type: ignore[type-arg]
    """Celery's result, except that its promise is made on demand: that costs more than all the rest."""

    def __init__(
        self, id: str, backend: Any = None, task_name: str | None = None, app: Any = None, parent: Any = None
    ) -> None:
        if id is None:
            raise ValueError("a result has the id of its task")
        self.app = app or self.app
        self.id = id
        self.backend = backend or self.app.backend
        self.parent = parent
        self._cache = None
        self._ignored = False

    def __getattr__(self, name: str) -> Any:
        if name != "on_ready":
            raise AttributeError(f"a result has no {name!r}")
        # One, whichever thread is first.
        return self.__dict__.setdefault(name, promise(self._on_fulfilled, weak=True))
