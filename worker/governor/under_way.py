"""The requests that this process has under way, which a replica that is promoted may not have heard of."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator

from worker.redis.elsewhere import elsewhere

#: Seconds for which a request that must not be repeated is remembered after its end: no replica is promoted that is
#: further behind.
REMEMBERED_S = 60.0

#: A request, as the script takes it: its task, holder, line and spec, ms that it may take, and 1 if unrepeatable.
UnderWay = tuple[str, str, str, str, int, int]

#: By the task, or by the id that several share: what describes the request, whose part in it must not be repeated, and
#: which other Redis was the current one.
_requests: dict[str, tuple[Callable[[], UnderWay], Collection[str], str | None]] = {}

#: When they ended, whose they were, and where.
_unrepeatable: deque[tuple[float, str, str | None]] = deque()


def begin(task_id: str, describe: Callable[[], UnderWay], unrepeatable: Collection[str]) -> None:
    """Note that a request is about to be sent. ``unrepeatable``: the tasks whose part in it must not be repeated."""
    _requests[task_id] = describe, unrepeatable, elsewhere()


def finish(task_id: str, forget: bool, clock: Callable[[], float] = time.monotonic) -> None:
    """Note that it has ended. ``forget``: it was certainly not carried out."""
    _, unrepeatable, name = _requests.pop(task_id, (None, (), None))
    if unrepeatable and not forget:
        _unrepeatable.extend((clock(), each, name) for each in unrepeatable)
        while clock() - _unrepeatable[0][0] > REMEMBERED_S:
            _unrepeatable.popleft()


def known(name: str | None = None, clock: Callable[[], float] = time.monotonic) -> Iterator[UnderWay]:
    """Every request that is under way, and those of the last minute that must not be repeated.

    ``name``: those of another Redis (`worker.redis.elsewhere`).
    """
    for describe, unrepeatable, of in list(_requests.values()):
        if of == name:
            yield from map(_sent, unrepeatable)
            yield describe()
    since = clock() - REMEMBERED_S
    for ended_at, task_id, of in list(_unrepeatable):
        if of == name and ended_at >= since:
            yield _sent(task_id)


def _sent(task_id: str) -> UnderWay:
    return task_id, "", "", "", 0, 1
