"""The table of Klaviyo's operations, and finding the one that a request means."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import orjson

from worker.api.filter_fields import Fields, fields_of


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of operations.json. `body` is the type of the resource or identifiers in the request body."""

    id: str
    method: str
    path: str
    section: str
    limits: tuple[int, ...]
    scopes: frozenset[str]
    status: int
    type: str | None = None
    many: bool = False
    body: str | None = None
    multipart: bool = False
    page: tuple[int, int] | None = None
    fixed_page: int | None = None
    sort: frozenset[str] = frozenset()
    include: frozenset[str] = frozenset()
    additional: Mapping[str, list[str]] = field(default_factory=dict)
    filter: Fields = field(default_factory=dict)
    """What it can be filtered by, from the worker's filters.json."""
    filter_required: bool = False
    extra: Mapping[str, list[int]] = field(default_factory=dict)
    """The limits of account-wide buckets, by the `parameter=value` that draws on them."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path."""
        return tuple(self.path.strip("/").split("/"))

    @property
    def client_side(self) -> bool:
        """Whether it is called from browsers, without a key."""
        return self.path.startswith("/client/")


class Operations:
    """All operations, by id and by route."""

    def __init__(self, rows: Iterable[Operation], fields: Mapping[str, frozenset[str]]) -> None:
        self.by_id = {row.id: row for row in rows}
        self.fields = fields
        self._routes: dict[tuple[str | None, ...], dict[str, Operation]] = {}
        for row in self.by_id.values():
            self._routes.setdefault(_shape(row.segments), {})[row.method] = row

    def methods(self, path: str) -> tuple[Mapping[str, Operation], str | None]:
        """The operations on a path, by method (none for an unknown path), and the id in the path."""
        parts = tuple(path.strip("/").split("/"))
        exact = self._routes.get(parts)
        if exact is not None:
            return exact, None
        if len(parts) < 3 or not parts[2]:
            return {}, None
        return self._routes.get((*parts[:2], None, *parts[3:]), {}), parts[2]


def _shape(segments: tuple[str, ...]) -> tuple[str | None, ...]:
    return tuple(None if segment.startswith("{") else segment for segment in segments)


def _row(raw: dict[str, Any]) -> Operation:
    for name in ("scopes", "sort", "include"):
        if name in raw:
            raw[name] = frozenset(raw[name])
    for name in ("limits", "page"):
        if name in raw:
            raw[name] = tuple(raw[name])
    return Operation(**raw, filter=fields_of("tasks", raw["id"]) or {})


def load() -> Operations:
    """Load the table that comes with the package."""
    table = orjson.loads(resources.files("sandbox").joinpath("operations.json").read_bytes())
    fields = {name: frozenset(values) for name, values in table["fields"].items()}
    return Operations([_row(raw) for raw in table["operations"]], fields)
