"""Which records of a request Klaviyo's refusal points at. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from worker.errors import Refused


def record_index(pointer: Any, path: Sequence[str]) -> int | None:
    """Return the index of the record in a pointer: 17 for ``/data/attributes/profiles/data/17/attributes``."""
    if not path or not isinstance(pointer, str):
        return None
    found = re.match(rf"/{'/'.join(map(re.escape, path))}/([0-9]{{1,9}})(?:/|$)", pointer)
    return int(found[1]) if found else None


def pointed_at(refused: Refused, path: Sequence[str], count: int) -> dict[int, dict[str, Any]]:
    """The first error of each record that is pointed at, with its ``pointer``; ``count`` records stand at ``path``."""
    found: dict[int, dict[str, Any]] = {}
    for error in refused.errors:
        pointer = (error.get("source") or {}).get("pointer")
        place = record_index(pointer, path)
        if place is not None and place < count:
            found.setdefault(place, {**error, "pointer": pointer})
    return found


def points_elsewhere(refused: Refused, path: Sequence[str]) -> bool:
    """Whether Klaviyo points at something that is not among the records: a list that is not there, for example."""
    records, pointers = "/" + "/".join(path), refused.pointers
    return any(not records.startswith(pointer) and not pointer.startswith(records) for pointer in pointers)
