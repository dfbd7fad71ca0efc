"""How a JSON:API resource becomes a row of the store. Pure.

Nothing is refused: a value that does not fit its column is NULL there, and stays in `attributes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

#: The first integer that does not fit into a database's BIGINT.
BIGINT_LIMIT = 2**63

Resource = Mapping[str, Any]
Take = Callable[[Resource], Any]


def text(path: str) -> Take:
    """An attribute as text; ``integration.name`` is an attribute within another."""
    return lambda resource: None if (value := _at(resource, path)) is None else str(value)


def flag(path: str) -> Take:
    """An attribute that is true or false."""
    return lambda resource: value if isinstance(value := _at(resource, path), bool) else None


def count(path: str) -> Take:
    """An attribute that is an integer."""
    return lambda resource: (
        int(value) if _is_number(value := _at(resource, path)) and abs(value) < BIGINT_LIMIT else None
    )


def figure(path: str) -> Take:
    """An attribute that is a number."""
    return lambda resource: float(value) if _is_number(value := _at(resource, path)) else None


def moment(path: str) -> Take:
    """An attribute that is a point in time; Klaviyo's times without an offset are in UTC."""
    return lambda resource: _moment(_at(resource, path))


def day(path: str) -> Take:
    """The day of a point in time, in UTC."""
    return lambda resource: _day(_at(resource, path))


def linked(name: str) -> Take:
    """The id of the one resource that a relationship links to."""
    return lambda resource: id if isinstance(id := _linkage(resource).get(name), str) else None


def texts(*names: str) -> dict[str, Take]:
    """Columns of text, named like their attributes."""
    return {name: text(name) for name in names}


def flags(*names: str) -> dict[str, Take]:
    """Columns of true or false, named like their attributes."""
    return {name: flag(name) for name in names}


def counts(*names: str) -> dict[str, Take]:
    """Columns of integers, named like their attributes."""
    return {name: count(name) for name in names}


def figures(*names: str) -> dict[str, Take]:
    """Columns of numbers, named like their attributes."""
    return {name: figure(name) for name in names}


def moments(*names: str) -> dict[str, Take]:
    """Columns of times, named like their attributes."""
    return {name: moment(name) for name in names}


def attributes(resource: Resource) -> Any:
    """All attributes, unchanged."""
    return resource.get("attributes") or {}


def relationships(resource: Resource) -> dict[str, Any] | None:
    """The ids of related resources by relationship, one or a list each; only those that the page contained."""
    return _linkage(resource) or None


def _linkage(resource: Resource) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, relationship in (resource.get("relationships") or {}).items():
        match relationship:
            case {"data": list(many)}:
                found[name] = [id for each in many if (id := _id(each))]
            case {"data": dict(one)} if id := _id(one):
                found[name] = id
    return found


def _id(linked: Any) -> str | None:
    """The id of a linked resource."""
    match linked:
        case {"type": str(), "id": str(id)}:
            return id
    return None


def _at(resource: Resource, path: str) -> Any:
    value: Any = resource.get("attributes")
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _moment(value: Any) -> datetime | None:
    try:
        read = datetime.fromisoformat(value)
        if not 1 < read.year < 9999:
            return None  # adding or subtracting a second could overflow
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _day(value: Any) -> date | None:
    read = _moment(value)
    return read.date() if read else None
