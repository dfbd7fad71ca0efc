"""What a handler is given, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.operations import Operation
from sandbox.reading.query import Query
from sandbox.records.job_rules import JobRules
from sandbox.records.store import Resource, Store


@dataclass(slots=True)
class Call:
    """One request, after all checks that are the same for every operation."""

    operation: Operation
    path_id: str
    """The id in the path; empty for a path without one."""
    query: Query
    body: Any
    """The parsed JSON document, or for an upload the parts of the form; None without a body."""
    store: Store
    now: float
    base_url: str
    job_rules: JobRules
    additional: "AdditionalFields"

    @property
    def data(self) -> dict[str, Any]:
        """The primary data of the body, checked to be an object."""
        data: dict[str, Any] = self.body["data"]
        return data

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the primary data."""
        attributes: dict[str, Any] = self.data.get("attributes") or {}
        return attributes

    def linkage(self, name: str) -> list[str]:
        """The ids that the body names under a relationship, to-one or to-many."""
        data = ((self.data.get("relationships") or {}).get(name) or {}).get("data") or []
        return [one["id"] for one in (data if isinstance(data, list) else [data])]


AdditionalFields = dict[tuple[str, str], Callable[[Call, Resource], Any]]
"""How to work out an additional field, by type and name."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its document, if any, and its status where it is not the operation's usual one."""

    document: dict[str, Any] | None = None
    status: int | None = None


Handler = Callable[[Call], Reply]
