"""What a handler receives and what it returns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.errors import invalid
from sandbox.operations import Operation
from sandbox.reading.query import Query
from sandbox.reading.traps import Traps
from sandbox.records.job_rules import JobRules
from sandbox.records.store import Resource, Store


@dataclass(slots=True)
class Call:
    """One request that has passed the checks common to all operations."""

    operation: Operation
    path_id: str
    """The id in the path; empty for a path without one."""
    query: Query
    body: Any
    """The parsed JSON document, or the parts of the form for an upload; None without a body."""
    store: Store
    now: float
    base_url: str
    job_rules: JobRules
    traps: Traps
    additional: "AdditionalFields"

    @property
    def data(self) -> dict[str, Any]:
        """The body's primary data, which has been checked to be an object."""
        data: dict[str, Any] = self.body["data"]
        return data

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the primary data."""
        attributes: dict[str, Any] = self.data.get("attributes") or {}
        return attributes

    def linkage(self, name: str) -> list[str]:
        """The ids in the body's relationship of this name, to-one or to-many."""
        data = ((self.data.get("relationships") or {}).get(name) or {}).get("data") or []
        return [one["id"] for one in (data if isinstance(data, list) else [data])]

    def items(self, name: str, maximum: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """The resource objects under an attribute, each with its pointer; 400 for none, or for more than `maximum`."""
        pointer = f"/data/attributes/{name}/data"
        items = (self.attributes.get(name) or {}).get("data")
        if not isinstance(items, list) or not items:
            raise invalid("At least one item is required.", pointer)
        if len(items) > maximum:
            raise invalid(f"At most {maximum} items are allowed, {len(items)} were given.", pointer)
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                raise invalid("An object is required.", f"{pointer}/{index}")
            yield f"{pointer}/{index}", item


AdditionalFields = dict[tuple[str, str], Callable[[Call, Resource], Any]]
"""How to compute each additional field, by type and name."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response: its document, if any, and its status, if it is not the operation's usual one."""

    document: dict[str, Any] | None = None
    status: int | None = None


Handler = Callable[[Call], Reply]
